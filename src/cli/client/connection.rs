//! One request to a running orchestrator, and the sentence to print if it does not answer.

use std::io::{self, Read};
use std::time::Duration;

use serde_json::Value;
use ureq::http::header::AUTHORIZATION;
use ureq::http::{HeaderValue, Request, Response};
use ureq::middleware::{Middleware, MiddlewareNext};
use ureq::{Agent, Body, Error, SendBody};

use super::routes::in_commands;
use crate::config::{self, CLIENT_CERT, CLIENT_KEY, CallerFiles, SERVER_CA, ServerKey, ServerUrl};
use crate::logging::escapes::escaped;
use crate::outbound::{CallerIdentity, tls_as};

/// Longer than the longest answer takes: a consistency check with a database that hangs.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// A host that is not there is given up sooner.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// How long an answer that goes on may be silent: three times as long as the orchestrator is.
const SILENCE_LIMIT: Duration = Duration::from_secs(45);

/// The time for each part of a bundle: one that hangs must not hold up the others for long.
const PART_LIMIT: Duration = Duration::from_secs(15);

/// How much of an answer is read: more than the longest page of the catalogue has.
const MAX_ANSWER: u64 = 256 * 1024 * 1024;

/// The answer of an orchestrator that did not do what it was asked to.
#[derive(Debug)]
pub(super) struct Refusal {
    /// The reason.
    pub(super) sentence: String,
    /// The bad fields, as the answer names them.
    pub(super) errors: Value,
}

/// An answer as it is, of an orchestrator that was reached.
#[derive(Debug)]
pub(super) enum Answer {
    /// The body of a 200.
    Ok(String),
    /// Any other answer.
    Refused { reason: String, body: String },
}

/// The reason why an answer did not come.
#[derive(Debug)]
pub(super) struct Unanswered {
    pub(super) sentence: String,
    /// Whether nothing listens there, so that a further request has no answer either.
    pub(super) is_gone: bool,
}

/// An answer to a request for events as they happen.
pub(super) enum Stream {
    Events(Box<dyn Read>),
    /// The reason, which does not pass by itself.
    Refused(String),
}

/// The address of the orchestrator, and the agent that calls it.
#[derive(Debug)]
pub(super) struct Connection {
    url: ServerUrl,
    agent: Agent,
}

impl Connection {
    /// Creates the connection to the orchestrator at `url`; nothing is sent yet. The files are for `https`, the key
    /// is what each request shows.
    ///
    /// # Errors
    /// Returns one sentence if the files cannot be used.
    pub(super) fn to(
        url: ServerUrl,
        files: &CallerFiles,
        key: Option<ServerKey>,
    ) -> Result<Self, String> {
        let mut config = Agent::config_builder();
        if url.is_https() {
            let identity = files.identity.as_ref();
            let identity = identity.map(|(certificate, key)| CallerIdentity {
                certificate: (CLIENT_CERT, certificate),
                key: (CLIENT_KEY, key),
            });
            config = config.tls_config(tls_as(identity, files.ca.as_deref(), SERVER_CA)?);
        }
        if let Some(key) = key {
            config = config.middleware(Keyed(key));
        }
        let agent = config
            .timeout_global(Some(ANSWER_LIMIT))
            .timeout_connect(Some(CONNECT_LIMIT))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            // The orchestrator is on the local network; a proxy to the internet does not know it.
            .proxy(None)
            .build()
            .into();
        Ok(Self { url, agent })
    }

    /// Sends a GET; returns the body of a 200.
    ///
    /// # Errors
    /// Returns one sentence that says what happened.
    pub(super) fn get(&self, path: &str, parameters: &[(&str, String)]) -> Result<Value, String> {
        let mut request = self.agent.get(format!("{}{path}", self.url.expose()));
        for (name, value) in parameters {
            request = request.query(*name, value);
        }
        self.read(request.call())
    }

    /// Returns a connection to another orchestrator; `None` if the text is no address of one.
    pub(super) fn beside(&self, url: &str) -> Option<Self> {
        let (url, _) = config::server_url(Some(url.into())).ok()?;
        let agent = self.agent.clone();
        Some(Self { url, agent })
    }

    /// Sends a GET; returns the body as it is. A path may have its query.
    ///
    /// # Errors
    /// Returns the reason if there was no whole answer in time.
    pub(super) fn text(&self, path: &str) -> Result<Answer, Unanswered> {
        let unanswered = |error: Error| Unanswered {
            sentence: self.unreachable(&error),
            is_gone: is_gone(&error),
        };
        let request = self.agent.get(format!("{}{path}", self.url.expose()));
        let request = request.config().timeout_global(Some(PART_LIMIT)).build();
        let mut answer = request.call().map_err(unanswered)?;
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(MAX_ANSWER);
        let body = body.read_to_string().map_err(unanswered)?;
        if status == 200 {
            return Ok(Answer::Ok(body));
        }
        let problem: Value = serde_json::from_str(&body).unwrap_or_default();
        let detail = problem["detail"].as_str().map(escaped);
        let reason = detail.unwrap_or_else(|| self.stranger(status));
        Ok(Answer::Refused { reason, body })
    }

    /// Sends a POST; returns the body of a 200.
    ///
    /// # Errors
    /// Returns one sentence that says what happened.
    pub(super) fn post(&self, path: &str, parameters: &[(&str, String)]) -> Result<Value, String> {
        let mut request = self.agent.post(format!("{}{path}", self.url.expose()));
        for (name, value) in parameters {
            request = request.query(*name, value);
        }
        self.read(request.send_empty())
    }

    /// Sends a POST with a JSON body; returns the body of a 200.
    ///
    /// # Errors
    /// Returns one sentence if there is no answer, and the refusal if there is another one.
    pub(super) fn post_json(
        &self,
        path: &str,
        body: &str,
    ) -> Result<Result<Value, Refusal>, String> {
        let request = self.agent.post(format!("{}{path}", self.url.expose()));
        self.answer(request.content_type("application/json").send(body))
    }

    /// Sends an order with a JSON body; returns the body of a 200.
    ///
    /// # Errors
    /// Returns one sentence that says what happened.
    pub(super) fn order(
        &self,
        path: &str,
        parameters: &[(&str, String)],
        body: &Value,
    ) -> Result<Value, String> {
        let mut request = self.agent.post(format!("{}{path}", self.url.expose()));
        for (name, value) in parameters {
            request = request.query(*name, value);
        }
        self.read(request.send_json(body))
    }

    /// Sends a PUT with a JSON body; returns the body of a 200.
    ///
    /// # Errors
    /// Returns one sentence that says what happened.
    pub(super) fn put(&self, path: &str, body: &Value) -> Result<Value, String> {
        let request = self.agent.put(format!("{}{path}", self.url.expose()));
        self.read(request.send_json(body))
    }

    /// Sends a DELETE with parameters; returns the body of a 200.
    ///
    /// # Errors
    /// Returns one sentence that says what happened.
    pub(super) fn cancel(
        &self,
        path: &str,
        parameters: &[(&str, String)],
    ) -> Result<Value, String> {
        let mut request = self.agent.delete(format!("{}{path}", self.url.expose()));
        for (name, value) in parameters {
            request = request.query(*name, value);
        }
        self.read(request.call())
    }

    /// Sends a DELETE; returns the body of a 200.
    ///
    /// # Errors
    /// Returns one sentence that says what happened.
    pub(super) fn delete(&self, path: &str) -> Result<Value, String> {
        let request = self.agent.delete(format!("{}{path}", self.url.expose()));
        self.read(request.call())
    }

    /// Sends a GET whose answer goes on; `last` is the last event that was got.
    ///
    /// # Errors
    /// Returns one sentence if there is no answer, or it says to try again later.
    pub(super) fn follow(
        &self,
        path: &str,
        parameters: &[(&str, String)],
        last: Option<&str>,
    ) -> Result<Stream, String> {
        let mut request = self.agent.get(format!("{}{path}", self.url.expose()));
        for (name, value) in parameters {
            request = request.query(*name, value);
        }
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        // An answer that goes on has no limit as a whole, and is never silent for so long.
        let request = request
            .config()
            .timeout_global(None)
            .timeout_per_read(Some(SILENCE_LIMIT))
            .build();
        let answer = request.call().map_err(|error| self.unreachable(&error))?;
        let is_stream = answer
            .headers()
            .get("content-type")
            .is_some_and(|kind| kind == "text/event-stream");
        if answer.status() == 200 && is_stream {
            let body = answer.into_body().into_reader();
            return Ok(Stream::Events(Box::new(body)));
        }
        let is_for_now = answer.status().is_server_error();
        let sentence = match self.answer(Ok(answer))? {
            Ok(_) => self.stranger(200),
            Err(refusal) => refusal.sentence,
        };
        if is_for_now {
            return Err(sentence);
        }
        Ok(Stream::Refused(sentence))
    }

    fn read(&self, answer: Result<Response<Body>, Error>) -> Result<Value, String> {
        self.answer(answer)?.map_err(|refusal| refusal.sentence)
    }

    fn answer(
        &self,
        answer: Result<Response<Body>, Error>,
    ) -> Result<Result<Value, Refusal>, String> {
        let mut answer = answer.map_err(|error| self.unreachable(&error))?;
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(MAX_ANSWER);
        let mut body: Value = body.read_json().map_err(|error| match error {
            Error::Timeout(_) | Error::Io(_) => self.unreachable(&error),
            _ => self.stranger(status),
        })?;
        if status == 200 {
            return Ok(Ok(body));
        }
        let detail = body["detail"].as_str().filter(|detail| !detail.is_empty());
        let sentence = detail.map_or_else(
            || self.stranger(status),
            |detail| in_commands(&escaped(detail)) + &named(&body["would_not_fit"]),
        );
        Ok(Err(Refusal {
            sentence,
            errors: body["errors"].take(),
        }))
    }

    fn unreachable(&self, error: &Error) -> String {
        let url = &self.url;
        match error {
            gone if is_gone(gone) => format!("no orchestrator answers at {url}."),
            Error::Timeout(_) => format!("the orchestrator at {url} does not answer in time."),
            other if other.to_string().contains("received fatal alert") => {
                refused_by(url, &other.to_string())
            }
            other if other.to_string().contains("corrupt message") => format!(
                "the answer from {url} is none of TLS; if it speaks http, write http:// in --url."
            ),
            other if other.to_string().contains("certificate") => {
                bad_certificate(url, &other.to_string())
            }
            // The texts of these errors repeat the address that could not be read.
            Error::BadUri(_) | Error::Http(_) => {
                format!("the orchestrator's address {url} cannot be used; check --url.")
            }
            other => format!("the orchestrator at {url} cannot be asked: {other}."),
        }
    }

    fn stranger(&self, status: u16) -> String {
        format!(
            "unexpected response from {} (HTTP {status}, not an orchestrator's); check --url.",
            self.url
        )
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

/// Returns whether nothing listens there.
fn is_gone(error: &Error) -> bool {
    match error {
        Error::Io(error) => error.kind() == io::ErrorKind::ConnectionRefused,
        Error::ConnectionFailed | Error::HostNotFound => true,
        _ => false,
    }
}

/// Returns what is wrong with a certificate, and what would do.
fn bad_certificate(url: &ServerUrl, error: &str) -> String {
    let does = |words: [&str; 2]| words.iter().any(|word| error.contains(word));
    if does(["Expired", "expired"]) {
        format!("the certificate of the orchestrator at {url} has expired; it needs a new one.")
    } else if does(["NotValidYet", "not valid yet"]) {
        format!(
            "the certificate of the orchestrator at {url} is not valid yet; check the clocks of both \
             machines."
        )
    } else if does(["NotValidForName", "not valid for name"]) {
        format!(
            "the certificate of the orchestrator at {url} is for another name ({error}); use a name in \
             --url that it is for."
        )
    } else {
        format!(
            "the certificate of the orchestrator at {url} is not trusted: {error}; name the \
             certificates that it is signed with by {SERVER_CA} (a PEM file)."
        )
    }
}

/// Returns the sentence about an orchestrator that ended the handshake, with the reason as TLS has it.
fn refused_by(url: &ServerUrl, error: &str) -> String {
    let reason = error.rsplit(": ").next().unwrap_or(error);
    format!(
        "the orchestrator at {url} refused the TLS connection ({reason}). If that is about the certificate in \
         {CLIENT_CERT}: it must be signed by an authority in the orchestrator's TLS_CLIENT_CA, be for clients, and \
         be valid; the orchestrator's log has its reason."
    )
}

/// Returns the streams that an answer names, as a sentence of their own.
fn named(streams: &Value) -> String {
    let streams = streams.as_array().map_or(&[][..], Vec::as_slice);
    if streams.is_empty() {
        return String::new();
    }
    let streams: Vec<String> = streams.iter().map(Value::to_string).collect();
    format!(" No room for: {}.", streams.join(", "))
}
