//! The registered workers.

use serde_json::json;

use super::super::explain::InstanceExplanation;
use super::super::fleet_table::FleetAnswer;
use super::super::instances::{
    DetailEnd, FailureAnswer, InstanceAnswer, MetricsEnd, MetricsHead, RecordAnswer, RemovalAnswer,
};
use super::super::recovery_plan::RecoveryPlanAnswer;
use super::super::requests::{DryRunQuery, InstancesQuery, MetricsQuery, RemovalQuery};
use super::answers::{found, object, of, told};
use super::call::Call;
use crate::domain::ids::{InstanceId, StreamId};
use crate::domain::stream::Holding;

pub(super) const UNKNOWN: &str = "No such instance is registered.";

pub(super) fn calls() -> Vec<Call> {
    let detail = object()
        .with::<InstanceAnswer>()
        .list("assigned_streams", of::<StreamId>())
        .list("assignments", of::<Holding>())
        .with::<DetailEnd>();
    vec![
        Call::get("/instances")
            .query::<InstancesQuery>()
            .example(json!({"limit": 100, "status": "active"}))
            .answers(
                object()
                    .list("instances", of::<InstanceAnswer>())
                    .page::<InstanceId>(),
            ),
        Call::get("/fleet").answers_with::<FleetAnswer>(),
        Call::get("/instances/{server_id}")
            .example(json!({"server_id": "worker-1"}))
            .answers(found(detail))
            .refuses(404, UNKNOWN),
        Call::delete("/instances/{server_id}")
            .query::<RemovalQuery>()
            .example(json!({"server_id": "worker-1", "dry_run": true}))
            .answers_with::<RemovalAnswer>()
            .refuses(404, UNKNOWN)
            .refuses(409, "The incarnation is not the current one."),
        Call::get("/instances/{server_id}/explain")
            .example(json!({"server_id": "worker-1"}))
            .answers(told::<InstanceExplanation>())
            .refuses(404, UNKNOWN),
        Call::get("/instances/{server_id}/metrics")
            .query::<MetricsQuery>()
            .example(json!({"server_id": "worker-1", "hours": 24}))
            .answers(
                object()
                    .with::<MetricsHead>()
                    .list("metrics", of::<RecordAnswer>())
                    .with::<MetricsEnd>(),
            )
            .refuses(404, UNKNOWN),
        Call::post("/instances/{server_id}/failure")
            .query::<DryRunQuery>()
            .example(json!({"server_id": "worker-1"}))
            .answers(of::<FailureAnswer>().or(of::<RecoveryPlanAnswer>()))
            .refuses(404, UNKNOWN)
            .refuses(409, "The instance is in a state in which it cannot fail."),
    ]
}
