//! Health, failures, recoveries, breakers and the brake.

use serde_json::json;

use super::super::answer::Time;
use super::super::brake::BrakeAnswer;
use super::super::breakers::{BreakerAnswer, BreakersAnswer};
use super::super::health::{HealthAnswer, RecordAnswer, StatusAnswer};
use super::super::patterns::{PatternAnswer, PatternsAnswer};
use super::super::recovery::{EmergencyAnswer, ForcedAnswer};
use super::super::recovery_plan::RecoveryPlanAnswer;
use super::super::requests::{
    BrakeRequest, EmergencyQuery, ForceRequest, HistoryQuery, IncidentsQuery, PatternsQuery,
    SeriesQuery,
};
use super::super::resilience::{ChainAnswer, ConsistencyAnswer, IncidentAnswer};
use super::super::series::SeriesAnswer;
use super::answers::{found, object, of, told};
use super::call::Call;
use super::instances::UNKNOWN;
use crate::domain::ids::IncidentId;

const REGISTERED_AGAIN: &str =
    "The instance has registered again in the meantime, so the order is out of date.";

pub(super) fn calls() -> Vec<Call> {
    vec![
        Call::get("/resilience/status").answers(told::<StatusAnswer>()),
        Call::get("/resilience/health").answers(told::<HealthAnswer>()),
        Call::get("/resilience/history")
            .query::<HistoryQuery>()
            .example(json!({"limit": 10}))
            .answers(
                object()
                    .list("history", of::<RecordAnswer>())
                    .page::<Time>(),
            ),
        Call::get("/resilience/series")
            .query::<SeriesQuery>()
            .example(json!({"name": "heartbeats", "from": "1h", "step": "1m"}))
            .answers(told::<SeriesAnswer>()),
        Call::get("/resilience/patterns")
            .query::<PatternsQuery>()
            .example(json!({"days": 7}))
            .answers(
                object()
                    .with::<PatternsAnswer>()
                    .list("patterns", of::<PatternAnswer>()),
            ),
        Call::post("/resilience/recovery/{server_id}")
            .example(json!({"server_id": "worker-1"}))
            .answers_with::<ForcedAnswer>()
            .refuses(409, REGISTERED_AGAIN),
        Call::post("/resilience/emergency/{server_id}")
            .query::<EmergencyQuery>()
            .example(json!({"server_id": "worker-1", "reason": "it sends black pictures"}))
            .answers(of::<EmergencyAnswer>().or(of::<RecoveryPlanAnswer>()))
            .refuses(404, UNKNOWN)
            .refuses(409, REGISTERED_AGAIN),
        Call::get("/resilience/consistency").answers(told::<ConsistencyAnswer>()),
        Call::get("/resilience/incidents")
            .query::<IncidentsQuery>()
            .example(json!({"state": "open", "limit": 10}))
            .answers(
                object()
                    .list("incidents", of::<IncidentAnswer>())
                    .page::<IncidentId>(),
            ),
        Call::get("/resilience/incidents/{id}")
            .example(json!({"id": 1}))
            .answers(found(
                object().with::<IncidentAnswer>().with::<ChainAnswer>(),
            ))
            .refuses(404, "There is no such incident."),
        Call::get("/resilience/brake").answers(told::<BrakeAnswer>()),
        Call::post("/resilience/brake")
            .body::<BrakeRequest>(json!({"action": "release", "reason": "the switch was replaced"}))
            .answers_with::<BrakeAnswer>()
            .refuses(409, "No mass failure is held."),
        Call::get("/resilience/breakers").answers(told::<BreakersAnswer>()),
        Call::post("/resilience/breakers/{name}")
            .body::<ForceRequest>(json!({"force": "none", "reason": "the database is back"}))
            .example(json!({"name": "store_reads"}))
            .answers_with::<BreakerAnswer>()
            .refuses(404, "There is no such circuit breaker."),
    ]
}
