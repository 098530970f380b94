//! The state of the orchestrator and of the fleet. The probes ask no actor, so that they answer at
//! once.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::http::header;
use actix_web::web::{self, Data, Json};
use actix_web::{HttpRequest, HttpResponse};
use log::error;
use prometheus_client::registry::Registry;
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;

use super::answer::{Seconds, Time, Told, seconds};
use super::cluster_figures::ClusterFigures;
use super::exposition::Exposition;
use super::own_figures;
use super::problem::Problem;
use super::socket::Encryption;
use super::state::{AppState, Load};
use crate::actors::leadership::ClusterView;
use crate::actors::refusal::Refusal;
use crate::domain::instance::InstanceStatus;
use crate::domain::queries::Totals;
use crate::domain::stream::StreamState;
use crate::domain::time::WallTime;

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProbeAnswer)]
pub(super) struct HealthAnswer {
    status: &'static str,
    timestamp: Time,
    database: &'static str,
    version: &'static str,
}

/// `GET /health`: while it is answered, heartbeats are answered too.
pub(super) async fn health(state: Data<AppState>) -> Json<HealthAnswer> {
    Json(HealthAnswer {
        status: "healthy",
        timestamp: Time(state.orchestrator().clock().wall()),
        database: database(&state),
        version: env!("CARGO_PKG_VERSION"),
    })
}

fn database(state: &AppState) -> &'static str {
    if state.orchestrator().store_gate().is_up() {
        "available"
    } else {
        "unavailable"
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReadyAnswer {
    status: &'static str,
    timestamp: Time,
    services: Services,
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting_since: Option<Time>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Services {
    fleet: &'static str,
    database: &'static str,
}

/// Returns the answer of `GET /ready` before the fleet is loaded.
pub(super) fn not_ready_yet(
    now: WallTime,
    has_database: bool,
    waiting_since: WallTime,
    retry_after: u64,
) -> HttpResponse {
    HttpResponse::ServiceUnavailable()
        .insert_header((header::RETRY_AFTER, retry_after))
        .json(ReadyAnswer {
            status: "not_ready",
            timestamp: Time(now),
            services: Services {
                fleet: "unavailable",
                database: if has_database {
                    "available"
                } else {
                    "unavailable"
                },
            },
            waiting_since: Some(Time(waiting_since)),
        })
}

/// `GET /ready`
pub(super) async fn ready(state: Data<AppState>) -> HttpResponse {
    let is_ready = state.readiness().is_ready();
    let (mut response, status, fleet) = if is_ready {
        (HttpResponse::Ok(), "ready", "available")
    } else {
        (
            HttpResponse::ServiceUnavailable(),
            "not_ready",
            "unavailable",
        )
    };
    if !is_ready {
        response.insert_header((header::RETRY_AFTER, "1"));
    }
    response.json(ReadyAnswer {
        status,
        timestamp: Time(state.orchestrator().clock().wall()),
        services: Services {
            fleet,
            database: database(&state),
        },
        waiting_since: None,
    })
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LiveAnswer {
    status: &'static str,
}

/// `GET /livez`
pub(super) async fn livez() -> Json<LiveAnswer> {
    Json(LiveAnswer { status: "alive" })
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TotalsAnswer)]
pub(super) struct StatusAnswer {
    orchestrator_status: &'static str,
    instances: InstanceTotals,
    streams: StreamTotals,
    moves: MoveTotals,
    load_percentage: f64,
    timestamp: Time,
    heartbeat_config: HeartbeatConfig,
}

#[derive(Debug, Serialize, ToSchema)]
struct InstanceTotals {
    total: usize,
    active: usize,
    total_capacity: u64,
    current_load: u64,
    by_status: BTreeMap<InstanceStatus, usize>,
}

#[derive(Debug, Serialize, ToSchema)]
struct StreamTotals {
    assigned: usize,
    available: usize,
    /// Streams that should run: owned and waiting ones.
    total: usize,
    /// Streams that should not run; `total` leaves them out.
    disabled: usize,
    /// Streams that an instance owns; classic clients call them `assigned`.
    owned: usize,
    /// Owned streams whose owner runs them: its lease is not over or, if it is classic, it has not
    /// failed.
    running: usize,
    /// Streams that should run and have no owner; classic clients call them `available`.
    waiting: usize,
    /// Those of them that are kept away from the fleet, because their owners failed.
    quarantined: usize,
    by_state: BTreeMap<StreamState, usize>,
}

/// Planned moves under way, and those that were accepted and did not happen.
#[derive(Debug, Serialize, ToSchema)]
struct MoveTotals {
    under_way: usize,
    releasing: usize,
    overlapping: usize,
    given_up: usize,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HeartbeatLimits)]
struct HeartbeatConfig {
    interval_seconds: Seconds,
    warning_threshold_seconds: Seconds,
    timeout_seconds: Seconds,
    emergency_threshold_seconds: Seconds,
    lease_seconds: Seconds,
    max_missed_heartbeats: u32,
}

/// `GET /status`
pub(super) async fn status(state: Data<AppState>) -> Result<Json<Told<StatusAnswer>>, Problem> {
    let _permit = state.admit(Load::Read)?;
    let totals = state.orchestrator().totals().await?;
    Ok(Json(state.told(status_answer(&state, &totals))))
}

/// Returns the totals as answers show them.
pub(super) fn status_answer(state: &AppState, totals: &Totals) -> StatusAnswer {
    let settings = state.settings();
    StatusAnswer {
        orchestrator_status: "active",
        instances: InstanceTotals {
            total: totals.instances,
            active: totals.active_instances(),
            total_capacity: totals.total_capacity,
            current_load: totals.current_load,
            by_status: totals.by_status.clone(),
        },
        streams: StreamTotals {
            assigned: totals.streams_assigned(),
            available: totals.streams_available(),
            total: totals.streams_enabled(),
            disabled: totals.streams.disabled,
            owned: totals.streams.owned,
            running: totals.streams.running,
            waiting: totals.streams.waiting(),
            quarantined: totals.streams.quarantined,
            by_state: totals.by_state.clone(),
        },
        moves: MoveTotals {
            under_way: totals.moves.under_way(),
            releasing: totals.moves.releasing,
            overlapping: totals.moves.overlapping,
            given_up: totals.moves.given_up,
        },
        load_percentage: totals.load_percentage,
        timestamp: Time(state.orchestrator().clock().wall()),
        heartbeat_config: HeartbeatConfig {
            interval_seconds: seconds(settings.worker_limits.heartbeat_interval),
            warning_threshold_seconds: seconds(settings.thresholds.warning),
            timeout_seconds: seconds(settings.thresholds.timeout),
            emergency_threshold_seconds: seconds(settings.thresholds.emergency),
            lease_seconds: seconds(settings.worker_limits.lease),
            max_missed_heartbeats: settings.max_missed_heartbeats,
        },
    }
}

/// The longest wait of a scrape for the figures of the fleet: Prometheus gives up after 10 s.
const FIGURES_WAIT_LIMIT: Duration = Duration::from_secs(1);

/// Returns the figures of the fleet, unless the FleetActor does not answer in time.
async fn in_time<T>(figures: impl Future<Output = Result<T, Refusal>>) -> Option<T> {
    let answer = timeout(FIGURES_WAIT_LIMIT, figures).await;
    answer.ok().and_then(Result::ok)
}

/// `GET /metrics`: of the fleet while it is loaded, else only of this process. It is answered under any load:
/// without the newest figures of the fleet it shows those of the last scrape, and a gauge says so.
pub(super) async fn metrics(
    state: Option<Data<AppState>>,
    view: Data<ClusterView>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let format = Exposition::wanted_by(&request);
    let Some(state) = state else {
        let mut registry = Registry::default();
        let cluster = ClusterFigures::new(view.get_ref().clone(), None);
        own_figures::register(&mut registry, cluster);
        if let Some(encryption) = request.app_data::<Data<Encryption>>() {
            own_figures::register_tls(&mut registry, encryption.clone().into_inner());
        }
        return written(format, &registry);
    };
    let orchestrator = state.orchestrator();
    let totals = in_time(async {
        let _turn = state.turn_to_scrape().await;
        orchestrator.totals().await
    });
    let totals = totals.await;
    let gauges = state.gauges();
    gauges.show_complete(totals.is_some());
    if let Some(totals) = totals {
        gauges.show(&totals);
    }
    gauges.show_polls(state.polls_waiting());
    gauges.show_ready(state.readiness().is_ready());
    let now = orchestrator.clock().now();
    orchestrator.telemetry().count_unowned(now);
    if !state.settings().metrics_per_instance {
        return written(format, state.registry());
    }
    // Long texts are written on another thread, so that no heartbeat waits for them.
    let shared = state.clone();
    web::block(move || text(format, shared.registry()))
        .await
        .map_err(|_| Problem::internal())?
        .map(|text| answer(format, text))
}

fn written(format: Exposition, registry: &Registry) -> Result<HttpResponse, Problem> {
    text(format, registry).map(|text| answer(format, text))
}

fn text(format: Exposition, registry: &Registry) -> Result<String, Problem> {
    format.write(registry).map_err(|error| {
        error!(error:%; "the metrics could not be written");
        Problem::internal()
    })
}

fn answer(format: Exposition, text: String) -> HttpResponse {
    let mut answer = HttpResponse::Ok();
    answer.content_type(format.content_type()).body(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_web::test]
    async fn a_scrape_does_not_wait_for_a_fleet_that_does_not_answer() {
        tokio::time::pause();
        let never = std::future::pending::<Result<u8, Refusal>>();
        let answer = timeout(2 * FIGURES_WAIT_LIMIT, in_time(never)).await;
        assert_eq!(answer, Ok(None));
        assert_eq!(
            in_time(async { Err::<u8, _>(Refusal::ShuttingDown) }).await,
            None
        );
        assert_eq!(in_time(async { Ok(7) }).await, Some(7));
    }
}
