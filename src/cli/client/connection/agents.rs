//! The clients that send requests: with certificates, a key, and time limits.

use std::time::Duration;

use ureq::http::header::AUTHORIZATION;
use ureq::http::{HeaderValue, Request, Response};
use ureq::middleware::{Middleware, MiddlewareNext};
use ureq::{Agent, Body, Error, SendBody};

use crate::config::{CLIENT_CERT, CLIENT_KEY, CallerFiles, SERVER_CA, ServerKey};
use crate::outbound::{CallerIdentity, tls_as};

/// Longer than the longest answer takes: a consistency check with a database that hangs.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// For how long a question waits for the beginning of an answer while another orchestrator can be asked.
pub(super) const TURN_LIMIT: Duration = Duration::from_secs(10);

/// A host that is not there is given up sooner.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// One client for orders, and one for questions that another orchestrator may answer.
#[derive(Debug, Clone)]
pub(super) struct Agents {
    pub(super) patient: Agent,
    /// Gives up sooner if no answer begins.
    pub(super) hasty: Agent,
}

impl Agents {
    /// Creates both; nothing is sent yet.
    ///
    /// # Errors
    /// Returns one sentence if the files cannot be used.
    pub(super) fn new(
        is_tls: bool,
        files: &CallerFiles,
        key: Option<ServerKey>,
    ) -> Result<Self, String> {
        let tls = if is_tls {
            let identity = files.identity.as_ref();
            let identity = identity.map(|(certificate, key)| CallerIdentity {
                certificate: (CLIENT_CERT, certificate),
                key: (CLIENT_KEY, key),
            });
            Some(tls_as(identity, files.ca.as_deref(), SERVER_CA)?)
        } else {
            None
        };
        let agent = |beginning: Option<Duration>| -> Agent {
            let mut config = Agent::config_builder();
            if let Some(tls) = &tls {
                config = config.tls_config(tls.clone());
            }
            if let Some(key) = &key {
                config = config.middleware(Keyed(key.clone()));
            }
            config
                .timeout_global(Some(ANSWER_LIMIT))
                .timeout_connect(Some(CONNECT_LIMIT))
                .timeout_recv_response(beginning)
                .http_status_as_error(false)
                .max_redirects(0)
                .max_redirects_will_error(false)
                // The orchestrator is on the local network; a proxy to the internet does not know it.
                .proxy(None)
                .build()
                .into()
        };
        Ok(Self {
            patient: agent(None),
            hasty: agent(Some(TURN_LIMIT)),
        })
    }
}

/// Shows the key with each request.
struct Keyed(ServerKey);

impl Middleware for Keyed {
    fn handle(
        &self,
        mut request: Request<SendBody<'_>>,
        next: MiddlewareNext<'_>,
    ) -> Result<Response<Body>, Error> {
        // A key has no character that a header must not have.
        if let Ok(mut value) = HeaderValue::try_from(format!("Bearer {}", self.0.expose())) {
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        next.handle(request)
    }
}
