//! The HTTP client that sends the requests, and how it is made anew when the files of TLS change.

use std::fmt;

use ureq::config::ConfigBuilder;
use ureq::http::header::AUTHORIZATION;
use ureq::http::{HeaderValue, Response};
use ureq::middleware::{Middleware, MiddlewareNext};
use ureq::typestate::AgentScope;
use ureq::{Agent, Body, SendBody};

use super::registration::Registration;

/// Returns a client for each request: the same one, as long as what it was made from is the same.
pub(super) struct Agents {
    #[cfg(not(feature = "tls"))]
    agent: Agent,
    #[cfg(feature = "tls")]
    key: Option<String>,
    #[cfg(feature = "tls")]
    made: super::tls::Watched<Agent>,
}

impl fmt::Debug for Agents {
    /// Leaves out the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agents").finish_non_exhaustive()
    }
}

/// Returns what holds for every client.
fn config(key: Option<&str>) -> ConfigBuilder<AgentScope> {
    let config = Agent::config_builder();
    let config = match key {
        Some(key) => config.middleware(Keyed(format!("Bearer {key}"))),
        None => config,
    };
    config
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        // The orchestrator is on the local network; a proxy to the internet does not know it.
        .proxy(None)
}

#[cfg(not(feature = "tls"))]
impl Agents {
    pub(super) fn new(registration: &Registration) -> Self {
        let agent = config(registration.key.as_deref()).build().into();
        Self { agent }
    }

    /// Returns the client; the same each time.
    #[expect(clippy::unnecessary_wraps, reason = "with TLS its files can be wrong")]
    pub(super) fn agent(&self) -> Result<Agent, ureq::Error> {
        Ok(self.agent.clone())
    }
}

#[cfg(feature = "tls")]
impl Agents {
    pub(super) fn new(registration: &Registration) -> Self {
        let mut urls = registration.urls.split(',');
        let is_https = urls.any(|url| url.trim().starts_with("https://"));
        let files = is_https.then(|| registration.tls.clone().unwrap_or_default());
        Self {
            key: registration.key.clone(),
            made: super::tls::Watched::new(files),
        }
    }

    /// Returns the client.
    ///
    /// # Errors
    /// Returns an error if the files of TLS cannot be used.
    pub(super) fn agent(&self) -> Result<Agent, ureq::Error> {
        let config = || config(self.key.as_deref());
        let made = self.made.get(|tls| match tls {
            None => config().build().into(),
            Some(tls) => config().tls_config(tls).build().into(),
        });
        made.map_err(|reason| ureq::Error::Other(reason.into()))
    }
}

/// Shows the key with each request.
struct Keyed(String);

impl Middleware for Keyed {
    fn handle(
        &self,
        mut request: ureq::http::Request<SendBody<'_>>,
        next: MiddlewareNext<'_>,
    ) -> Result<Response<Body>, ureq::Error> {
        // A text that no header can have is no key either: the orchestrator says so.
        if let Ok(mut value) = HeaderValue::try_from(&self.0) {
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        next.handle(request)
    }
}
