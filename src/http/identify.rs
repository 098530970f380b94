//! Gives each request its id, which its answer and every log line about it name.
//!
//! A heartbeat is a request, too: its id costs two small allocations, and nothing is logged.

use actix_web::Error;
use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;

use crate::domain::request::{RequestContext, TraceParent, is_request_id, new_request_id};
use crate::logging;

/// The header with the id of a request, in the request and in its answer.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The header with the place of a request in a trace.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Middleware, around all others: takes the id that the caller names, or makes one.
pub(super) async fn identify(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let (context, id) = context_of(request.headers());
    match logging::within(context, next.call(request)).await {
        Ok(mut answer) => {
            answer.headers_mut().insert(REQUEST_ID, id);
            Ok(answer)
        }
        Err(error) => {
            let mut answer = error.error_response();
            answer.headers_mut().insert(REQUEST_ID, id);
            Err(InternalError::from_response(error, answer).into())
        }
    }
}

fn context_of(headers: &HeaderMap) -> (RequestContext, HeaderValue) {
    let trace = headers.get(TRACEPARENT);
    let trace = trace.and_then(|header| TraceParent::parse(header.to_str().ok()?));
    let given = headers.get(REQUEST_ID);
    let given = given.filter(|id| is_request_id(id.as_bytes()));
    if let Some(id) = given
        && let Ok(text) = id.to_str()
    {
        return (RequestContext::new(text, trace), id.clone());
    }
    let made = new_request_id(fastrand::u128(..));
    // The digits are of ASCII.
    let text = std::str::from_utf8(&made).unwrap_or_default();
    let id = HeaderValue::from_bytes(&made).unwrap_or(HeaderValue::from_static(""));
    (RequestContext::new(text, trace), id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        headers
    }

    #[test]
    fn a_well_formed_id_is_taken_and_any_other_replaced() {
        let (context, id) = context_of(&headers(&[("x-request-id", "a-1")]));
        assert_eq!((context.id(), id.to_str().unwrap()), ("a-1", "a-1"));
        for pairs in [&[][..], &[("x-request-id", "a b")], &[("x-request-id", "")]] {
            let (context, id) = context_of(&headers(pairs));
            assert_eq!(context.id(), id.to_str().unwrap());
            assert_eq!(context.id().len(), 32);
            let (other, _) = context_of(&headers(pairs));
            assert_ne!(context.id(), other.id());
        }
    }

    #[test]
    fn the_trace_is_that_of_the_caller() {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let (context, _) = context_of(&headers(&[("traceparent", parent)]));
        assert_eq!(context.trace_id(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
        let (context, _) = context_of(&headers(&[("traceparent", "junk")]));
        assert_eq!(context.trace_id(), None);
    }
}
