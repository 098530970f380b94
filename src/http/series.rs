//! The recent past in numbers, with the events that explain it.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::answer::{Seconds, Time, Told, list, seconds};
use super::problem::Problem;
use super::requests::{SeriesQuery, read_query};
use super::state::{AppState, Load};
use crate::actors::alerts::AskAlerts;
use crate::actors::archive::StoredEvent;
use crate::actors::refusal::Refusal;
use crate::domain::alert::{Alert, AlertFilter, AlertKind};
use crate::domain::event_filter::{EventFilter, EventOrder};
use crate::domain::ids::AlertId;
use crate::domain::series::{SeriesKind, SeriesName, SeriesSpan};
use crate::domain::time::WallTime;

/// How many flags an answer has.
const MAX_FLAGS: u32 = 50;

/// The kinds of events that are flags: what people look for when a line jumps.
const FLAGGED_EVENTS: [&str; 7] = [
    "instance_failed",
    "mass_failure_held",
    "mass_failure_ended",
    "brake_ordered",
    "emergency_recovered",
    "drain_started",
    "drain_ended",
];

/// The kinds of alerts that are flags: the breakers, and how this orchestrator proves that it leads. No event
/// records them.
const FLAGGED_ALERTS: [AlertKind; 4] = [
    AlertKind::StoreUnavailable,
    AlertKind::BreakerForced,
    AlertKind::LeaderUnproven,
    AlertKind::Failsafe,
];

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SeriesAnswer {
    name: SeriesName,
    /// How a longer step follows from shorter ones: the sum of a count, the mean of a level.
    kind: SeriesKind,
    step_seconds: Seconds,
    /// Ascending. A step without a sample is absent.
    points: Vec<PointAnswer>,
    /// What happened meanwhile, ascending: the newest 50. Null if the database does not answer.
    events: Option<Vec<FlagAnswer>>,
}

/// The moment at which a step began, and the value.
#[derive(Debug, Serialize)]
struct PointAnswer(Time, f64);

impl PartialSchema for PointAnswer {
    fn schema() -> RefOr<Schema> {
        let value = ObjectBuilder::new().schema_type(Type::Number).into();
        ArrayBuilder::new()
            .prefix_items::<_, Schema>([time_schema(), value])
            .min_items(Some(2))
            .max_items(Some(2))
            .into()
    }
}

fn time_schema() -> Schema {
    match Time::schema() {
        RefOr::T(schema) => schema,
        RefOr::Ref(_) => ObjectBuilder::new().schema_type(Type::String).into(),
    }
}

impl ToSchema for PointAnswer {}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum FlagSource {
    Event,
    Alert,
}

/// An event or an alert at one moment of a series.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SeriesFlag)]
struct FlagAnswer {
    at: Time,
    kind: &'static str,
    severity: &'static str,
    detail: String,
    id: i64,
    /// Whether `id` is that of an event or of an alert.
    source: FlagSource,
}

impl FlagAnswer {
    fn of_event(stored: &StoredEvent) -> Self {
        let event = &stored.event.event;
        Self {
            at: Time(stored.event.at),
            kind: event.kind(),
            severity: event.severity().as_str(),
            detail: event.sentence(),
            id: stored.sequence,
            source: FlagSource::Event,
        }
    }

    fn of_alert(alert: Alert) -> Self {
        Self {
            at: Time(alert.opened_at),
            kind: alert.kind.as_str(),
            severity: alert.severity.as_str(),
            detail: alert.detail,
            id: alert.id.get(),
            source: FlagSource::Alert,
        }
    }
}

/// `GET /resilience/series`
pub(super) async fn show(
    state: Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let _permit = state.admit(Load::List)?;
    let query: SeriesQuery = read_query(&request)?;
    let (name, now) = (query.name, state.orchestrator().clock().wall());
    let span = query
        .span(now)
        .map_err(|fault| Problem::invalid_field(fault.field(), fault.to_string()))?;
    let points = state.orchestrator().series(name, span).await?;
    // The numbers are in memory: they are shown without the events rather than not at all.
    let events = flags(&state, &span).await.ok();
    let stale_since = state.stale_since();
    list(points.len(), move || {
        let points = points.into_iter();
        let answer = SeriesAnswer {
            name,
            kind: name.kind(),
            step_seconds: seconds(span.step()),
            points: points
                .map(|(at, value)| PointAnswer(Time(at), value))
                .collect(),
            events,
        };
        Told::new(answer, stale_since)
    })
    .await
}

async fn flags(state: &AppState, span: &SeriesSpan) -> Result<Vec<FlagAnswer>, Refusal> {
    let orchestrator = state.orchestrator();
    let events = EventFilter {
        order: EventOrder::Descending,
        kinds: FLAGGED_EVENTS.to_vec(),
        from: Some(span.from()),
        to: Some(span.to()),
        ..EventFilter::default()
    };
    let found = orchestrator
        .archive()
        .find_events(events, MAX_FLAGS)
        .await?;
    let mut flags: Vec<(WallTime, FlagAnswer)> = found
        .iter()
        .map(|stored| (stored.event.at, FlagAnswer::of_event(stored)))
        .collect();
    for kind in FLAGGED_ALERTS {
        let filter = AlertFilter {
            kind: Some(kind),
            // The id of an alert is the moment at which it opened.
            before: Some(AlertId::new(span.to().as_micros())),
            ..AlertFilter::default()
        };
        let ask = AskAlerts {
            filter,
            limit: MAX_FLAGS,
        };
        let page = orchestrator.alert_page(ask).await?;
        let meant = |alert: &Alert| alert.opened_at >= span.from();
        let alerts = page.alerts.into_iter().filter(meant);
        flags.extend(alerts.map(|alert| (alert.opened_at, FlagAnswer::of_alert(alert))));
    }
    flags.sort_by_key(|(at, _)| *at);
    let excess = flags.len().saturating_sub(MAX_FLAGS as usize);
    Ok(flags.drain(excess..).map(|(_, flag)| flag).collect())
}
