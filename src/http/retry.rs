//! Adds to a 503 for the database when the database may answer again.

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Data;

use super::problem::Problem;
use super::state::AppState;

/// Middleware: sets the `Retry-After` of a 503 for the database to the time until the next probe of
/// its breaker. No call gets through before that.
pub(super) async fn name_the_next_probe<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let is_read = [Method::GET, Method::HEAD].contains(request.method());
    let state = request.app_data::<Data<AppState>>().cloned();
    let mut answer = next.call(request).await?;
    let problem = answer.response().error();
    let is_about_store = problem
        .and_then(|error| error.as_error::<Problem>())
        .is_some_and(Problem::is_about_the_store);
    if is_about_store
        && let Some(state) = state
        && let Some(seconds) = seconds_to_probe(&state, is_read)
    {
        answer
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    Ok(answer)
}

/// Returns whole seconds, at least one; `None` if the next probe is unknown, because the breaker is
/// forced open or not open at all.
fn seconds_to_probe(state: &AppState, is_read: bool) -> Option<u64> {
    let orchestrator = state.orchestrator();
    let gate = orchestrator.store_gate();
    let gate = if is_read { gate.reads() } else { gate.writes() };
    let wait = gate.next_probe()?.since(orchestrator.clock().awake());
    Some(
        wait.as_millis()
            .div_ceil(1_000)
            .max(1)
            .try_into()
            .unwrap_or(u64::MAX),
    )
}
