//! Sends requests to receivers.

use std::io::{self, Read};
use std::net::ToSocketAddrs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::BoxFuture;
use tokio::sync::oneshot;
use ureq::http::Response;
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Body, Error};

use super::certificates::tls;
use super::guard::GuardedResolver;
use super::signature::signatures;
use crate::actors::webhooks::{OutgoingRequest, WebhookSender};
use crate::domain::time::WallTime;
use crate::domain::webhook::{Answer, Forbidden, TargetUrl, is_forbidden, retry_after};

/// How long a request may take, from the resolution of the name to the status of the answer.
pub(super) const REQUEST_LIMIT: Duration = Duration::from_secs(10);

/// How long the connection, of that, may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// How long the body of an answer is awaited: its content does not matter.
const BODY_LIMIT: Duration = Duration::from_secs(1);

/// How much of the body of an answer is read.
const MAX_BODY: u64 = 16 * 1_024;

/// How much the headers of an answer may have.
const MAX_HEADERS: usize = 32 * 1_024;

/// What the settings say about requests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SenderSettings {
    /// Whether loopback addresses may be called.
    pub allow_loopback: bool,
    /// The certificates by which `https` is checked; none: the system's.
    pub ca_file: Option<PathBuf>,
}

/// Sends requests over HTTP and HTTPS.
#[derive(Debug)]
pub struct HttpSender {
    agent: Agent,
    allow_loopback: bool,
    /// Why `https` cannot be used, if it cannot.
    no_https: Option<String>,
}

impl HttpSender {
    /// Creates the sender. Without certificates only `http` can be used, and each `https` request fails with the
    /// reason.
    pub fn new(settings: &SenderSettings) -> Self {
        let certificates = tls(settings.ca_file.as_deref(), "WEBHOOK_CA_FILE");
        let (config, no_https) = match certificates {
            Ok(tls) => (Agent::config_builder().tls_config(tls), None),
            Err(reason) => (Agent::config_builder(), Some(reason)),
        };
        let config = config
            .timeout_global(Some(REQUEST_LIMIT))
            .timeout_connect(Some(CONNECT_LIMIT))
            .timeout_resolve(Some(CONNECT_LIMIT))
            .timeout_recv_body(Some(BODY_LIMIT))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_response_header_size(MAX_HEADERS)
            .max_idle_connections_per_host(1)
            .user_agent(concat!(
                "resilient-orchestrator/",
                env!("CARGO_PKG_VERSION")
            ))
            .proxy(None)
            .build();
        let resolver = GuardedResolver::new(settings.allow_loopback);
        Self {
            agent: Agent::with_parts(config, DefaultConnector::default(), resolver),
            allow_loopback: settings.allow_loopback,
            no_https,
        }
    }
}

impl WebhookSender for HttpSender {
    fn send(&self, request: OutgoingRequest) -> BoxFuture<'static, Answer> {
        let is_https = request.url.expose().get(..5);
        if is_https.is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"))
            && let Some(reason) = &self.no_https
        {
            let answer = Answer::Unreachable(reason.clone());
            return Box::pin(std::future::ready(answer));
        }
        let agent = self.agent.clone();
        let answer = on_a_thread(move || call(&agent, &request));
        Box::pin(async move {
            answer.await.unwrap_or_else(|| {
                Answer::Unreachable("no thread could be started for the request".to_owned())
            })
        })
    }

    fn check(&self, url: TargetUrl) -> BoxFuture<'static, Option<Forbidden>> {
        let allow_loopback = self.allow_loopback;
        let found = on_a_thread(move || {
            // A name that cannot be resolved now is checked with each connection.
            let mut addresses = url.host_and_port().to_socket_addrs().ok()?;
            addresses.find_map(|address| is_forbidden(address.ip(), allow_loopback))
        });
        Box::pin(async move { found.await.flatten() })
    }

    fn allows_loopback(&self) -> bool {
        self.allow_loopback
    }
}

/// Does work that blocks; returns `None` if there is no thread for it.
fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> impl Future<Output = Option<T>> + Send {
    let (sender, answer) = oneshot::channel();
    let begun = thread::Builder::new()
        .name("webhook".to_owned())
        .stack_size(512 * 1_024)
        .spawn(move || {
            // The caller may be gone.
            let _ = sender.send(work());
        });
    async move {
        begun.ok()?;
        answer.await.ok()
    }
}

fn call(agent: &Agent, request: &OutgoingRequest) -> Answer {
    let OutgoingRequest {
        url,
        id,
        timestamp,
        body,
        traceparent,
        secrets,
    } = request;
    let signed = signatures(secrets, id, *timestamp, body);
    let mut post = agent.post(url.expose());
    if let Some(traceparent) = traceparent {
        post = post.header("traceparent", traceparent);
    }
    let answer = post
        .header("webhook-id", id)
        .header("webhook-timestamp", timestamp.to_string())
        .header("webhook-signature", signed)
        .content_type("application/json")
        .send(&body[..]);
    match answer {
        Ok(answer) => taken(answer),
        Err(error) => failed(&error),
    }
}

fn taken(answer: Response<Body>) -> Answer {
    let header = answer.headers().get("retry-after");
    let header = header.and_then(|value| value.to_str().ok());
    let retry_after = header.and_then(|header| retry_after(header, now()));
    let code = answer.status().as_u16();
    // A body that was read to its end leaves the connection for the next request.
    let mut rest = answer.into_body().into_reader().take(MAX_BODY);
    let _ = io::copy(&mut rest, &mut io::sink());
    Answer::Status { code, retry_after }
}

/// Returns the reason in words of its own: those of the errors may repeat the URL.
fn failed(error: &Error) -> Answer {
    let reason = match error {
        Error::Timeout(_) => return Answer::TimedOut,
        Error::Io(error) => match error.kind() {
            io::ErrorKind::TimedOut => return Answer::TimedOut,
            io::ErrorKind::PermissionDenied => error.to_string(),
            io::ErrorKind::ConnectionRefused => "the connection was refused".to_owned(),
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::UnexpectedEof => "the connection was closed".to_owned(),
            _ => match error.to_string() {
                text if text.contains("lookup") => "its name is not known".to_owned(),
                text if text.contains("ertificate") => format!("its certificate: {text}"),
                _ => format!("the connection failed ({})", error.kind()),
            },
        },
        Error::HostNotFound => "its name is not known".to_owned(),
        Error::ConnectionFailed => "there is no connection to it".to_owned(),
        Error::LargeResponseHeader(..) => "its answer has too long headers".to_owned(),
        Error::Protocol(_) | Error::Http(_) => "its answer is no HTTP".to_owned(),
        Error::Rustls(error) => format!("TLS: {error}"),
        _ => "the request could not be sent".to_owned(),
    };
    Answer::Unreachable(reason)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a date of a receiver is of the world's clock"
)]
fn now() -> WallTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let micros = since.map_or(0, |since| since.as_micros());
    WallTime::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
}
