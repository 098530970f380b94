//! The connections to other orchestrators, mostly to the leader: HTTP/1.1, kept between requests.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{fmt, io};

use actix_web::http::header as heard;
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::http::uri::Scheme;
use hyper::{HeaderMap, Method, Request, Response, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, ResolveServerName};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::CertificateError;
use rustls_pki_types::ServerName;

use super::bodies::CarriedBody;
use crate::actors::leadership::ClusterView;
use crate::domain::leadership::SendFailure;
use crate::tls::Tls;

/// The limit for a connection to the leader.
const CONNECT_LIMIT: Duration = Duration::from_secs(1);

/// A connection that is unused for so long is closed: earlier than the leader does it.
const IDLE_LIMIT: Duration = Duration::from_secs(30);

/// The connections of one thread to other orchestrators, encrypted if this orchestrator speaks TLS. Clones share them.
#[derive(Clone)]
pub(in crate::http) struct MemberClient {
    connections: Connections,
    /// The fault of a certificate that was reported last.
    reported: Arc<Mutex<Option<String>>>,
}

#[derive(Clone)]
enum Connections {
    Plain(Client<HttpConnector, CarriedBody>),
    Secured(Client<HttpsConnector<HttpConnector>, CarriedBody>),
}

impl fmt::Debug for MemberClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemberClient").finish_non_exhaustive()
    }
}

impl MemberClient {
    /// Without connections yet. The others speak TLS if this orchestrator does.
    pub(in crate::http) fn new(tls: Option<&Tls>, view: &ClusterView) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_LIMIT));
        connector.set_nodelay(true);
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_timer(TokioTimer::new());
        builder.pool_idle_timeout(IDLE_LIMIT);
        let connections = match tls {
            None => Connections::Plain(builder.build(connector)),
            Some(tls) => {
                connector.enforce_http(false);
                let secured = HttpsConnectorBuilder::new()
                    .with_tls_config(tls.calls().clone())
                    .https_only()
                    .with_server_name_resolver(PublicName(view.clone()))
                    .enable_http1()
                    .wrap_connector(connector);
                Connections::Secured(builder.build(secured))
            }
        };
        Self {
            connections,
            reported: Arc::default(),
        }
    }

    /// Sends a request, and returns the head of its answer.
    ///
    /// # Errors
    /// Returns whether the leader may have the request.
    pub(in crate::http) async fn send(
        &self,
        mut request: Request<CarriedBody>,
    ) -> Result<Response<Incoming>, SendFailure> {
        let answered = match &self.connections {
            Connections::Plain(client) => client.request(request).await,
            Connections::Secured(client) => {
                let uri = std::mem::take(request.uri_mut());
                *request.uri_mut() = secured(uri);
                client.request(request).await
            }
        };
        answered.map_err(|error| {
            let cause = error.source().map(ToString::to_string);
            log::debug!(cause; "the leader did not answer a carried request: {error}");
            if let Some(fault) = certificate_fault(&error) {
                self.report(fault.to_string());
            }
            if error.is_connect() {
                SendFailure::NotSent
            } else {
                SendFailure::Broken
            }
        })
    }

    /// Reports a fault of a certificate, once.
    fn report(&self, fault: String) {
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        if reported.as_ref() != Some(&fault) {
            log::warn!(
                "the certificate of another orchestrator is not accepted, so it is not called (TLS_CLUSTER_CA): {fault}"
            );
            *reported = Some(fault);
        }
    }
}

/// The name that the certificate of an orchestrator is for: that of its public URL, by which workers know it.
struct PublicName(ClusterView);

impl PublicName {
    /// Returns the public URL of the orchestrator at an address.
    fn url(&self, address: &str) -> Option<String> {
        let cluster = self.0.now();
        let leader = cluster.leader.map(|(row, _)| (row.address, row.public_url));
        let members = cluster.members.into_iter();
        let members = members.map(|member| (member.row.address, member.row.public_url));
        let mut known = leader.into_iter().chain(members);
        known
            .find(|(known, _)| known == address)
            .map(|(_, url)| url)
    }
}

impl ResolveServerName for PublicName {
    fn resolve(&self, uri: &Uri) -> Result<ServerName<'static>, Box<dyn Error + Send + Sync>> {
        let address = uri.authority().map(|authority| authority.as_str());
        let public = address.and_then(|address| self.url(address));
        let public: Option<Uri> = public.and_then(|url| url.parse().ok());
        let host = public.as_ref().and_then(Uri::host).or_else(|| uri.host());
        let host = host.unwrap_or_default().trim_matches(['[', ']']);
        Ok(ServerName::try_from(host.to_owned())?)
    }
}

fn secured(uri: Uri) -> Uri {
    let mut parts = uri.clone().into_parts();
    parts.scheme = Some(Scheme::HTTPS);
    Uri::from_parts(parts).unwrap_or(uri)
}

/// Returns the fault of a certificate among the causes of an error.
fn certificate_fault<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e CertificateError> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(rustls::Error::InvalidCertificate(fault)) = error.downcast_ref() {
            return Some(fault);
        }
        // An error of I/O has the one that it wraps as its content, not as its source.
        let inner = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        cause = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
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
