//! The connections to the leader: HTTP/1.1, kept between requests.

use std::error::Error as _;
use std::fmt;
use std::time::Duration;

use actix_web::http::header as heard;
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Request, Response, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::bodies::CarriedBody;
use crate::domain::leadership::SendFailure;

/// The limit for a connection to the leader.
const CONNECT_LIMIT: Duration = Duration::from_secs(1);

/// A connection that is unused for so long is closed: earlier than the leader does it.
const IDLE_LIMIT: Duration = Duration::from_secs(30);

/// The connections of one thread to the leader. Clones share them.
#[derive(Clone)]
pub(in crate::http) struct LeaderClient {
    client: Client<HttpConnector, CarriedBody>,
}

impl fmt::Debug for LeaderClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeaderClient").finish_non_exhaustive()
    }
}

impl Default for LeaderClient {
    fn default() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_LIMIT));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_LIMIT)
            .build(connector);
        Self { client }
    }
}

impl LeaderClient {
    /// Sends a request, and returns the head of its answer.
    ///
    /// # Errors
    /// Returns whether the leader may have the request.
    pub(in crate::http) async fn send(
        &self,
        request: Request<CarriedBody>,
    ) -> Result<Response<Incoming>, SendFailure> {
        self.client.request(request).await.map_err(|error| {
            let cause = error.source().map(ToString::to_string);
            log::debug!(cause; "the leader did not answer a carried request: {error}");
            if error.is_connect() {
                SendFailure::NotSent
            } else {
                SendFailure::Broken
            }
        })
    }
}

/// Builds a request to an address; `None` if the address or the path cannot be one.
pub(in crate::http) fn request(
    method: &str,
    address: &str,
    path: &str,
    headers: HeaderMap,
    body: CarriedBody,
) -> Option<Request<CarriedBody>> {
    let uri: Uri = format!("http://{address}{path}").parse().ok()?;
    let mut request = Request::new(body);
    *request.method_mut() = Method::from_bytes(method.as_bytes()).ok()?;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    Some(request)
}

/// Returns a header of the server as one of the client: they are two versions of one library.
pub(in crate::http) fn outgoing(
    name: &heard::HeaderName,
    value: &heard::HeaderValue,
) -> Option<(HeaderName, HeaderValue)> {
    let name = HeaderName::from_bytes(name.as_str().as_bytes()).ok()?;
    Some((name, HeaderValue::from_bytes(value.as_bytes()).ok()?))
}

/// Returns a header of the client as one of the server.
pub(super) fn incoming(
    name: &HeaderName,
    value: &HeaderValue,
) -> Option<(heard::HeaderName, heard::HeaderValue)> {
    let name = heard::HeaderName::from_bytes(name.as_str().as_bytes()).ok()?;
    Some((name, heard::HeaderValue::from_bytes(value.as_bytes()).ok()?))
}

/// Returns whether an answer is the last one of its connection.
pub(in crate::http) fn closes(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(hyper::header::CONNECTION).iter();
    values.any(|value| value.as_bytes().eq_ignore_ascii_case(b"close"))
}
