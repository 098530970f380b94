//! The calls of workers.

use serde_json::json;

use super::super::diagnostic::DiagnosticAnswer;
use super::super::forwarding::EchoAnswer;
use super::super::long_poll::ChangesAnswer;
use super::super::requests::{
    AssignRequest, ChangesQuery, DiagnosticRequest, HeartbeatRequest, RegisterRequest,
    ReleaseRequest, VerifyRequest,
};
use super::super::streams::ClaimAnswer;
use super::super::workers::{AssignAnswer, AssignLine, BeatAnswer, RegisterAnswer, ReleaseAnswer};
use super::answers::{object, of, told};
use super::call::Call;
use crate::domain::ids::StreamId;

const UNKNOWN: &str = "No such instance is registered. A worker registers, then tries again.";
const OTHER_LIFE: &str = "The incarnation is not the current one; `current_incarnation` is. The worker \
    stops everything, and registers if it is not the one that was replaced.";

pub(super) fn calls() -> Vec<Call> {
    vec![
        Call::post("/register")
            .body::<RegisterRequest>(json!({
                "server_id": "worker-2", "ip": "10.0.0.2", "port": 8080, "max_streams": 20,
                "labels": {"zone": "north"}, "heartbeat_interval": "10s", "auto_assign": false,
            }))
            .answers_with::<RegisterAnswer>(),
        Call::post("/heartbeat")
            .body::<HeartbeatRequest>(json!({
                "server_id": "worker-1", "current_streams": 2, "status": "active",
                "system_metrics": {"cpu_percent": 12.5, "memory_percent": 40.0,
                    "load_average": [0.5, 0.4, 0.3]},
                "assignment_version": 0,
            }))
            .answers(of::<BeatAnswer>().or(of::<EchoAnswer>()))
            .refuses(404, UNKNOWN)
            .refuses(409, OTHER_LIFE),
        Call::post("/streams/assign")
            .body::<AssignRequest>(json!({"server_id": "worker-1", "requested_count": 5}))
            .answers_with::<AssignAnswer>()
            .refuses(404, UNKNOWN)
            .refuses(409, OTHER_LIFE),
        Call::post("/streams/release")
            .body::<ReleaseRequest>(json!({
                "server_id": "worker-1", "stream_ids": [1], "reason": "the source does not answer",
            }))
            .answers_with::<ReleaseAnswer>()
            .refuses(404, UNKNOWN)
            .refuses(409, OTHER_LIFE),
        Call::get("/instances/{server_id}/assignments")
            .query::<ChangesQuery>()
            .example(json!({"server_id": "worker-1", "version": 0, "wait": "0s"}))
            .answers(
                object()
                    .with::<ChangesAnswer>()
                    .list("assign", of::<AssignLine>())
                    .list("revoke", of::<StreamId>())
                    .stale(),
            )
            .refuses(404, UNKNOWN)
            .refuses(409, OTHER_LIFE),
        Call::post("/diagnostic")
            .body::<DiagnosticRequest>(json!({
                "server_id": "worker-1", "local_streams": [1, 2], "local_stream_count": 2,
            }))
            .answers(told::<DiagnosticAnswer>())
            .refuses(404, UNKNOWN),
        Call::post("/streams/verify")
            .body::<VerifyRequest>(json!({"claims": [{"stream_id": 1, "epoch": 3}]}))
            .answers(object().list("claims", of::<ClaimAnswer>())),
    ]
}
