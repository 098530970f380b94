//! The alerts, as operators read and acknowledge them.

use actix_web::web::{Data, Json};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::{PageEnd, Time, page};
use super::body::Body;
use super::params;
use super::pieces::{self, Nothing, Rows};
use super::problem::Problem;
use super::requests::{AcknowledgeRequest, AlertsQuery, read_query};
use super::state::{AppState, Load};
use crate::actors::alerts::{Acknowledge, AskAlerts, NotAcknowledged};
use crate::domain::alert::{Acknowledgement, Alert, AlertCause, AlertKind, Severity};
use crate::domain::ids::{AlertId, InstanceId, SilenceId};
use crate::domain::planned::Requester;

/// How many alerts a page has by default.
const DEFAULT_LIMIT: u32 = 100;

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AlertAnswer {
    id: AlertId,
    kind: AlertKind,
    severity: Severity,
    subject: String,
    detail: String,
    open: bool,
    opened_at: Time,
    closed_at: Option<Time>,
    /// The instances it is about, at most 1,000.
    instances: Vec<InstanceId>,
    /// How many reports joined it since it was opened.
    repeats: u32,
    acknowledged: Option<SeenAnswer>,
    /// The silences that apply to it.
    silenced_by: Vec<SilenceId>,
    /// What it is about: alerts with the same key belong together.
    cause: CauseAnswer,
    /// What to do, in one line.
    advice: &'static str,
    /// The place in the documents that says more.
    runbook: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AlertCause)]
struct CauseAnswer {
    /// Stays the same while alerts about it open and close, such as `instance:worker-1`.
    key: String,
    text: String,
}

impl From<AlertCause> for CauseAnswer {
    fn from(cause: AlertCause) -> Self {
        Self {
            key: cause.key,
            text: cause.text,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
struct SeenAnswer {
    at: Time,
    by: Requester,
    note: Option<String>,
}

impl From<Acknowledgement> for SeenAnswer {
    fn from(seen: Acknowledgement) -> Self {
        Self {
            at: Time(seen.at),
            by: seen.by,
            note: seen.note,
        }
    }
}

impl AlertAnswer {
    fn of(alert: Alert, silenced_by: Vec<SilenceId>) -> Self {
        let rule = alert.kind.rule();
        let is_open = alert.is_open();
        Self {
            silenced_by,
            cause: alert.cause().into(),
            advice: rule.advice,
            runbook: rule.runbook,
            instances: alert.instances,
            repeats: alert.repeats,
            acknowledged: alert.acknowledged.map(SeenAnswer::from),
            id: alert.id,
            kind: alert.kind,
            severity: alert.severity,
            open: is_open,
            opened_at: Time(alert.opened_at),
            closed_at: alert.closed_at.map(Time),
            subject: alert.subject,
            detail: alert.detail,
        }
    }
}

/// `GET /resilience/alerts`
pub(super) async fn alerts(
    state: Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let query: AlertsQuery = read_query(&request)?;
    let _permit = state.admit(Load::List)?;
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    let ask = AskAlerts {
        filter: query.into(),
        limit: limit + 1,
    };
    let found = state.orchestrator().alert_page(ask).await?;
    let (alerts, next) = page(found.alerts, limit, |alert| alert.id);
    let mut silenced_by = found.silenced_by;
    let rows = alerts.into_iter().map(move |alert| {
        let silences = silenced_by.remove(&alert.id).unwrap_or_default();
        AlertAnswer::of(alert, silences)
    });
    let end = PageEnd::new(next, found.stale_since);
    pieces::answer(Rows::of(&Nothing {}, "alerts", rows, &end)?).await
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AcknowledgeAnswer {
    status: &'static str,
    id: AlertId,
    acknowledged: Option<SeenAnswer>,
    /// Whether the database has it; otherwise it is saved as soon as the database answers.
    saved: bool,
}

/// `POST /resilience/alerts/{id}/acknowledge`
pub(super) async fn acknowledge(
    state: Data<AppState>,
    request: HttpRequest,
    body: Body,
) -> Result<Json<AcknowledgeAnswer>, Problem> {
    let id = AlertId::new(params::number(&request, "id")?);
    let _permit = state.admit(Load::Write)?;
    let body: AcknowledgeRequest = body.read_or_default().await?;
    let order = Acknowledge {
        id,
        by: Requester::Operator,
        note: body.note.0,
    };
    match state.orchestrator().acknowledge(order).await? {
        Ok(done) => Ok(Json(AcknowledgeAnswer {
            status: "acknowledged",
            id,
            acknowledged: done.alert.acknowledged.map(SeenAnswer::from),
            saved: done.is_saved,
        })),
        Err(NotAcknowledged::Unknown) => Err(Problem::unknown_alert(id)),
        Err(NotAcknowledged::Closed(alert)) => Err(Problem::conflict(format!(
            "Alert {id} (`{}` of {}) is closed; only an open alert can be acknowledged. GET \
             /resilience/alerts?open=true lists the open ones.",
            alert.kind, alert.subject
        ))),
    }
}
