//! The routes of events: the list.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::{Map, Value};

use super::answer::{PageEnd, Time, page};
use super::pieces::{self, Nothing, Rows};
use super::problem::Problem;
use super::requests::{EventsQuery, read_query};
use super::state::{AppState, Load};
use crate::actors::archive::StoredEvent;
use crate::actors::event_fields::event_fields;
use crate::domain::events::EventSeverity;
use crate::domain::ids::{IncidentId, InstanceId, StreamId};
use crate::domain::planned::Requester;

/// How many events a page has by default.
const DEFAULT_LIMIT: u32 = 100;

/// An event as every answer shows it.
#[derive(Debug, Serialize)]
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
    #[serde(flatten)]
    own: Map<String, Value>,
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
