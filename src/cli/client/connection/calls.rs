//! The requests, each sent to the orchestrator whose turn it is.

use std::io::Read;
use std::time::Duration;

use serde_json::Value;
use ureq::{Agent, RequestBuilder};

use super::agents::{Agents, TURN_LIMIT};
use super::exposure::{Exposure, KeyUse};
use super::reading::{MAX_ANSWER, Sent, Verdict, goes_on, read_answer};
use super::sentences::{failure, stranger};
use super::turns::{Act, Attempt, Failure, Turns, Unserved};
use crate::config::{self, CallerFiles, ServerKey, ServerUrl};
use crate::logging::escapes::escaped;

/// How long an answer that goes on may be silent: three times as long as the orchestrator is.
const SILENCE_LIMIT: Duration = Duration::from_secs(45);

/// The time for each part of a bundle: one that hangs must not hold up the others for long.
const PART_LIMIT: Duration = Duration::from_secs(15);

/// An answer as it is, of an orchestrator that was reached.
#[derive(Debug)]
pub(in crate::cli::client) enum Answer {
    /// The body of a 200.
    Ok(String),
    /// Any other answer.
    Refused { reason: String, body: String },
}

/// The reason why an answer did not come.
#[derive(Debug)]
pub(in crate::cli::client) struct Unanswered {
    pub(in crate::cli::client) sentence: String,
    /// Whether nothing listens there, so that a further request has no answer either.
    pub(in crate::cli::client) is_gone: bool,
}

/// An answer to a request for events as they happen.
pub(in crate::cli::client) enum Stream {
    Events(Box<dyn Read>),
    /// The reason, which does not pass by itself.
    Refused(String),
}

/// The addresses of the orchestrators, and the agent that calls them.
#[derive(Debug)]
pub(in crate::cli::client) struct Connection {
    turns: Turns,
    agents: Agents,
    exposure: Exposure,
}

impl Connection {
    /// Creates the connection to the orchestrators at `urls`, of which the first is asked first; nothing is sent yet.
    /// The files are for `https`, the key is what each request shows.
    ///
    /// # Errors
    /// Returns one sentence if the files cannot be used.
    pub(in crate::cli::client) fn to(
        urls: Vec<ServerUrl>,
        files: &CallerFiles,
        key: Option<ServerKey>,
    ) -> Result<Self, String> {
        let is_tls = urls.iter().any(ServerUrl::is_https);
        let exposure = Exposure::new(match key {
            Some(_) => KeyUse::Shown,
            None => KeyUse::None,
        });
        let agents = Agents::new(is_tls, files, key)?;
        Ok(Self {
            turns: Turns::new(urls, exposure.clone()),
            agents,
            exposure,
        })
    }

    /// Returns the addresses, in the order in which they were given.
    pub(in crate::cli::client) fn urls(&self) -> &[ServerUrl] {
        self.turns.urls()
    }

    /// Returns the address that served last, or is asked first.
    pub(in crate::cli::client) fn current(&self) -> String {
        self.turns
            .current()
            .map(ToString::to_string)
            .unwrap_or_default()
    }

    /// Keeps the sentence about a change of the orchestrator from now on, and prints none.
    pub(in crate::cli::client) fn keep_notes(&self) {
        self.turns.keep_notes();
    }

    /// Returns the sentence about the last change of the orchestrator, once.
    pub(in crate::cli::client) fn take_note(&self) -> Option<String> {
        self.turns.take_note()
    }

    /// Returns a connection to another orchestrator; `None` if the text is no address of one.
    pub(in crate::cli::client) fn beside(&self, url: &str) -> Option<Self> {
        Some(Self {
            turns: Turns::new(vec![config::server_url(url)?], self.exposure.clone()),
            agents: self.agents.clone(),
            exposure: self.exposure.clone(),
        })
    }

    /// Sends a GET; returns the body of a 200.
    ///
    /// # Errors
    /// Returns one sentence that says what happened.
    pub(in crate::cli::client) fn get(
        &self,
        path: &str,
        parameters: &[(&str, String)],
    ) -> Result<Value, String> {
        self.read(Act::Question, |agent, base| {
            with(agent.get(format!("{base}{path}")), parameters).call()
        })
    }

    /// Sends a GET; returns the body as it is. A path may have its query.
    ///
    /// # Errors
    /// Returns the reason if there was no whole answer in time.
    pub(in crate::cli::client) fn text(&self, path: &str) -> Result<Answer, Unanswered> {
        let asked = self.turns.ask(Act::Question, |url, _| {
            let request = self.agents.patient.get(format!("{}{path}", url.expose()));
            let request = request.config().timeout_global(Some(PART_LIMIT)).build();
            let read = request.call().and_then(|mut answer| {
                let status = answer.status().as_u16();
                let body = answer.body_mut().with_config().limit(MAX_ANSWER);
                Ok((status, body.read_to_string()?))
            });
            let (status, body) = match read {
                Ok((200, body)) => return Attempt::Served(Answer::Ok(body)),
                Ok(read) => read,
                Err(error) => return Attempt::Failed(failure(url, &error)),
            };
            let problem: Value = serde_json::from_str(&body).unwrap_or_default();
            let detail = problem["detail"].as_str().map(escaped);
            let reason = detail.unwrap_or_else(|| stranger(url, status));
            let goes_on = goes_on(Act::Question, status, &problem);
            let sentence = reason.clone();
            let answer = Answer::Refused { reason, body };
            if goes_on {
                Attempt::Declined(answer, sentence)
            } else {
                Attempt::Served(answer)
            }
        });
        asked.map_err(|Unserved { sentence, is_gone }| Unanswered { sentence, is_gone })
    }

    /// Sends a POST; returns the body of a 200.
    ///
    /// # Errors
    /// Returns one sentence that says what happened.
    pub(in crate::cli::client) fn post(
        &self,
        path: &str,
        parameters: &[(&str, String)],
    ) -> Result<Value, String> {
        self.read(act_of(parameters), |agent, base| {
            with(agent.post(format!("{base}{path}")), parameters).send_empty()
        })
    }

    /// Sends a POST with a JSON body; returns the body of a 200.
    ///
    /// # Errors
    /// Returns one sentence if there is no answer, and the refusal if there is another one.
    pub(in crate::cli::client) fn post_json(
        &self,
        act: Act,
        path: &str,
        body: &str,
    ) -> Result<Verdict, String> {
        self.answer(act, |agent, base| {
            let request = agent.post(format!("{base}{path}"));
            request.content_type("application/json").send(body)
        })
    }

    /// Sends an order with a JSON body; returns the body of a 200.
    ///
    /// # Errors
    /// Returns one sentence that says what happened.
    pub(in crate::cli::client) fn order(
        &self,
        path: &str,
        parameters: &[(&str, String)],
        body: &Value,
    ) -> Result<Value, String> {
        self.read(act_of(parameters), |agent, base| {
            with(agent.post(format!("{base}{path}")), parameters).send_json(body)
        })
    }

    /// Sends a PUT with a JSON body; returns the body of a 200.
    ///
    /// # Errors
    /// Returns one sentence that says what happened.
    pub(in crate::cli::client) fn put(&self, path: &str, body: &Value) -> Result<Value, String> {
        self.read(Act::Order, |agent, base| {
            agent.put(format!("{base}{path}")).send_json(body)
        })
    }

    /// Sends a DELETE with parameters; returns the body of a 200.
    ///
    /// # Errors
    /// Returns one sentence that says what happened.
    pub(in crate::cli::client) fn cancel(
        &self,
        path: &str,
        parameters: &[(&str, String)],
    ) -> Result<Value, String> {
        self.read(Act::Order, |agent, base| {
            with(agent.delete(format!("{base}{path}")), parameters).call()
        })
    }

    /// Sends a DELETE; returns the body of a 200.
    ///
    /// # Errors
    /// Returns one sentence that says what happened.
    pub(in crate::cli::client) fn delete(&self, path: &str) -> Result<Value, String> {
        self.cancel(path, &[])
    }

    /// Sends a GET whose answer goes on; `last` is the last event that was got.
    ///
    /// # Errors
    /// Returns one sentence if there is no answer, or it says to try again later.
    pub(in crate::cli::client) fn follow(
        &self,
        path: &str,
        parameters: &[(&str, String)],
        last: Option<&str>,
    ) -> Result<Stream, String> {
        let asked = self.turns.ask(Act::Question, |url, has_others| {
            let request = self.agents.patient.get(format!("{}{path}", url.expose()));
            let mut request = with(request, parameters);
            if let Some(last) = last {
                request = request.header("Last-Event-ID", last);
            }
            // An answer that goes on has no limit as a whole, and is never silent for so long.
            let request = request
                .config()
                .timeout_global(None)
                .timeout_recv_response(has_others.then_some(TURN_LIMIT))
                .timeout_per_read(Some(SILENCE_LIMIT))
                .build();
            let answer = match request.call() {
                Ok(answer) => answer,
                Err(error) => return Attempt::Failed(failure(url, &error)),
            };
            let is_stream = answer
                .headers()
                .get("content-type")
                .is_some_and(|kind| kind == "text/event-stream");
            if answer.status() == 200 && is_stream {
                let body = answer.into_body().into_reader();
                return Attempt::Served(Stream::Events(Box::new(body)));
            }
            let is_for_now = answer.status().is_server_error();
            let sentence = match read_answer(url, Act::Question, Ok(answer)) {
                Attempt::Served(Ok(_)) => stranger(url, 200),
                Attempt::Served(Err(refusal)) => refusal.sentence,
                Attempt::Declined(_, sentence) => sentence,
                Attempt::Failed(failure) => return Attempt::Failed(failure),
            };
            if is_for_now {
                return Attempt::Failed(Failure {
                    sentence,
                    is_gone: false,
                    may_be_applied: false,
                });
            }
            Attempt::Served(Stream::Refused(sentence))
        });
        asked.map_err(|unserved| unserved.sentence)
    }

    fn read(&self, act: Act, send: impl Fn(&Agent, &str) -> Sent) -> Result<Value, String> {
        self.answer(act, send)?.map_err(|refusal| refusal.sentence)
    }

    fn answer(&self, act: Act, send: impl Fn(&Agent, &str) -> Sent) -> Result<Verdict, String> {
        let asked = self.turns.ask(act, |url, has_others| {
            let agent = match act {
                Act::Question if has_others => &self.agents.hasty,
                Act::Question | Act::Order => &self.agents.patient,
            };
            read_answer(url, act, send(agent, url.expose()))
        });
        asked.map_err(|unserved| unserved.sentence)
    }
}

/// Adds parameters to a request.
fn with<B>(mut request: RequestBuilder<B>, parameters: &[(&str, String)]) -> RequestBuilder<B> {
    for (name, value) in parameters {
        request = request.query(*name, value);
    }
    request
}

/// Returns what an order with these parameters does.
fn act_of(parameters: &[(&str, String)]) -> Act {
    let is_dry = parameters
        .iter()
        .any(|(name, value)| *name == "dry_run" && value == "true");
    if is_dry { Act::Question } else { Act::Order }
}
