//! The balance of the fleet.

use std::collections::BTreeSet;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::{Time, Told, list, milliseconds, rounded};
use super::pieces::{self, Nothing, Rows};
use super::problem::Problem;
use super::requests::{RebalanceQuery, read_query};
use super::state::{AppState, Load};
use crate::actors::balance::{OrderRebalance, Rebalanced};
use crate::actors::orchestrator::Orchestrator;
use crate::domain::balance::{BalanceMove, BalanceStatistics, BalanceStats, InstanceBalance};
use crate::domain::handover::MoveProgress;
use crate::domain::ids::{InstanceId, StreamId};
use crate::domain::reason::{RebalanceMethod, RebalanceReason};

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BalanceCheck)]
pub(super) struct CheckAnswer {
    status: &'static str,
    consistent: bool,
    needs_rebalancing: bool,
    reason: String,
    statistics: CheckStatistics,
    moves_under_way: usize,
    instances: Vec<InstanceLine>,
}

/// Over the instances that take streams, like the fair shares.
#[derive(Debug, Serialize, ToSchema)]
struct CheckStatistics {
    total_instances: usize,
    total_streams: u64,
    average_streams_per_instance: f64,
    max_streams_per_instance: u32,
    min_streams_per_instance: u32,
    stream_difference: u32,
    max_load_factor: f64,
    min_load_factor: f64,
    load_imbalance: f64,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BalancedInstance)]
struct InstanceLine {
    server_id: InstanceId,
    current_streams: u32,
    max_streams: u32,
    load_factor: f64,
    /// What the machine has left by its last report, else by its load: 0 to 1.
    performance_score: f64,
    available_capacity: u32,
    /// None for an instance that takes no streams.
    fair_share: Option<f64>,
}

impl InstanceLine {
    fn of(instance: &InstanceBalance, orchestrator: &Orchestrator) -> Self {
        let entry = orchestrator.registry().get(&instance.id);
        let reading = entry.map(|entry| entry.reading(orchestrator.clock().now()));
        let busiest = reading.and_then(|reading| {
            let used = [reading.cpu, reading.memory].into_iter().flatten();
            used.map(f64::from).reduce(f64::max)
        });
        let used = busiest.map_or(instance.load(), |percent| percent / 100.0);
        Self {
            server_id: instance.id.clone(),
            current_streams: instance.streams,
            max_streams: instance.max_streams,
            load_factor: rounded(instance.load()),
            performance_score: rounded((1.0 - used).clamp(0.0, 1.0)),
            available_capacity: instance.free,
            fair_share: instance.fair_share.map(rounded),
        }
    }
}

impl From<BalanceStatistics> for CheckStatistics {
    fn from(found: BalanceStatistics) -> Self {
        Self {
            total_instances: found.instances,
            total_streams: found.streams,
            average_streams_per_instance: rounded(found.average_streams()),
            max_streams_per_instance: found.most_streams,
            min_streams_per_instance: found.fewest_streams,
            stream_difference: found.most_streams - found.fewest_streams,
            max_load_factor: rounded(found.highest_load),
            min_load_factor: rounded(found.lowest_load),
            load_imbalance: rounded(found.highest_load - found.lowest_load),
        }
    }
}

/// `GET /rebalance/check`
pub(super) async fn check(state: Data<AppState>) -> Result<HttpResponse, Problem> {
    let _permit = state.admit(Load::Check)?;
    let balance = state.orchestrator().balance().await?;
    let report = balance.report;
    let rows = report.instances.len();
    let told = state.stale_since();
    let orchestrator = state.orchestrator().clone();
    list(rows, move || {
        let answer = CheckAnswer {
            status: "success",
            consistent: balance.is_consistent,
            needs_rebalancing: report.needs_moves(),
            reason: report.reason(),
            statistics: report.statistics().into(),
            moves_under_way: balance.under_way,
            instances: report
                .instances
                .iter()
                .map(|instance| InstanceLine::of(instance, &orchestrator))
                .collect(),
        };
        Told::new(answer, told)
    })
    .await
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RebalanceAnswer {
    status: &'static str,
    method: RebalanceMethod,
    reason: RebalanceReason,
    message: String,
    streams_moved: usize,
    instances_affected: usize,
    execution_time_ms: u64,
    migrations: usize,
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dry_run: Option<bool>,
    moves_under_way: usize,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BalanceMove)]
pub(super) struct MoveLine {
    stream_id: StreamId,
    from: InstanceId,
    to: InstanceId,
    reason: &'static str,
    progress: &'static str,
}

impl MoveLine {
    fn of((planned, progress): (BalanceMove, Option<MoveProgress>)) -> Self {
        Self {
            stream_id: planned.stream,
            from: planned.from,
            to: planned.to,
            reason: planned.reason.as_str(),
            progress: match progress {
                None => "planned",
                Some(MoveProgress::Moved) => "moved",
                Some(MoveProgress::Releasing) => "releasing",
                Some(MoveProgress::Overlapping) => "overlapping",
                Some(MoveProgress::Unchanged) => "unchanged",
            },
        }
    }
}

/// `POST /rebalance/smart`
pub(super) async fn smart(
    request: HttpRequest,
    state: Data<AppState>,
) -> Result<HttpResponse, Problem> {
    order(&request, &state, RebalanceMethod::Smart).await
}

/// `POST /rebalance/basic`
pub(super) async fn basic(
    request: HttpRequest,
    state: Data<AppState>,
) -> Result<HttpResponse, Problem> {
    order(&request, &state, RebalanceMethod::Basic).await
}

async fn order(
    request: &HttpRequest,
    state: &AppState,
    method: RebalanceMethod,
) -> Result<HttpResponse, Problem> {
    let query: RebalanceQuery = read_query(request)?;
    let _permit = state.admit(Load::Write)?;
    let is_dry_run = query.dry_run.unwrap_or_default();
    let reason = query.reason.unwrap_or(RebalanceReason::Manual);
    let ordered = OrderRebalance {
        method,
        reason,
        is_dry_run,
    };
    let done = state.orchestrator().rebalance(ordered).await?;
    let head = RebalanceAnswer {
        status: "completed",
        method,
        reason,
        message: message(&done, is_dry_run),
        streams_moved: done.begun,
        instances_affected: instances(&done),
        execution_time_ms: milliseconds(done.took),
        migrations: done.begun,
        error: None,
        dry_run: is_dry_run.then_some(true),
        moves_under_way: done.under_way,
    };
    let rows = done.moves.into_iter().map(MoveLine::of);
    pieces::answer(Rows::of(&head, "moves", rows, &Nothing {})?).await
}

/// The instances that give or get a stream by this order, or would.
fn instances(done: &Rebalanced) -> usize {
    let ends = done
        .moves
        .iter()
        .flat_map(|(planned, _)| [&planned.from, &planned.to]);
    ends.collect::<BTreeSet<&InstanceId>>().len()
}

fn message(done: &Rebalanced, is_dry_run: bool) -> String {
    let planned = done.moves.len();
    let streams = |count: usize| match count {
        1 => "1 stream".to_owned(),
        many => format!("{many} streams"),
    };
    if planned == 0 {
        let under_way = match done.under_way {
            0 => String::new(),
            moves => format!(" Moves under way: {moves}."),
        };
        return format!("Nothing to do. {}{under_way}", done.report.reason());
    }
    if is_dry_run {
        return format!("Dry run: {} would move.", streams(planned));
    }
    match planned - done.begun {
        0 => format!("{} began to move.", streams(done.begun)),
        waiting => format!(
            "{} began to move; {} wait for their turn (MAX_MOVES_PER_TARGET, MAX_CONCURRENT_MOVES).",
            streams(done.begun),
            streams(waiting)
        ),
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StatsAnswer {
    status: &'static str,
    statistics: Statistics,
}

#[derive(Debug, Serialize, ToSchema)]
struct Statistics {
    total_rebalances: u64,
    successful_rebalances: u64,
    total_streams_moved: u64,
    average_execution_time_ms: f64,
    last_rebalance: Option<Time>,
    success_rate: f64,
    moves_given_up: u64,
    moves_dropped: u64,
}

/// `GET /rebalance/stats`
pub(super) async fn stats(
    state: Data<AppState>,
) -> Result<actix_web::web::Json<StatsAnswer>, Problem> {
    let _permit = state.admit(Load::Read)?;
    let stats: BalanceStats = state.orchestrator().balance_stats().await?;
    Ok(actix_web::web::Json(StatsAnswer {
        status: "success",
        statistics: Statistics {
            total_rebalances: stats.begun,
            successful_rebalances: stats.successful,
            total_streams_moved: stats.moved,
            average_execution_time_ms: rounded(stats.average_ms()),
            last_rebalance: stats.last.map(Time),
            success_rate: rounded(stats.success_rate()),
            moves_given_up: stats.given_up,
            moves_dropped: stats.dropped,
        },
    }))
}
