//! May this caller use this route?

use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage, HttpRequest};
use log::warn;

use super::recognition::{Unrecognized, address_of, recognize, via};
use super::rules::Access;
use super::sender::Sender;
use crate::actors::access::CredentialFault;
use crate::actors::telemetry::AuthRefusal;
use crate::domain::access::{Caller, Permission};
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::logging;

/// What a route asks of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) struct Needed {
    pub(in crate::http) permission: Permission,
    /// Whether the route is for orders, whose events name the caller.
    pub(in crate::http) is_order: bool,
}

/// Middleware of one route: hands the request to the handler if its caller may use the route.
pub(in crate::http) async fn guarded(
    needed: Needed,
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(access) = request.app_data::<Access>().cloned() else {
        return Ok(request.error_response(Problem::internal()));
    };
    let caller = match recognize(request.request(), &access) {
        Ok(caller) => caller,
        Err(unrecognized) => {
            let problem = refusal(request.request(), &access, &unrecognized);
            return Ok(request.error_response(problem));
        }
    };
    if !needed.permission.allows(caller.role) {
        count(request.request(), AuthRefusal::Role);
        return Ok(request.error_response(Problem::other_role(&caller, needed.permission)));
    }
    // What follows from an order names who gave it.
    let order = needed
        .is_order
        .then(logging::current)
        .flatten()
        .map(|context| {
            let address = via(request.request(), &access).map(|via| via.address);
            context.ordered_by(caller.name.clone(), address)
        });
    let origin = order.as_ref().and_then(|order| order.origin().cloned());
    let sender = Sender::new(caller, access, origin);
    request.extensions_mut().insert(sender);
    let handled = next.call(request);
    match order {
        Some(order) => logging::within(order, handled).await,
        None => handled.await,
    }
}

/// Returns the caller that has a key, which came in the body of a request.
///
/// # Errors
/// Returns 401 or 429 if the key does not do.
pub(in crate::http) fn recognize_key(
    request: &HttpRequest,
    access: &Access,
    key: &str,
) -> Result<Caller, Problem> {
    let checked = access.keyring().check(key);
    checked.map_err(|fault| refusal(request, access, &Unrecognized::Fault(fault)))
}

/// Returns the answer to a request without a caller. Counts it, and slows down an address that is wrong again and again.
fn refusal(request: &HttpRequest, access: &Access, unrecognized: &Unrecognized) -> Problem {
    let (reason, problem) = match unrecognized {
        Unrecognized::NoCredential => (AuthRefusal::Missing, Problem::no_credential()),
        Unrecognized::CookieAlone => (AuthRefusal::CookieAlone, Problem::cookie_alone()),
        Unrecognized::Fault(fault) => match fault {
            // The fault is not the caller's.
            CredentialFault::NotRead => return Problem::keys_not_read(),
            CredentialFault::Malformed => (AuthRefusal::Malformed, Problem::malformed_key()),
            CredentialFault::Unknown => (AuthRefusal::Unknown, Problem::unknown_key_text()),
            CredentialFault::Expired { name, at } => {
                (AuthRefusal::Expired, Problem::expired_key(name, *at))
            }
            CredentialFault::Revoked { name, at } => {
                (AuthRefusal::Revoked, Problem::revoked_key(name, *at))
            }
            CredentialFault::NoSession => (AuthRefusal::NoSession, Problem::no_session()),
        },
    };
    let is_attempt = match reason {
        AuthRefusal::Malformed
        | AuthRefusal::Unknown
        | AuthRefusal::Expired
        | AuthRefusal::Revoked => true,
        AuthRefusal::Missing
        | AuthRefusal::NoSession
        | AuthRefusal::CookieAlone
        | AuthRefusal::Role
        | AuthRefusal::Throttled => false,
    };
    if !is_attempt {
        count(request, reason);
        return problem;
    }
    let address = address_of(request, access);
    if let Some(wait) = access.keyring().failed(address) {
        count(request, AuthRefusal::Throttled);
        return Problem::too_many_attempts(seconds(wait));
    }
    count(request, reason);
    // At most ten lines at once for an address, and then one in six seconds.
    let (address, reason) = (address.to_string(), reason.as_str());
    warn!(address = address.as_str(), reason;
        "a request from {address} was refused: its key is {reason}");
    problem
}

/// Returns whole seconds, at least one.
fn seconds(wait: Duration) -> u32 {
    u32::try_from(wait.as_millis().div_ceil(1_000))
        .unwrap_or(u32::MAX)
        .max(1)
}

fn count(request: &HttpRequest, refusal: AuthRefusal) {
    // Before the fleet is loaded, and on a standby, nothing is counted.
    if let Some(state) = request.app_data::<Data<AppState>>() {
        state.orchestrator().telemetry().count_auth_refusal(refusal);
    }
}
