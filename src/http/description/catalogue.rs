//! The catalogue of streams.

use serde_json::json;

use super::super::assignments::AssignmentAnswer;
use super::super::explain::StreamExplanation;
use super::super::moves::{MoveLine, MovesAnswer};
use super::super::quarantine::ReleaseAnswer;
use super::super::requests::{
    AssignmentsQuery, DryRunQuery, MoveRequest, ReleaseQuarantineRequest, SaveRequest, StreamQuery,
    StreamsQuery,
};
use super::super::streams::{CatalogueEnd, DeleteAnswer, SaveAnswer, StreamAnswer};
use super::answers::{found, object, of, told};
use super::call::Call;
use crate::domain::ids::StreamId;

const UNKNOWN: &str = "There is no such stream.";

pub(super) fn calls() -> Vec<Call> {
    vec![
        Call::post("/streams")
            .query::<DryRunQuery>()
            .example(json!({"dry_run": false}))
            .body::<SaveRequest>(json!({"streams": [
                {"id": 101, "name": "camera 101", "url": "rtsp://10.1.0.1/live",
                    "labels": {"site": "north"}, "priority": 1, "enabled": true, "weight": 2},
                {"name": "camera without an id"},
            ]}))
            .answers_with::<SaveAnswer>()
            .refuses(
                409,
                "A name belongs to another stream; `errors` names each one.",
            ),
        Call::get("/streams")
            .query::<StreamsQuery>()
            .example(json!({"limit": 100, "state": "assigned"}))
            .answers(
                object()
                    .list("streams", of::<StreamAnswer>())
                    .with::<CatalogueEnd>(),
            ),
        Call::get("/streams/{id}")
            .query::<StreamQuery>()
            .example(json!({"id": 1, "urls": "masked"}))
            .answers(found(of::<StreamAnswer>()))
            .refuses(404, UNKNOWN),
        Call::delete("/streams/{id}")
            .example(json!({"id": 3}))
            .answers_with::<DeleteAnswer>()
            .refuses(404, UNKNOWN),
        Call::get("/streams/{id}/explain")
            .example(json!({"id": 1}))
            .answers(told::<StreamExplanation>())
            .refuses(404, UNKNOWN),
        Call::post("/streams/{id}/release-quarantine")
            .query::<DryRunQuery>()
            .optional_body::<ReleaseQuarantineRequest>(json!({"reason": "the source was repaired"}))
            .example(json!({"id": 4, "dry_run": true}))
            .answers_with::<ReleaseAnswer>()
            .refuses(404, UNKNOWN)
            .refuses(409, "The stream is not quarantined."),
        Call::get("/streams/assignments")
            .query::<AssignmentsQuery>()
            .example(json!({"limit": 100}))
            .answers(
                object()
                    .list("assignments", of::<AssignmentAnswer>())
                    .page::<StreamId>(),
            ),
        Call::post("/streams/move")
            .query::<DryRunQuery>()
            .body::<MoveRequest>(json!({"moves": [{"stream_id": 1, "to": "worker-2"}]}))
            .answers(
                object()
                    .with::<MovesAnswer>()
                    .list("moves", of::<MoveLine>()),
            )
            .refuses(404, "There is no such stream or instance.")
            .refuses(
                409,
                "A stream cannot be moved so: it is disabled or quarantined, or its target has no \
                room, is not active or does not fit.",
            ),
    ]
}
