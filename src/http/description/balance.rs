//! The balance of the fleet.

use serde_json::json;

use super::super::rebalance::{CheckAnswer, MoveLine, RebalanceAnswer, StatsAnswer};
use super::super::requests::RebalanceQuery;
use super::answers::{object, of, told};
use super::call::Call;

const BLOCKED: &str = "A recovery is under way, or a mass failure is held.";

pub(super) fn calls() -> Vec<Call> {
    let order = |path| {
        Call::post(path)
            .query::<RebalanceQuery>()
            .example(json!({"reason": "manual", "dry_run": true}))
            .answers(
                object()
                    .with::<RebalanceAnswer>()
                    .list("moves", of::<MoveLine>()),
            )
            .refuses(409, BLOCKED)
    };
    vec![
        Call::get("/rebalance/check").answers(told::<CheckAnswer>()),
        order("/rebalance/smart"),
        order("/rebalance/basic"),
        Call::get("/rebalance/stats").answers_with::<StatsAnswer>(),
    ]
}
