//! The routes of incidents and consistency.

use actix_web::web::{Data, Json};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::{PageEnd, Time, Told, in_milliseconds, milliseconds};
use super::params;
use super::pieces::{self, Nothing, Rows};
use super::problem::Problem;
use super::requests::{IncidentsQuery, read_query};
use super::state::{AppState, Load};
use super::streams::Found;
use crate::actors::refusal::Refusal;
use crate::clock::Clock;
use crate::domain::consistency::{Consistency, Incomparable};
use crate::domain::ids::{Epoch, Incarnation, IncidentId, InstanceId, StreamId};
use crate::domain::incident::{
    FailureCause, Incident, IncidentFilter, IncidentOutcome, IncidentState, StepName, StepRecord,
    StepResult,
};
use crate::domain::incident_story::IncidentStory;
use crate::domain::invariants::{Check, Invariant};

/// How many incidents a page has by default.
const DEFAULT_LIMIT: u32 = 100;

/// How many moves the answer about one incident shows; `GET /resilience/events?incident=` has all.
const MOST_MOVES: usize = 1_000;

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ConsistencyAnswer {
    /// Null if no check failed, and not everything could be checked.
    consistent: Option<bool>,
    checks: Vec<CheckAnswer>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InvariantCheck)]
struct CheckAnswer {
    invariant: Invariant,
    demands: &'static str,
    /// Null if it could not be checked.
    holds: Option<bool>,
    violations: Vec<String>,
    /// Why it could not be checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown_because: Option<String>,
}

impl CheckAnswer {
    fn of(check: Check) -> Self {
        Self {
            invariant: check.invariant,
            demands: check.invariant.text(),
            holds: Some(check.holds),
            violations: check.violations,
            unknown_because: None,
        }
    }

    fn unknown(invariant: Invariant, reason: Incomparable) -> Self {
        Self {
            invariant,
            demands: invariant.text(),
            holds: None,
            violations: Vec::new(),
            unknown_because: Some(reason.to_string()),
        }
    }
}

/// `GET /resilience/consistency`
pub(super) async fn consistency(
    state: Data<AppState>,
) -> Result<Json<Told<ConsistencyAnswer>>, Problem> {
    let _permit = state.admit(Load::Check)?;
    let found = state.orchestrator().consistency().await?;
    let consistent = found.verdict();
    let Consistency { fleet, store } = found;
    let mut checks: Vec<CheckAnswer> = fleet.into_iter().map(CheckAnswer::of).collect();
    checks.push(match store {
        Ok(check) => CheckAnswer::of(check),
        Err(reason) => CheckAnswer::unknown(Invariant::MemoryEqualsStore, reason),
    });
    Ok(Json(state.told(ConsistencyAnswer { consistent, checks })))
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct IncidentAnswer {
    id: IncidentId,
    server_id: InstanceId,
    incarnation: Incarnation,
    state: IncidentState,
    cause: FailureCause,
    detected_at: Time,
    ended_at: Option<Time>,
    duration_ms: Option<u64>,
    outcome: Option<IncidentOutcome>,
    streams_affected: u32,
    streams_moved: u32,
    streams_orphaned: u32,
    attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// False if the order came without a reason, and `reason` is a stand-in.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason_given: Option<bool>,
    escalated_at: Option<Time>,
    /// Left out of lists; `GET /resilience/incidents/{id}` has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<Vec<StepAnswer>>,
    /// As `steps`: the whole chain, from the last heartbeat on.
    #[serde(skip_serializing_if = "Option::is_none", flatten)]
    #[schema(ignore)]
    chain: Option<ChainAnswer>,
}

/// The whole chain of a recovery.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChainAnswer {
    last_heartbeat: Option<Time>,
    /// Null if the events could not be read.
    story: Option<Vec<ChapterAnswer>>,
    moves: Option<Vec<MoveAnswer>>,
    /// How many moves are not in the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    moves_left_out: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown_because: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct ChapterAnswer {
    at: Time,
    what: &'static str,
    text: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct MoveAnswer {
    stream: StreamId,
    at: Time,
    from: InstanceId,
    from_epoch: Option<Epoch>,
    to: Option<InstanceId>,
    epoch: Option<Epoch>,
    /// When the worker of the new owner had heard of it.
    heard_at: Option<Time>,
}

impl ChainAnswer {
    fn of(incident: &Incident, story: Result<IncidentStory, Refusal>) -> Self {
        let story = match story {
            Ok(story) => story,
            Err(refusal) => {
                return Self {
                    last_heartbeat: None,
                    story: None,
                    moves: None,
                    moves_left_out: None,
                    unknown_because: Some(refusal.to_string()),
                };
            }
        };
        let left_out = story.moves.len().saturating_sub(MOST_MOVES);
        let chapters = story.chapters.into_iter().map(|chapter| ChapterAnswer {
            at: Time(chapter.at),
            what: chapter.what,
            text: chapter.text,
        });
        let moves = story.moves.into_iter().take(MOST_MOVES);
        let moves = moves.map(|one| MoveAnswer {
            stream: one.stream,
            at: Time(one.at),
            from: incident.instance.clone(),
            from_epoch: one.from_epoch,
            to: one.to,
            epoch: one.epoch,
            heard_at: one.heard_at.map(Time),
        });
        Self {
            last_heartbeat: story.last_heartbeat.map(Time),
            story: Some(chapters.collect()),
            moves: Some(moves.collect()),
            moves_left_out: (left_out > 0).then_some(left_out),
            unknown_because: None,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RecoveryStep)]
struct StepAnswer {
    name: StepName,
    status: StepResult,
    attempt: u32,
    started_at: Time,
    duration_ms: f64,
    detail: String,
}

impl StepAnswer {
    fn of(step: StepRecord) -> Self {
        Self {
            name: step.name,
            status: step.result,
            attempt: step.attempt,
            started_at: Time(step.started_at),
            duration_ms: in_milliseconds(step.duration_us),
            detail: step.detail,
        }
    }
}

impl IncidentAnswer {
    fn whole(mut incident: Incident, story: Result<IncidentStory, Refusal>, clock: &Clock) -> Self {
        let chain = ChainAnswer::of(&incident, story);
        let steps = std::mem::take(&mut incident.steps);
        Self {
            steps: Some(steps.into_iter().map(StepAnswer::of).collect()),
            chain: Some(chain),
            ..Self::of(incident, clock)
        }
    }

    fn of(incident: Incident, clock: &Clock) -> Self {
        let ended_at = incident.ended_at;
        let duration = ended_at.map(|end| clock.between(incident.detected_at, end));
        Self {
            id: incident.id,
            incarnation: incident.incarnation,
            state: incident.state(),
            cause: incident.cause,
            detected_at: Time(incident.detected_at),
            ended_at: incident.ended_at.map(Time),
            duration_ms: duration.map(milliseconds),
            outcome: incident.outcome,
            streams_affected: incident.streams_affected,
            streams_moved: incident.streams_moved,
            streams_orphaned: incident.streams_orphaned,
            attempts: incident.attempts,
            reason_given: incident.reason.as_ref().map(|reason| reason.is_given),
            reason: incident.reason.map(|reason| reason.text),
            escalated_at: incident.escalated_at.map(Time),
            steps: None,
            chain: None,
            server_id: incident.instance,
        }
    }
}

/// `GET /resilience/incidents`
pub(super) async fn incidents(
    state: Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let query: IncidentsQuery = read_query(&request)?;
    let _permit = state.admit(Load::List)?;
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    let filter = IncidentFilter::from(query);
    let archive = state.orchestrator().archive();
    let page = archive.incident_page(&filter, limit).await?;
    let stale_since = state.stale_since();
    let last = page.incidents.last().filter(|_| page.more);
    let next = last.map(|incident| incident.id);
    let clock = state.orchestrator().clock().clone();
    let rows = page
        .incidents
        .into_iter()
        .map(move |incident| IncidentAnswer::of(incident, &clock));
    let end = PageEnd::new(next, stale_since);
    pieces::answer(Rows::of(&Nothing {}, "incidents", rows, &end)?).await
}

/// `GET /resilience/incidents/{id}`
pub(super) async fn incident(
    state: Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let id = IncidentId::new(params::number(&request, "id")?);
    let _permit = state.admit(Load::List)?;
    let found = state.orchestrator().archive().incident(id).await?;
    let incident = found.ok_or_else(|| Problem::unknown_incident(id))?;
    let story = state
        .orchestrator()
        .archive()
        .incident_story(&incident)
        .await;
    Ok(HttpResponse::Ok().json(state.told(Found {
        status: "success",
        data: IncidentAnswer::whole(incident, story, state.orchestrator().clock()),
    })))
}
