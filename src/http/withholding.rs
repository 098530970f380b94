//! Withholds the answers that need a proof which the database does not give in time.
//!
//! [`Authority`] has the rule for each kind of route; this middleware looks the kind up.

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, ResponseError};

use super::problem::Problem;
use super::route_table::{Route, route_table};
use super::state::AppState;
use crate::actors::leadership::NotProven;
use crate::domain::leadership::{Authority, Needed, Verdict};

/// Middleware: answers 503 instead of what needs a proof that the database does not give in time.
pub(super) async fn withhold_without_proof(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let state = request.app_data::<Data<AppState>>().cloned();
    let came = state
        .as_ref()
        .map(|state| state.orchestrator().prover().moment());
    let answer = next.call(request).await?;
    let (Some(state), Some(came)) = (state, came) else {
        return Ok(answer);
    };
    let needed = authority(&answer).map_or(Needed::Nothing, |authority| {
        authority.needs(verdict(answer.status()))
    });
    match state.orchestrator().prover().meets(needed, came).await {
        Ok(()) => Ok(answer),
        Err(NotProven) => {
            state.orchestrator().telemetry().answers_withheld.inc();
            Ok(answer.into_response(Problem::not_proven().error_response()))
        }
    }
}

/// The kind of the route that answered; none if there is no such route.
fn authority(answer: &ServiceResponse<BoxBody>) -> Option<Authority> {
    let request = answer.request();
    // Nearly all requests: they must not cost a search.
    if request.path() == "/heartbeat" {
        return Some(Authority::Beat);
    }
    let pattern = request.match_pattern()?;
    let method = match request.method() {
        &Method::HEAD => &Method::GET,
        method => method,
    };
    let is_it = |route: &&Route| route.path == pattern && route.method == *method;
    route_table()
        .iter()
        .find(is_it)
        .map(|route| route.authority)
}

/// What an answer with this status says, as far as a proof is concerned.
pub fn verdict(status: StatusCode) -> Verdict {
    if status.is_success() {
        Verdict::Granted
    } else if [StatusCode::NOT_FOUND, StatusCode::CONFLICT].contains(&status) {
        Verdict::Denied
    } else {
        Verdict::Failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_input_and_outages_say_nothing_about_the_fleet() {
        let table = [
            (StatusCode::OK, Verdict::Granted),
            (StatusCode::CREATED, Verdict::Granted),
            (StatusCode::NOT_MODIFIED, Verdict::Failed),
            (StatusCode::BAD_REQUEST, Verdict::Failed),
            (StatusCode::NOT_FOUND, Verdict::Denied),
            (StatusCode::CONFLICT, Verdict::Denied),
            (StatusCode::UNPROCESSABLE_ENTITY, Verdict::Failed),
            (StatusCode::INTERNAL_SERVER_ERROR, Verdict::Failed),
            (StatusCode::SERVICE_UNAVAILABLE, Verdict::Failed),
        ];
        for (status, expected) in table {
            assert_eq!(verdict(status), expected, "{status}");
        }
    }
}
