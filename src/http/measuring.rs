//! Counts the answers of routes, with the time until each was made.

use actix_web::Error;
use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::Next;
use actix_web::web::Data;

use super::route_table::pattern_of;
use super::state::AppState;
use crate::actors::telemetry::AnswerLabel;

/// What stands for a path or a method that no route has: callers may invent any number of them.
const UNKNOWN: &str = "unknown";

/// Methods that are shown by name.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "OPTIONS"];

/// Middleware: counts each answer while the fleet is loaded. A long list counts when its first piece is
/// ready, a long poll when it is answered.
pub(super) async fn measure(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(state) = request.app_data::<Data<AppState>>().cloned() else {
        return next.call(request).await;
    };
    let clock = state.orchestrator().clock();
    let began = clock.since_made();
    let answer = next.call(request).await?;
    let label = AnswerLabel {
        method: shown(answer.request().method()),
        route: pattern_of(answer.request()).unwrap_or(UNKNOWN),
        status: answer.status().as_u16(),
    };
    let took = clock.since_made().saturating_sub(began);
    state.orchestrator().telemetry().count_answer(&label, took);
    Ok(answer)
}

fn shown(method: &Method) -> &'static str {
    let known = METHODS.into_iter().find(|known| *known == method.as_str());
    known.unwrap_or(UNKNOWN)
}
