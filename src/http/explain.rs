//! Why a stream is where it is, and why an instance gets streams or does not.

use actix_web::HttpRequest;
use actix_web::web::{Data, Json};
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::{Time, Told, rounded};
use super::params;
use super::problem::Problem;
use super::state::{AppState, Load};
use crate::actors::orchestrator::Orchestrator;
use crate::actors::refusal::Refusal;
use crate::domain::commands::Rejection;
use crate::domain::event_filter::{EventFilter, EventOrder};
use crate::domain::events::{DatedEvent, Event};
use crate::domain::explain::{Candidate, Placed, ShownScore};
use crate::domain::ids::{Epoch, InstanceId, StreamId};
use crate::domain::placement::{Exclusion, PlacementPolicy, Strain};
use crate::domain::queries::{ExplainInstance, ExplainStream, InstanceExplained, StreamExplained};
use crate::domain::stream::{Place, StreamState};

/// How many steps of its way an answer shows.
const MOST_STEPS: u32 = 50;

/// The events that change the owner of a stream.
const STEPS: [&str; 4] = [
    "stream_assigned",
    "stream_orphaned",
    "stream_released",
    "stream_withdrawn",
];

#[derive(Debug, Serialize, ToSchema)]
struct ScoreAnswer {
    /// `held` over `limit`.
    load: f64,
    held: u32,
    limit: u32,
    streams: u32,
    strain: Strain,
    /// The policy that the instance was scored by.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<PlacementPolicy>,
}

impl From<ShownScore> for ScoreAnswer {
    fn from(score: ShownScore) -> Self {
        Self {
            load: f64::from(score.held) / f64::from(score.limit.max(1)),
            held: score.held,
            limit: score.limit,
            streams: score.streams,
            strain: score.strain,
            policy: score.policy,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
struct CandidateAnswer {
    server_id: InstanceId,
    chosen: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    rank: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<ScoreAnswer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    excluded_by: Option<Exclusion>,
}

impl From<Candidate> for CandidateAnswer {
    fn from(candidate: Candidate) -> Self {
        Self {
            server_id: candidate.server_id,
            chosen: candidate.chosen,
            rank: candidate.rank,
            score: candidate.score.map(ScoreAnswer::from),
            excluded_by: candidate.excluded_by,
        }
    }
}

fn candidates(of: Vec<Candidate>) -> Vec<CandidateAnswer> {
    of.into_iter().map(CandidateAnswer::from).collect()
}

#[derive(Debug, Serialize, ToSchema)]
struct PlacedAnswer {
    at: Time,
    reason: &'static str,
    candidates: Vec<CandidateAnswer>,
}

impl From<Placed> for PlacedAnswer {
    fn from(placed: Placed) -> Self {
        Self {
            at: Time(placed.at),
            reason: placed.reason.as_str(),
            candidates: candidates(placed.candidates),
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
struct NowAnswer {
    /// The instance that it would go to if it had to go.
    #[serde(skip_serializing_if = "Option::is_none")]
    best: Option<InstanceId>,
    candidates: Vec<CandidateAnswer>,
    would_move: bool,
    because: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlacementStep)]
struct StepAnswer {
    at: Time,
    from: Option<InstanceId>,
    to: Option<InstanceId>,
    reason: &'static str,
    epoch: Option<Epoch>,
}

impl StepAnswer {
    /// Returns the step that an event was; `None` if it changed no owner.
    fn of(dated: DatedEvent) -> Option<Self> {
        let at = Time(dated.at);
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "only these change the owner of a stream"
        )]
        let (from, to, reason, epoch) = match dated.event {
            Event::StreamAssigned {
                instance,
                epoch,
                reason,
                from,
                ..
            } => (from, Some(instance), reason.as_str(), Some(epoch)),
            Event::StreamOrphaned {
                from,
                epoch,
                reason,
                ..
            } => (Some(from), None, reason.as_str(), epoch),
            Event::StreamReleased {
                instance, epoch, ..
            } => (Some(instance), None, "released", Some(epoch)),
            Event::StreamWithdrawn {
                instance, epoch, ..
            } => (Some(instance), None, "withdrawn", Some(epoch)),
            _ => return None,
        };
        Some(Self {
            at,
            from,
            to,
            reason,
            epoch,
        })
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StreamExplanation {
    stream_id: StreamId,
    state: StreamState,
    server_id: Option<InstanceId>,
    epoch: Option<Epoch>,
    /// Since when it is there.
    since: Option<Time>,
    /// Why its owner was chosen; null if it has none, or if that is not kept.
    placed: Option<PlacedAnswer>,
    now: NowAnswer,
    /// Its way, newest first.
    history: Vec<StepAnswer>,
    /// Set if the database did not answer: `placed` and `history` are missing then.
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown_because: Option<String>,
}

/// `GET /streams/{id}/explain`
pub(super) async fn stream(
    state: Data<AppState>,
    request: HttpRequest,
) -> Result<Json<Told<StreamExplanation>>, Problem> {
    let id = params::stream_id(&request)?;
    let _permit = state.admit(Load::Check)?;
    let orchestrator = state.orchestrator();
    let found = orchestrator.ask(ExplainStream { id }).await?;
    let StreamExplained {
        stream,
        place,
        best,
        candidates: compared,
        would_move,
        because,
    } = found.ok_or(Rejection::UnknownStream(id))?;
    let (would_move, because) = match place.assignment() {
        Some(owned) if !would_move => balanced(orchestrator, id, &owned.instance, because).await?,
        _ => (would_move, because),
    };
    let kept = remembered(orchestrator, id, &place).await;
    let (kept, unknown_because) = match kept {
        Ok(kept) => (kept, None),
        Err(refusal) => ((None, Vec::new()), Some(refusal.to_string())),
    };
    let owned = place.assignment();
    let since = match &place {
        Place::Assigned(owned) => Some(owned.assigned_at),
        Place::Unclaimed { since, .. } | Place::Orphaned { since, .. } => Some(*since),
        Place::Disabled => None,
    };
    Ok(Json(state.told(StreamExplanation {
        stream_id: id,
        state: stream.state_at(&place),
        server_id: owned.map(|owned| owned.instance.clone()),
        epoch: owned.map(|owned| owned.epoch),
        since: since.map(Time),
        placed: kept.0.map(PlacedAnswer::from),
        now: NowAnswer {
            best,
            candidates: candidates(compared),
            would_move,
            because,
        },
        history: kept.1,
        unknown_because,
    })))
}

/// Returns whether a rebalance would move a stream from its owner, and why.
async fn balanced(
    orchestrator: &Orchestrator,
    id: StreamId,
    owner: &InstanceId,
    otherwise: String,
) -> Result<(bool, String), Refusal> {
    let report = orchestrator.balance().await?.report;
    let mut moves = report.plan.moves.iter();
    let planned = moves.find(|planned| planned.stream == id);
    Ok(match planned {
        Some(planned) => (
            true,
            format!(
                "A rebalance would move it from `{owner}` to `{}`.",
                planned.to
            ),
        ),
        None => (false, otherwise),
    })
}

/// What the store has of a stream: why its owner was chosen, and its way, newest first.
async fn remembered(
    orchestrator: &Orchestrator,
    id: StreamId,
    place: &Place,
) -> Result<(Option<Placed>, Vec<StepAnswer>), Refusal> {
    let archive = orchestrator.archive();
    let placing = match place.assignment() {
        Some(owned) => archive.placing(&owned.instance, owned.epoch).await?,
        None => None,
    };
    let filter = EventFilter {
        order: EventOrder::Descending,
        stream: Some(id),
        kinds: STEPS.to_vec(),
        ..EventFilter::default()
    };
    let steps = archive.find_events(filter, MOST_STEPS).await?;
    let steps = steps.into_iter();
    let steps = steps.filter_map(|stored| StepAnswer::of(stored.event));
    Ok((placing.map(|placing| placing.placed), steps.collect()))
}

#[derive(Debug, Serialize, ToSchema)]
struct BalanceAnswer {
    /// Its part of the whole weight by its limit; null if it takes no streams.
    fair_share: Option<f64>,
    /// The weight of the streams it owns.
    assigned: u64,
    /// Streams that a rebalance would move away from it.
    would_give: Vec<StreamId>,
    /// Streams that a rebalance would move to it.
    would_get: Vec<StreamId>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct InstanceExplanation {
    server_id: InstanceId,
    takes_streams: bool,
    because: String,
    /// Streams without an owner that it could have.
    waiting_it_could_take: Vec<StreamId>,
    balance: BalanceAnswer,
}

/// `GET /instances/{server_id}/explain`
pub(super) async fn instance(
    state: Data<AppState>,
    request: HttpRequest,
) -> Result<Json<Told<InstanceExplanation>>, Problem> {
    let id = params::server_id(&request)?;
    let _permit = state.admit(Load::Check)?;
    let question = ExplainInstance { id: id.clone() };
    let found = state.orchestrator().ask(question).await?;
    let InstanceExplained {
        takes_streams,
        because,
        waiting,
        assigned,
    } = found.ok_or_else(|| Rejection::UnknownInstance(id.clone()))?;
    let report = state.orchestrator().balance().await?.report;
    let of_it = report.instances.iter().find(|one| one.id == id);
    let moves = || report.plan.moves.iter();
    let would_give = moves().filter(|planned| planned.from == id);
    let would_get = moves().filter(|planned| planned.to == id);
    Ok(Json(state.told(InstanceExplanation {
        balance: BalanceAnswer {
            fair_share: of_it.and_then(|one| one.fair_share).map(rounded),
            assigned,
            would_give: would_give.map(|planned| planned.stream).collect(),
            would_get: would_get.map(|planned| planned.stream).collect(),
        },
        server_id: id,
        takes_streams,
        because,
        waiting_it_could_take: waiting,
    })))
}
