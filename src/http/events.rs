//! The routes of events: the list, and the stories of one instance or one stream. `follow` has the live
//! ones.

use std::net::IpAddr;
use std::sync::Arc;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::answer::{PageEnd, Time, page};
use super::params;
use super::pieces::{self, Nothing, Rows};
use super::problem::Problem;
use super::requests::{EventsQuery, StoryQuery, read_query};
use super::state::{AppState, Load};
use crate::actors::archive::StoredEvent;
use crate::actors::event_fields::event_fields;
use crate::domain::commands::Rejection;
use crate::domain::event_filter::EventFilter;
use crate::domain::events::EventSeverity;
use crate::domain::ids::{IncidentId, InstanceId, StreamId};
use crate::domain::planned::Requester;
use crate::domain::queries::StreamDetail;
use crate::domain::request::EventOrigin;

/// How many events a page has by default.
const DEFAULT_LIMIT: u32 = 100;

/// How many sentences a page of a story has by default.
const STORY_LIMIT: u32 = 1_000;

/// An event as every answer shows it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EventAnswer {
    id: i64,
    /// The same number, under the name that it had first.
    sequence: i64,
    at: Time,
    kind: &'static str,
    severity: EventSeverity,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<InstanceId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<StreamId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    incident: Option<IncidentId>,
    actor: Requester,
    cause: String,
    detail: String,
    /// Who gave the order that led to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<OriginAnswer>,
    #[serde(flatten)]
    #[schema(ignore)]
    own: Map<String, Value>,
}

/// Who gave an order: the name of the key where one is needed, the address, and the request.
#[derive(Debug, Serialize, ToSchema)]
struct OriginAnswer {
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    address: Option<IpAddr>,
    request_id: Arc<str>,
}

impl OriginAnswer {
    fn of(origin: &EventOrigin) -> Self {
        Self {
            key: origin.key.clone(),
            address: origin.address,
            request_id: origin.request_id.clone(),
        }
    }
}

impl EventAnswer {
    pub(super) fn of(stored: &StoredEvent) -> Self {
        let event = &stored.event.event;
        let mut own = event_fields(event);
        for shown in ["instance", "stream", "incident", "cause"] {
            own.remove(shown);
        }
        Self {
            id: stored.sequence,
            sequence: stored.sequence,
            at: Time(stored.event.at),
            kind: event.kind(),
            severity: event.severity(),
            instance: event.instance().cloned(),
            stream: event.stream(),
            incident: event.incident(),
            actor: event.actor(),
            cause: event.cause(),
            detail: event.sentence(),
            origin: stored.event.origin.as_deref().map(OriginAnswer::of),
            own,
        }
    }
}

/// `GET /resilience/events`
pub(super) async fn list(
    state: Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let query: EventsQuery = read_query(&request)?;
    let _permit = state.admit(Load::List)?;
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    let filter = query.filter(state.orchestrator().clock().wall());
    let archive = state.orchestrator().archive();
    let found = archive.find_events(filter, limit + 1).await?;
    let (events, next) = page(found, limit, |event| event.sequence);
    let rows = events.into_iter().map(|event| EventAnswer::of(&event));
    let end = PageEnd::new(next, None);
    pieces::answer(Rows::of(&Nothing {}, "events", rows, &end)?).await
}

/// One sentence of a story.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Sentence {
    id: i64,
    at: Time,
    kind: &'static str,
    severity: EventSeverity,
    text: String,
}

impl Sentence {
    fn of(stored: StoredEvent) -> Self {
        let event = stored.event.event;
        Self {
            id: stored.sequence,
            at: Time(stored.event.at),
            kind: event.kind(),
            severity: event.severity(),
            text: event.sentence(),
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct InstanceStory {
    server_id: InstanceId,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StreamStory {
    stream_id: StreamId,
}

/// `GET /instances/{server_id}/story`
pub(super) async fn instance_story(
    state: Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let id = params::server_id(&request)?;
    let query: StoryQuery = read_query(&request)?;
    let _permit = state.admit(Load::List)?;
    let filter = EventFilter {
        instance: Some(id.clone()),
        ..query.filter(state.orchestrator().clock().wall())
    };
    let found = story(&state, filter, query.limit).await?;
    // Its story outlives an instance.
    if found.is_empty() && state.orchestrator().registry().get(&id).is_none() {
        let any = EventFilter {
            instance: Some(id.clone()),
            ..EventFilter::default()
        };
        if story(&state, any, Some(1)).await?.is_empty() {
            return Err(Rejection::UnknownInstance(id).into());
        }
    }
    told(&InstanceStory { server_id: id }, found, query.limit).await
}

/// `GET /streams/{id}/story`
pub(super) async fn stream_story(
    state: Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let id = params::stream_id(&request)?;
    let query: StoryQuery = read_query(&request)?;
    let _permit = state.admit(Load::List)?;
    let filter = EventFilter {
        stream: Some(id),
        ..query.filter(state.orchestrator().clock().wall())
    };
    let found = story(&state, filter, query.limit).await?;
    if found.is_empty()
        && state
            .orchestrator()
            .ask(StreamDetail { id })
            .await?
            .is_none()
    {
        let any = EventFilter {
            stream: Some(id),
            ..EventFilter::default()
        };
        if story(&state, any, Some(1)).await?.is_empty() {
            return Err(Rejection::UnknownStream(id).into());
        }
    }
    told(&StreamStory { stream_id: id }, found, query.limit).await
}

/// Returns the events of a story, and one more if there is one.
async fn story(
    state: &AppState,
    filter: EventFilter,
    limit: Option<u32>,
) -> Result<Vec<StoredEvent>, Problem> {
    let most = limit.unwrap_or(STORY_LIMIT) + 1;
    Ok(state
        .orchestrator()
        .archive()
        .find_events(filter, most)
        .await?)
}

async fn told(
    subject: &impl Serialize,
    found: Vec<StoredEvent>,
    limit: Option<u32>,
) -> Result<HttpResponse, Problem> {
    let limit = limit.unwrap_or(STORY_LIMIT);
    let (events, next) = page(found, limit, |event| event.sequence);
    let sentences = events.into_iter().map(Sentence::of);
    let end = PageEnd::new(next, None);
    pieces::answer(Rows::of(subject, "story", sentences, &end)?).await
}
