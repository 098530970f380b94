//! Receivers outside: targets, deliveries, tests.

use actix_web::web::{Data, Json};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::{PageEnd, Time, page};
use super::body::Body;
use super::params;
use super::pieces::{self, Nothing, Rows};
use super::problem::Problem;
use super::requests::{DeliveriesQuery, RedeliverRequest, WebhookRequest, read_query};
use super::state::{AppState, Load};
use crate::actors::webhooks::{AskDeliveries, RedeliverWebhook, WebhookView};
use crate::domain::breaker::BreakerState;
use crate::domain::webhook::{
    Delivery, DeliveryFilter, DeliveryState, Format, Source, TargetDraft, TargetUrl, TypePattern,
    Urgency,
};

/// How many deliveries a page has by default.
const DEFAULT_LIMIT: u32 = 100;

/// A target, without its secrets.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WebhookAnswer {
    name: String,
    url: String,
    format: Format,
    #[schema(value_type = Vec<String>)]
    types: Vec<TypePattern>,
    min_severity: Option<Urgency>,
    enabled: bool,
    gone: bool,
    source: Source,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_secret_until: Option<Time>,
    breaker: BreakerState,
    waiting: usize,
    given_up: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    failing_since: Option<Time>,
    last_success_at: Option<Time>,
    last_failure: Option<Failure>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Failure {
    at: Time,
    reason: String,
}

impl From<WebhookView> for WebhookAnswer {
    fn from(view: WebhookView) -> Self {
        Self {
            name: view.name,
            url: view.url,
            format: view.format,
            types: view.types,
            min_severity: view.min_severity,
            enabled: view.enabled,
            gone: view.gone,
            source: view.source,
            previous_secret_until: view.previous_secret_until.map(Time),
            breaker: view.breaker,
            waiting: view.waiting,
            given_up: view.given_up,
            failing_since: view.failing_since.map(Time),
            last_success_at: view.last_success_at.map(Time),
            last_failure: view.last_failure.map(|(at, reason)| Failure {
                at: Time(at),
                reason,
            }),
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeliveryAnswer {
    id: String,
    r#type: String,
    state: DeliveryState,
    attempts: u32,
    created_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_attempt_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<Time>,
    last_status: Option<u16>,
    last_answer: Option<String>,
}

impl From<Delivery> for DeliveryAnswer {
    fn from(delivery: Delivery) -> Self {
        Self {
            r#type: delivery.message.kind(),
            id: delivery.message.id,
            state: delivery.state,
            attempts: delivery.attempts,
            created_at: Time(delivery.created_at),
            next_attempt_at: delivery.next_try_at.map(Time),
            ended_at: delivery.ended_at.map(Time),
            last_status: delivery.last_status,
            last_answer: delivery.last_answer,
        }
    }
}

/// How a target was saved.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SavedHead {
    status: &'static str,
    created: bool,
    /// The secret, if the program made it: it is shown once.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

/// A target that was saved.
#[derive(Debug, Serialize)]
pub(super) struct SavedAnswer {
    #[serde(flatten)]
    head: SavedHead,
    #[serde(flatten)]
    webhook: WebhookAnswer,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeletedAnswer {
    status: &'static str,
    name: String,
}

/// The state of a try.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TestHead {
    status: DeliveryState,
}

/// A try, with its state as `status`.
#[derive(Debug, Serialize)]
pub(super) struct TestAnswer {
    #[serde(flatten)]
    head: TestHead,
    #[serde(flatten)]
    delivery: DeliveryAnswer,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RedeliveringAnswer {
    status: &'static str,
    /// How many deliveries begin anew.
    deliveries: usize,
    /// The event behind which events are sent again.
    events_after: Option<i64>,
}

/// `GET /webhooks`
pub(super) async fn list(state: Data<AppState>) -> Result<HttpResponse, Problem> {
    let _permit = state.admit(Load::List)?;
    let views = state.orchestrator().webhooks().await?;
    let rows = views.into_iter().map(WebhookAnswer::from);
    let end: PageEnd<i64> = PageEnd::new(None, None);
    pieces::answer(Rows::of(&Nothing {}, "webhooks", rows, &end)?).await
}

/// `PUT /webhooks/{name}`
pub(super) async fn put(
    state: Data<AppState>,
    request: HttpRequest,
    body: Body,
) -> Result<Json<SavedAnswer>, Problem> {
    let name = params::webhook(&request)?;
    let _permit = state.admit(Load::Write)?;
    let draft = TargetDraft::from(body.read::<WebhookRequest>().await?);
    let orchestrator = state.orchestrator();
    if let Some(url) = &draft.url {
        let checked = TargetUrl::parse(url.expose(), orchestrator.allows_loopback());
        checked.map_err(|reason| Problem::invalid_field("url", reason))?;
        if let Some(reason) = orchestrator.forbids(url.clone()).await {
            let reason = format!("must not lead to {reason}");
            return Err(Problem::invalid_field("url", reason));
        }
    }
    let saved = orchestrator.put_webhook(name, draft).await?;
    Ok(Json(SavedAnswer {
        head: SavedHead {
            status: "saved",
            created: saved.is_new,
            secret: saved.secret.map(|secret| secret.expose().to_owned()),
        },
        webhook: WebhookAnswer::from(saved.view),
    }))
}

/// `DELETE /webhooks/{name}`
pub(super) async fn delete(
    state: Data<AppState>,
    request: HttpRequest,
) -> Result<Json<DeletedAnswer>, Problem> {
    let name = params::webhook(&request)?;
    let _permit = state.admit(Load::Write)?;
    state.orchestrator().delete_webhook(name.clone()).await?;
    Ok(Json(DeletedAnswer {
        status: "deleted",
        name,
    }))
}

/// `POST /webhooks/{name}/test`
pub(super) async fn test(
    state: Data<AppState>,
    request: HttpRequest,
) -> Result<Json<TestAnswer>, Problem> {
    let name = params::webhook(&request)?;
    let _permit = state.admit(Load::Write)?;
    let delivery = state.orchestrator().test_webhook(name).await?;
    Ok(Json(TestAnswer {
        head: TestHead {
            status: delivery.state,
        },
        delivery: DeliveryAnswer::from(delivery),
    }))
}

/// `GET /webhooks/{name}/deliveries`
pub(super) async fn deliveries(
    state: Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let name = params::webhook(&request)?;
    let query: DeliveriesQuery = read_query(&request)?;
    let _permit = state.admit(Load::List)?;
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    let ask = AskDeliveries {
        filter: DeliveryFilter {
            state: query.state,
            before: query.after,
            ..DeliveryFilter::of(&name)
        },
        limit: limit + 1,
    };
    let found = state.orchestrator().deliveries(ask).await?;
    let (deliveries, next) = page(found.deliveries, limit, |delivery| delivery.number);
    let rows = deliveries.into_iter().map(DeliveryAnswer::from);
    let end = PageEnd::new(next, found.stale_since);
    pieces::answer(Rows::of(&Nothing {}, "deliveries", rows, &end)?).await
}

/// `POST /webhooks/{name}/redeliver`
pub(super) async fn redeliver(
    state: Data<AppState>,
    request: HttpRequest,
    body: Body,
) -> Result<Json<RedeliveringAnswer>, Problem> {
    let name = params::webhook(&request)?;
    let _permit = state.admit(Load::Write)?;
    let body: RedeliverRequest = body.read().await?;
    let orchestrator = state.orchestrator();
    let order = RedeliverWebhook {
        since: body.since(orchestrator.clock().wall()),
        ids: body.ids.unwrap_or_default(),
        name,
    };
    let begun = orchestrator.redeliver(order).await?;
    Ok(Json(RedeliveringAnswer {
        status: "redelivering",
        deliveries: begun.deliveries,
        events_after: begun.events_after,
    }))
}
