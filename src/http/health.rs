//! The health of the whole system, and its history.

use std::collections::BTreeMap;

use actix_web::web::{Data, Json};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::{
    PageEnd, Seconds, Time, Told, list as answer_list, milliseconds, page, seconds,
};
use super::brake::BrakeAnswer;
use super::pieces::{self, Nothing, Rows};
use super::problem::Problem;
use super::requests::{HistoryQuery, read_query};
use super::state::{AppState, HttpSettings, Load};
use crate::actors::db_breaker::BreakerReport;
use crate::actors::health::{AskHealthHistory, FailedDetail, Failures, HealthReport};
use crate::domain::alert::AlertKind;
use crate::domain::breaker::BreakerState;
use crate::domain::health::{HealthRecord, HealthRule, SystemHealth, severity_of};
use crate::domain::ids::InstanceId;
use crate::domain::queries::Vitals;

/// How many entries of the history a page has by default.
const DEFAULT_LIMIT: u32 = 100;

/// The reason that classic clients get for a failure that is no longer remembered.
const UNKNOWN_REASON: &str = "unknown";

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HealthAnswer {
    system_health: SystemHealth,
    last_health_check: Time,
    active_instances: u32,
    failed_instances: u32,
    critical_failures: u32,
    rules: Vec<RuleAnswer>,
}

/// A rule that holds, and its severity.
#[derive(Debug, Serialize, ToSchema)]
struct RuleAnswer {
    rule: HealthRule,
    causes: SystemHealth,
}

fn rules(report: &HealthReport) -> Vec<RuleAnswer> {
    let rules = report.verdict.rules.iter();
    rules
        .map(|rule| RuleAnswer {
            rule: *rule,
            causes: severity_of(*rule),
        })
        .collect()
}

/// `GET /resilience/health`
pub(super) async fn health(state: Data<AppState>) -> Result<Json<Told<HealthAnswer>>, Problem> {
    let _permit = state.admit(Load::Read)?;
    let report = state.orchestrator().system_health().await?;
    Ok(Json(state.told(health_answer(&report))))
}

/// Returns the verdict as answers show it.
pub(super) fn health_answer(report: &HealthReport) -> HealthAnswer {
    HealthAnswer {
        system_health: report.verdict.health,
        last_health_check: Time(report.checked_at),
        active_instances: report.vitals.active,
        failed_instances: report.vitals.all_failed,
        critical_failures: report.critical_failures,
        rules: rules(report),
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ResilienceStatus)]
pub(super) struct StatusAnswer {
    system_health: SystemHealth,
    last_health_check: Time,
    monitoring_active: bool,
    heartbeat_config: HeartbeatConfig,
    active_instances: u32,
    failed_instances: u32,
    critical_failures: u32,
    circuit_breaker_states: BTreeMap<String, BreakerState>,
    instance_failure_counts: BTreeMap<InstanceId, u32>,
    failed_instance_details: Vec<FailedAnswer>,
    // The current contract's field, beside those that classic clients read.
    rules: Vec<RuleAnswer>,
    recovery_success_rate: Option<f64>,
    unresolved_emergencies: u32,
    counted: CountedAnswer,
    streams: StreamsAnswer,
    open_alerts: BTreeMap<AlertKind, usize>,
    brake: BrakeAnswer,
    stalls: StallsAnswer,
}

#[derive(Debug, Serialize, ToSchema)]
struct HeartbeatConfig {
    timeout_seconds: Seconds,
    warning_threshold_seconds: Seconds,
    check_interval_seconds: Seconds,
    emergency_threshold_seconds: Seconds,
}

#[derive(Debug, Serialize, ToSchema)]
struct FailedAnswer {
    server_id: InstanceId,
    failure_time: Time,
    failure_reason: &'static str,
    streams_affected: u32,
    recovery_attempts: u32,
    last_recovery_attempt: Option<Time>,
}

/// The instances by which health is judged.
#[derive(Debug, Serialize, ToSchema)]
struct CountedAnswer {
    total: u32,
    active: u32,
    failed: u32,
}

#[derive(Debug, Serialize, ToSchema)]
struct StreamsAnswer {
    /// Streams that should run: `assigned`, `unclaimed` and `orphaned` ones.
    total: usize,
    assigned: u64,
    /// Assigned streams whose owner runs them.
    running: usize,
    unclaimed: usize,
    orphaned: u64,
    disabled: usize,
    capacity: u64,
    load: u64,
}

#[derive(Debug, Serialize, ToSchema)]
struct StallsAnswer {
    count: u64,
    total_ms: u64,
}

/// `GET /resilience/status`
pub(super) async fn status(state: Data<AppState>) -> Result<HttpResponse, Problem> {
    let _permit = state.admit(Load::Read)?;
    let orchestrator = state.orchestrator();
    let report = orchestrator.system_health().await?;
    let failures = orchestrator.failures().await?;
    let settings = *state.settings();
    let stale_since = orchestrator.store_gate().stale_since();
    let rows = failures.failed.len() + failures.counts.len();
    answer_list(rows, move || {
        Told::new(status_answer(report, failures, &settings), stale_since)
    })
    .await
}

fn status_answer(
    report: HealthReport,
    failures: Failures,
    settings: &HttpSettings,
) -> StatusAnswer {
    let Vitals {
        total,
        active,
        failed,
        all_failed,
        capacity,
        load,
        assigned,
        orphaned,
        streams,
        given_up: _,
    } = report.vitals;
    StatusAnswer {
        system_health: report.verdict.health,
        last_health_check: Time(report.checked_at),
        // The health actor has just answered.
        monitoring_active: true,
        heartbeat_config: HeartbeatConfig {
            timeout_seconds: seconds(settings.thresholds.timeout),
            warning_threshold_seconds: seconds(settings.thresholds.warning),
            check_interval_seconds: seconds(settings.check_interval),
            emergency_threshold_seconds: seconds(settings.thresholds.emergency),
        },
        active_instances: active,
        failed_instances: all_failed,
        critical_failures: report.critical_failures,
        circuit_breaker_states: states(&report.breakers),
        instance_failure_counts: failures.counts,
        failed_instance_details: failures.failed.into_iter().map(failed_answer).collect(),
        rules: rules(&report),
        recovery_success_rate: failures.success_rate,
        unresolved_emergencies: report.emergencies,
        counted: CountedAnswer {
            total,
            active,
            failed,
        },
        streams: StreamsAnswer {
            total: streams.enabled(),
            assigned,
            running: streams.running,
            unclaimed: streams.unclaimed,
            orphaned,
            disabled: streams.disabled,
            capacity,
            load,
        },
        open_alerts: report.open_alerts,
        brake: report.brake.into(),
        stalls: StallsAnswer {
            count: report.stalls,
            total_ms: milliseconds(report.stalled),
        },
    }
}

fn states(breakers: &[BreakerReport]) -> BTreeMap<String, BreakerState> {
    let states = breakers
        .iter()
        .map(|breaker| (breaker.name.to_string(), breaker.state));
    states.collect()
}

fn failed_answer(detail: FailedDetail) -> FailedAnswer {
    FailedAnswer {
        server_id: detail.id,
        failure_time: Time(detail.since),
        failure_reason: detail.cause.map_or(UNKNOWN_REASON, |cause| cause.as_str()),
        streams_affected: detail.streams_affected,
        recovery_attempts: detail.attempts,
        last_recovery_attempt: detail.last_attempt.map(Time),
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HealthRecord)]
pub(super) struct RecordAnswer {
    at: Time,
    system_health: SystemHealth,
    rules: Vec<HealthRule>,
    active_instances: u32,
    failed_instances: u32,
    total_instances: u32,
    capacity: u64,
    assigned_streams: u64,
    orphaned_streams: u64,
}

impl From<HealthRecord> for RecordAnswer {
    fn from(record: HealthRecord) -> Self {
        Self {
            at: Time(record.at),
            system_health: record.health,
            rules: record.rules,
            active_instances: record.active_instances,
            failed_instances: record.failed_instances,
            total_instances: record.total_instances,
            capacity: record.capacity,
            assigned_streams: record.assigned_streams,
            orphaned_streams: record.orphaned_streams,
        }
    }
}

/// `GET /resilience/history`
pub(super) async fn history(
    state: Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let query: HistoryQuery = read_query(&request)?;
    let _permit = state.admit(Load::List)?;
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    let ask = AskHealthHistory {
        before: query.before.or(query.after),
        limit: limit + 1,
    };
    let found = state.orchestrator().health_history(ask).await?;
    let (records, next) = page(found.records, limit, |record| Time(record.at));
    let rows = records.into_iter().map(RecordAnswer::from);
    let end = PageEnd::new(next, found.stale_since);
    pieces::answer(Rows::of(&Nothing {}, "history", rows, &end)?).await
}
