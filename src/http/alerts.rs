//! The alerts, as operators read them.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::{PageEnd, Time, page};
use super::pieces::{self, Nothing, Rows};
use super::problem::Problem;
use super::requests::{AlertsQuery, read_query};
use super::state::{AppState, Load};
use crate::actors::alerts::AskAlerts;
use crate::domain::alert::{Alert, AlertKind, Severity};
use crate::domain::ids::AlertId;

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
}

impl From<Alert> for AlertAnswer {
    fn from(alert: Alert) -> Self {
        Self {
            id: alert.id,
            kind: alert.kind,
            severity: alert.severity,
            open: alert.is_open(),
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
    let rows = alerts.into_iter().map(AlertAnswer::from);
    let end = PageEnd::new(next, found.stale_since);
    pieces::answer(Rows::of(&Nothing {}, "alerts", rows, &end)?).await
}
