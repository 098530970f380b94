//! Planned work.

use serde_json::json;

use super::super::capacity::{CapacityAnswer, LossAnswer};
use super::super::planned::{CancelAnswer, CordonAnswer, DrainAnswer, StatusAnswer};
use super::super::requests::{
    CordonRequest, DrainRequest, DryRunQuery, LossQuery, MaintenanceRequest, ReasonQuery,
    ReasonRequest, RollRequest, RollsQuery,
};
use super::super::rolls::RollAnswer;
use super::answers::{object, of, told};
use super::call::Call;
use super::instances::UNKNOWN;
use crate::domain::ids::RollId;

const NOT_NOW: &str = "The instance is in a state that does not allow it.";
const NO_ROOM: &str = "The instance is in a state that does not allow it, or streams fit nowhere: \
    `would_not_fit` has them, and `force` would leave them without an owner.";
const UNKNOWN_ROLL: &str = "There is no such roll.";
const OVER: &str = "The roll is over, or in a state that does not allow it.";

pub(super) fn calls() -> Vec<Call> {
    let mut calls = vec![
        Call::post("/instances/{server_id}/cordon")
            .query::<DryRunQuery>()
            .optional_body::<CordonRequest>(json!({"reason": "new disk", "until": "30m"}))
            .example(json!({"server_id": "worker-1"}))
            .answers_with::<CordonAnswer>()
            .refuses(404, UNKNOWN)
            .refuses(409, NOT_NOW),
        Call::post("/instances/{server_id}/uncordon")
            .query::<DryRunQuery>()
            .optional_body::<ReasonRequest>(json!({"reason": "done"}))
            .example(json!({"server_id": "worker-1"}))
            .answers_with::<CordonAnswer>()
            .refuses(404, UNKNOWN)
            .refuses(409, NOT_NOW),
        Call::post("/instances/{server_id}/drain")
            .query::<DryRunQuery>()
            .optional_body::<DrainRequest>(
                json!({"deadline": "1h", "reason": "update", "force": true}),
            )
            .example(json!({"server_id": "worker-1", "dry_run": true}))
            .answers_with::<DrainAnswer>()
            .refuses(404, UNKNOWN)
            .refuses(409, NO_ROOM),
        Call::get("/instances/{server_id}/drain")
            .example(json!({"server_id": "worker-3"}))
            .answers(told::<StatusAnswer>())
            .refuses(
                404,
                "No such instance is registered, or it was never drained.",
            ),
        Call::delete("/instances/{server_id}/drain")
            .query::<ReasonQuery>()
            .example(json!({"server_id": "worker-3", "reason": "not today"}))
            .answers_with::<CancelAnswer>()
            .refuses(
                404,
                "No such instance is registered, or it was never drained.",
            )
            .refuses(409, "The drain was cancelled already."),
        Call::post("/instances/{server_id}/maintenance")
            .query::<DryRunQuery>()
            .body::<MaintenanceRequest>(json!({"for": "30m", "reason": "new kernel"}))
            .example(json!({"server_id": "worker-1", "dry_run": true}))
            .answers_with::<DrainAnswer>()
            .refuses(404, UNKNOWN)
            .refuses(409, NO_ROOM),
        Call::get("/capacity").answers_with::<CapacityAnswer>(),
        Call::get("/capacity/loss")
            .query::<LossQuery>()
            .example(json!({"instance": "worker-1"}))
            .answers_with::<LossAnswer>()
            .refuses(404, UNKNOWN),
        Call::post("/rolls")
            .query::<DryRunQuery>()
            .optional_body::<RollRequest>(json!({
                "label": "zone:north", "max_unavailable": 1, "wait": "drained", "deadline": "30m",
                "reason": "update",
            }))
            .example(json!({"dry_run": true}))
            .answers_with::<RollAnswer>()
            .refuses(404, "A selected instance is not registered.")
            .refuses(409, NO_ROOM),
        Call::get("/rolls")
            .query::<RollsQuery>()
            .example(json!({"limit": 10}))
            .answers(object().list("rolls", of::<RollAnswer>()).page::<RollId>()),
        Call::get("/rolls/{id}")
            .example(json!({"id": 1}))
            .answers(told::<RollAnswer>())
            .refuses(404, UNKNOWN_ROLL),
    ];
    for (path, takes_dry_run) in [
        ("/rolls/{id}/pause", false),
        ("/rolls/{id}/resume", true),
        ("/rolls/{id}/cancel", false),
    ] {
        let call = Call::post(path)
            .optional_body::<ReasonRequest>(json!({"reason": "the night is over"}))
            .example(json!({"id": 1}))
            .answers_with::<RollAnswer>()
            .refuses(404, UNKNOWN_ROLL)
            .refuses(409, OVER);
        calls.push(match takes_dry_run {
            true => call
                .query::<DryRunQuery>()
                .example(json!({"id": 1, "dry_run": true})),
            false => call,
        });
    }
    calls
}
