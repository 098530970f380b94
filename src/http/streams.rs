//! The catalogue of streams.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::web::{Data, Json};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::Time;
use super::body::Body;
use super::params;
use super::pieces::{self, Nothing, Onward, Part, Parts, Rows, Walk, closing, json, opening};
use super::problem::Problem;
use super::quarantine::QuarantineAnswer;
use super::requests::{
    DryRunQuery, SaveRequest, StreamQuery, StreamsQuery, VerifyRequest, read_query,
};
use super::shown_url::{ShownUrl, Urls};
use super::state::{AppState, Load};
use crate::actors::orchestrator::Orchestrator;
use crate::actors::telemetry::ClaimKind;
use crate::domain::commands::{DeleteStream, Rejection, SaveStreams};
use crate::domain::handover::{Handover, HandoverKind, HandoverMode};
use crate::domain::ids::{Epoch, InstanceId, StreamId};
use crate::domain::queries::{
    Judgement, Page, Rest, StreamDetail, StreamFilter, StreamLine, StreamList, VerifyClaims,
};
use crate::domain::returns::Returns;
use crate::domain::stream::{Place, StreamState};
use crate::domain::time::WallTime;

/// How many streams a page has that does not say.
const DEFAULT_PAGE: usize = 1_000;

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SaveAnswer {
    status: &'static str,
    /// Set if nothing was saved: the counts say what would be.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dry_run: bool,
    created: usize,
    updated: usize,
    unchanged: usize,
    /// In the order of the request.
    ids: Vec<StreamId>,
}

/// `POST /streams`
pub(super) async fn save(
    state: Data<AppState>,
    request: HttpRequest,
    body: Body,
) -> Result<Json<SaveAnswer>, Problem> {
    let dry_run = read_query::<DryRunQuery>(&request)?.is_asked();
    let _permit = state.admit(Load::Write)?;
    let command = SaveStreams::from(body.read::<SaveRequest>().await?);
    let saved = state
        .orchestrator()
        .execute_or_try(command, dry_run)
        .await?;
    Ok(Json(SaveAnswer {
        status: if dry_run { "checked" } else { "saved" },
        dry_run,
        created: saved.created,
        updated: saved.updated,
        unchanged: saved.unchanged,
        ids: saved.ids,
    }))
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ClaimAnswer {
    stream_id: StreamId,
    epoch: Epoch,
    current: bool,
    current_epoch: Option<Epoch>,
    server_id: Option<InstanceId>,
}

impl ClaimAnswer {
    fn of(judgement: Judgement) -> Self {
        let current = judgement.is_current();
        let (current_epoch, server_id) = judgement.current.unzip();
        Self {
            stream_id: judgement.claim.stream,
            epoch: judgement.claim.epoch,
            current,
            current_epoch,
            server_id,
        }
    }
}

/// `POST /streams/verify`
pub(super) async fn verify(state: Data<AppState>, body: Body) -> Result<HttpResponse, Problem> {
    let _permit = state.admit(Load::Read)?;
    let question = VerifyClaims::from(body.read::<VerifyRequest>().await?);
    let judgements = state.orchestrator().ask(question).await?;
    let stale = judgements.iter().filter(|judged| judged.is_duplicate());
    let (kind, stale) = (ClaimKind::Stale, stale.count() as u64);
    state.orchestrator().telemetry().count_claims(kind, stale);
    let rows = judgements.into_iter().map(ClaimAnswer::of);
    pieces::answer(Rows::of(&Nothing {}, "claims", rows, &Nothing {})?).await
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StreamAnswer {
    id: StreamId,
    name: Arc<str>,
    url: Option<ShownUrl>,
    labels: BTreeMap<String, String>,
    priority: i32,
    enabled: bool,
    created_at: Time,
    state: StreamState,
    server_id: Option<InstanceId>,
    epoch: Option<Epoch>,
    assigned_at: Option<Time>,
    delivered: Option<bool>,
    /// Whether its owner runs it: its lease is not over, or it is classic and has not failed.
    running: bool,
    /// Why it is assigned, or has no owner.
    reason: Option<&'static str>,
    /// Since when it has no owner.
    waiting_since: Option<Time>,
    handoff: HandoverMode,
    weight: u32,
    requires: BTreeMap<String, String>,
    group: Option<Arc<str>>,
    pinned: Option<InstanceId>,
    /// The move that is under way, or was given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    handover: Option<HandoverAnswer>,
    /// Set if workers gave it back, and it has not run steadily since.
    #[serde(skip_serializing_if = "Option::is_none")]
    returned: Option<ReturnedAnswer>,
    /// Set if it is quarantined, or on trial.
    #[serde(skip_serializing_if = "Option::is_none")]
    quarantine: Option<QuarantineAnswer>,
}

#[derive(Debug, Serialize, ToSchema)]
struct ReturnedAnswer {
    /// How many returns in a row.
    times: u32,
    /// The workers that gave it back lately, the newest last.
    by: Vec<InstanceId>,
    last_at: Time,
    /// The last reason that was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Arc<str>>,
    /// Until when it is assigned to no instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    paused_until: Option<Time>,
}

impl ReturnedAnswer {
    fn of(returns: &Returns) -> Self {
        Self {
            times: returns.count,
            by: returns.workers.clone(),
            last_at: Time(returns.last_at),
            reason: returns.reason.clone(),
            paused_until: returns.retry_at.filter(|_| returns.is_paused()).map(Time),
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
struct HandoverAnswer {
    state: HandoverKind,
    since: Time,
    /// The instance that gets it once its owner has released it.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<InstanceId>,
    /// The instance that runs it until its owner does.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<InstanceId>,
}

impl HandoverAnswer {
    fn of(handover: &Handover) -> Self {
        let state = handover.kind();
        match handover {
            Handover::Releasing { then, since, .. } => Self {
                state,
                since: Time(*since),
                to: then.to().cloned(),
                from: None,
            },
            Handover::Overlapping { from, since, .. } => Self {
                state,
                since: Time(*since),
                to: None,
                from: Some(from.clone()),
            },
            Handover::GivenUp { since } => Self {
                state,
                since: Time(*since),
                to: None,
                from: None,
            },
        }
    }
}

impl StreamAnswer {
    fn of(line: StreamLine, urls: Urls, orchestrator: &Orchestrator) -> Self {
        let StreamLine { stream, place } = line;
        let assignment = place.assignment();
        let (reason, waiting_since) = match &place {
            Place::Assigned(assignment) => (Some(assignment.reason.as_str()), None),
            Place::Unclaimed { since, .. } => (None, Some(Time(*since))),
            Place::Orphaned { reason, since, .. } => (Some(reason.as_str()), Some(Time(*since))),
            Place::Disabled => (None, None),
        };
        Self {
            id: stream.id,
            name: stream.name.clone(),
            url: stream.url.clone().map(|url| urls.show(url)),
            labels: stream.labels.clone(),
            priority: stream.priority,
            enabled: stream.enabled,
            created_at: Time(stream.created_at),
            state: stream.state_at(&place),
            server_id: assignment.map(|assignment| assignment.instance.clone()),
            epoch: assignment.map(|assignment| assignment.epoch),
            assigned_at: assignment.map(|assignment| Time(assignment.assigned_at)),
            delivered: assignment.map(|assignment| assignment.delivered.is_some()),
            running: assignment.is_some_and(|owned| orchestrator.runs(&owned.instance)),
            reason,
            waiting_since,
            handoff: stream.handoff,
            weight: stream.weight,
            requires: stream.requires().cloned().unwrap_or_default(),
            group: stream.group().cloned(),
            pinned: stream.pinned().cloned(),
            handover: assignment
                .and_then(|assignment| assignment.handover.as_ref())
                .map(HandoverAnswer::of),
            returned: stream.returns.as_deref().map(ReturnedAnswer::of),
            quarantine: stream.suspicion.as_deref().and_then(QuarantineAnswer::of),
        }
    }
}

/// The end of a page of the catalogue: `next` is always there, null on the last.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CatalogueEnd {
    next: Option<StreamId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stale_since: Option<Time>,
}

/// Reads the catalogue part by part.
struct CatalogueParts {
    state: Data<AppState>,
    filter: StreamFilter,
    urls: Urls,
    stale_since: Option<WallTime>,
}

impl Parts for CatalogueParts {
    type Key = StreamId;
    type Line = StreamLine;

    async fn ask(
        &self,
        after: Option<StreamId>,
        most: usize,
    ) -> Result<Part<StreamLine, StreamId>, Problem> {
        let question = StreamList {
            after,
            most,
            filter: self.filter.clone(),
        };
        let found = self.state.orchestrator().ask(question).await?;
        let onward = match found.rest {
            Rest::None => Onward::End,
            Rest::More => Onward::More,
            Rest::After(id) => Onward::LookedUpTo(id),
        };
        let lines = found.items;
        Ok(Part { lines, onward })
    }

    fn key(&self, line: &StreamLine) -> StreamId {
        line.stream.id
    }

    fn row(&self, text: &mut Vec<u8>, line: StreamLine) -> Result<(), Problem> {
        json(
            text,
            &StreamAnswer::of(line, self.urls, self.state.orchestrator()),
        )
    }

    fn closing(&self, next: Option<StreamId>) -> Result<Vec<u8>, Problem> {
        closing(&CatalogueEnd {
            next,
            stale_since: self.stale_since.map(Time),
        })
    }
}

/// `GET /streams`
pub(super) async fn list(
    state: Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let query: StreamsQuery = read_query(&request)?;
    let _permit = state.admit(Load::List)?;
    let (after, limit) = (query.after, query.limit.unwrap_or(DEFAULT_PAGE));
    let parts = CatalogueParts {
        urls: query.urls.unwrap_or_default(),
        filter: query.into(),
        stale_since: state.stale_since(),
        state: state.clone(),
    };
    let opening = opening(&Nothing {}, "streams")?;
    pieces::answer(Walk::new(parts, opening, after, Some(limit))).await
}

/// Returns the `after` of the page that follows.
pub(super) fn next_of<T, K>(page: &Page<T>, key: impl Fn(&T) -> K) -> Option<K> {
    page.items.last().filter(|_| page.more).map(key)
}

#[derive(Debug, Serialize)]
pub(super) struct Found<T> {
    pub(super) status: &'static str,
    pub(super) data: T,
}

/// `GET /streams/{id}`
pub(super) async fn detail(
    state: Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let id = params::stream_id(&request)?;
    let urls = read_query::<StreamQuery>(&request)?
        .urls
        .unwrap_or_default();
    let _permit = state.admit(Load::Read)?;
    let line = state.orchestrator().ask(StreamDetail { id }).await?;
    let line = line.ok_or(Rejection::UnknownStream(id))?;
    Ok(HttpResponse::Ok().json(state.told(Found {
        status: "success",
        data: StreamAnswer::of(line, urls, state.orchestrator()),
    })))
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeleteAnswer {
    status: &'static str,
    stream_id: StreamId,
    /// The owner whose assignment ended; `None` if it had none.
    server_id: Option<InstanceId>,
    /// The epoch that is void now.
    epoch: Option<Epoch>,
}

/// `DELETE /streams/{id}`
pub(super) async fn delete(
    state: Data<AppState>,
    request: HttpRequest,
) -> Result<Json<DeleteAnswer>, Problem> {
    let id = params::stream_id(&request)?;
    let _permit = state.admit(Load::Write)?;
    let ended = state.orchestrator().execute(DeleteStream { id }).await?;
    let ended = ended.map(|assignment| (assignment.instance, assignment.epoch));
    let (server_id, epoch) = ended.unzip();
    Ok(Json(DeleteAnswer {
        status: "deleted",
        stream_id: id,
        server_id,
        epoch,
    }))
}
