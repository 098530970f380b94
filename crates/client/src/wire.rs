//! Requests and answers as they are on the wire (`docs/WORKERS.md`).

use std::fmt::Write as _;
use std::net::{ToSocketAddrs, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use ureq::Body;
use ureq::http::Response;

use super::agent::Agents;
use super::machine::{Answer, Request, Running};
use super::orchestrators::Orchestrators;
use super::reading::{beat, duration, ids, number};
use super::registration::Registration;
use super::stream::StreamId;
use orchestrator_domain::cleartext::is_cleartext;
use orchestrator_domain::masked_url::{masked_url, with_masked_urls};

/// How long the orchestrator may hold a long poll without news.
pub(super) const NEWS_WAIT: Duration = Duration::from_secs(30);

/// The longest answer that is read: a set of a hundred thousand streams fits.
const MAX_ANSWER: u64 = 64 * 1024 * 1024;

/// How long a heartbeat waits for an answer if another orchestrator can be asked. A standby keeps it for 3 s at the
/// most while there is no leader.
const HEARTBEAT_LIMIT_OF_SEVERAL: Duration = Duration::from_secs(4);

/// Speaks with the orchestrators for one worker, with one at a time.
#[derive(Debug)]
pub(super) struct Wire {
    registration: Registration,
    orchestrators: Mutex<Orchestrators>,
    agents: Agents,
    /// Whether the author has heard that the key is not encrypted.
    is_exposure_said: AtomicBool,
}

/// The result of a long poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// The orchestrator's current version.
    Version(i64),
    /// The orchestrator does not offer the call, or not to this incarnation.
    None,
    /// There was no answer, or an unusable one.
    Failed,
}

/// An answer, and a sentence about what went wrong.
type Outcome = (Answer, Option<String>);

/// The parts that are read of any answer.
struct Reply {
    status: u16,
    retry_after: Option<Duration>,
    /// Whether it is an error of the orchestrator itself, and not of a proxy before it.
    is_problem: bool,
    body: Value,
    /// The incarnation that the request named, if it named one.
    asked_by: Option<i64>,
}

impl Wire {
    pub(super) fn new(registration: Registration) -> Self {
        let agents = Agents::new(&registration);
        let orchestrators = Mutex::new(Orchestrators::new(&registration.urls));
        Self {
            registration,
            orchestrators,
            agents,
            is_exposure_said: AtomicBool::new(false),
        }
    }

    fn orchestrators(&self) -> MutexGuard<'_, Orchestrators> {
        self.orchestrators
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The URL of the orchestrator that is asked.
    fn url(&self) -> String {
        self.orchestrators().current().to_owned()
    }

    /// Returns the URL of the next request, masked, if the request is the first one that shows the key without encryption.
    pub(super) fn newly_in_cleartext(&self) -> Option<String> {
        self.registration.key.as_ref()?;
        let url = self.url();
        let is_news = is_cleartext(&url) && !self.is_exposure_said.swap(true, Ordering::Relaxed);
        is_news.then(|| masked_url(&url))
    }

    /// Sends a request and waits for its answer, for at most `limit` per HTTP call.
    pub(super) fn send(&self, request: &Request, limit: Duration) -> Outcome {
        let outcome = match request {
            Request::Register => self.register(limit),
            Request::Heartbeat {
                incarnation,
                version,
                running,
                term,
                resuming,
            } => {
                let mut body = self.heartbeat_body(*incarnation, *version, running);
                if let Some(term) = term {
                    body["term"] = json!(term);
                }
                if *resuming {
                    body["resuming"] = json!(true);
                }
                self.heartbeat(&body, limit)
            }
            Request::List {
                incarnation,
                requested,
            } => self.list(*incarnation, *requested, limit),
            Request::Release {
                incarnation,
                streams,
                epochs,
                reason,
            } => self.release(*incarnation, (streams, epochs), reason.as_deref(), limit),
            Request::Leave {
                incarnation,
                streams,
                epochs,
                back_in: None,
            } => self.leave(*incarnation, (streams, epochs), limit),
            Request::Leave {
                incarnation,
                back_in: Some(back_in),
                ..
            } => self.say_goodbye(*incarnation, Some(*back_in), limit),
        };
        let outcome = outcome.unwrap_or_else(|error| {
            let failed = Answer::Failed { retry_after: None };
            let why = match error {
                ureq::Error::Other(reason) => reason.to_string(),
                error => error.to_string(),
            };
            (failed, Some(with_masked_urls(&why)))
        });
        if serves(&outcome.0) {
            self.orchestrators().served();
            return outcome;
        }
        let is_one_left = self.orchestrators().failed();
        match outcome {
            (Answer::Failed { .. }, why) if is_one_left => (Answer::Elsewhere, why),
            outcome => outcome,
        }
    }

    fn register(&self, limit: Duration) -> Result<Outcome, ureq::Error> {
        let registration = &self.registration;
        let (ip, port) = match &registration.address {
            Some((ip, port)) => (ip.clone(), *port),
            None => (own_address(&self.url()), 1),
        };
        let mut body = json!({
            "server_id": registration.server_id,
            "ip": ip,
            "port": port,
            "max_streams": registration.max_streams,
            "labels": registration.labels,
            "auto_assign": registration.auto_assign,
        });
        if let Some(capacity) = registration.capacity {
            body["capacity"] = json!(capacity);
        }
        if let Some(interval) = registration.heartbeat_interval {
            body["heartbeat_interval"] = json!(interval.as_secs_f64());
        }
        let reply = self.post("/register", &body, limit)?;
        let others = reply.body["orchestrators"].as_array();
        let others = others.into_iter().flatten().filter_map(Value::as_str);
        self.orchestrators().learn(others);
        let outcome = reply.read(|body| {
            Some(Answer::Registered {
                // An orchestrator without incarnations ignores the number.
                incarnation: number(&body["incarnation"])?.unwrap_or(0),
                interval: duration(&body["heartbeat_interval_seconds"])?
                    .unwrap_or(Duration::from_secs(30)),
                request_limit: duration(&body["request_timeout_seconds"])?,
            })
        });
        Ok(match outcome {
            (Answer::Unknown, _) => {
                let why = "it knows no /register; is its URL right?";
                (Answer::Failed { retry_after: None }, Some(why.to_owned()))
            }
            outcome => outcome,
        })
    }

    fn heartbeat(&self, body: &Value, limit: Duration) -> Result<Outcome, ureq::Error> {
        let limit = match self.orchestrators().are_several() {
            true => limit.min(HEARTBEAT_LIMIT_OF_SEVERAL),
            false => limit,
        };
        let reply = self.post("/heartbeat", body, limit)?;
        Ok(reply.read(|body| Some(Answer::Beaten(beat(body)?))))
    }

    fn heartbeat_body(&self, incarnation: i64, version: Option<i64>, running: &Running) -> Value {
        let mut body = json!({
            "server_id": self.registration.server_id,
            "status": "active",
            "incarnation": incarnation,
        });
        if let Some(version) = version {
            body["assignment_version"] = json!(version);
        }
        match running {
            Running::Streams(ids) => {
                body["current_streams"] = json!(ids.len());
                body["streams"] = json!(ids);
            }
            Running::Digest { count, digest } => {
                body["current_streams"] = json!(count);
                body["streams_digest"] = json!(format!("{digest:016x}"));
            }
        }
        body
    }

    /// Waits for a version other than this one. Another version is answered at once, this one after
    /// a while.
    pub(super) fn news(&self, incarnation: i64, version: i64) -> News {
        let id = encoded(&self.registration.server_id);
        let url = self.url();
        let wait = NEWS_WAIT.as_secs();
        let path = format!(
            "{url}/instances/{id}/assignments?version={version}&wait={wait}s\
             &incarnation={incarnation}"
        );
        let reply = || {
            let question = self.agents.agent()?.get(path).config();
            let limit = NEWS_WAIT + Duration::from_secs(10);
            Reply::of(question.timeout_global(Some(limit)).build().call()?)
        };
        match reply() {
            Ok(reply) if reply.status == 200 => {
                let version = reply.body["assignment_version"].as_i64();
                version.map_or(News::Failed, News::Version)
            }
            Ok(reply) if [404, 405, 409, 410, 422, 501].contains(&reply.status) => News::None,
            Ok(_) | Err(_) => News::Failed,
        }
    }

    /// Does what classic workers do: requests more streams, then reads the whole list.
    fn list(
        &self,
        incarnation: i64,
        requested: usize,
        limit: Duration,
    ) -> Result<Outcome, ureq::Error> {
        let id = &self.registration.server_id;
        let ask =
            json!({"server_id": id, "incarnation": incarnation, "requested_count": requested});
        let asked = self.post("/streams/assign", &ask, limit)?;
        if asked.status != 200 {
            return Ok(asked.read(|_| None));
        }
        let path = format!("{}/instances/{}", self.url(), encoded(id));
        let answer = self.agents.agent()?.get(path).config();
        let answer = answer.timeout_global(Some(limit)).build().call()?;
        let reply = Reply::of(answer)?;
        Ok(reply.read(|body| Some(Answer::Listed(ids(&body["data"]["assigned_streams"])?))))
    }

    fn release(
        &self,
        incarnation: i64,
        (streams, epochs): (&[StreamId], &[i64]),
        reason: Option<&str>,
        limit: Duration,
    ) -> Result<Outcome, ureq::Error> {
        let id = &self.registration.server_id;
        let mut body = json!({
            "server_id": id, "incarnation": incarnation, "stream_ids": streams, "epochs": epochs,
        });
        if let Some(reason) = reason {
            body["reason"] = json!(reason);
        }
        let reply = self.post("/streams/release", &body, limit)?;
        Ok(reply.read(|_| Some(Answer::Released)))
    }

    /// Releases the streams and leaves. The release names the incarnation, so a newer process of
    /// this name stays registered.
    fn leave(
        &self,
        incarnation: i64,
        streams: (&[StreamId], &[i64]),
        limit: Duration,
    ) -> Result<Outcome, ureq::Error> {
        let (released, why) = self.release(incarnation, streams, None, limit)?;
        if released != Answer::Released {
            return Ok((released, why));
        }
        self.say_goodbye(incarnation, None, limit)
    }

    /// Leaves; for a while if `back_in` is given, during which the streams are reserved.
    fn say_goodbye(
        &self,
        incarnation: i64,
        back_in: Option<Duration>,
        limit: Duration,
    ) -> Result<Outcome, ureq::Error> {
        let id = encoded(&self.registration.server_id);
        // The incarnation proves that the worker itself leaves, so its lease is not waited for.
        let url = self.url();
        let mut path = format!("{url}/instances/{id}?incarnation={incarnation}");
        if let Some(back_in) = back_in {
            path.push_str(&format!("&back_in={}", back_in.as_secs_f64()));
        }
        let answer = self.agents.agent()?.delete(path).config();
        let answer = answer.timeout_global(Some(limit)).build().call()?;
        Ok(Reply::of(answer)?.read(|_| Some(Answer::Left)))
    }

    fn post(&self, path: &str, body: &Value, limit: Duration) -> Result<Reply, ureq::Error> {
        let request = self.agents.agent()?.post(format!("{}{path}", self.url()));
        let request = request.config().timeout_global(Some(limit)).build();
        let mut reply = Reply::of(request.send_json(body)?)?;
        reply.asked_by = body["incarnation"].as_i64();
        Ok(reply)
    }
}

/// Returns whether an orchestrator has served with this answer. One that could not prove that it leads, or that grants no
/// lease, may be cut off, and another one may do better.
fn serves(answer: &Answer) -> bool {
    match answer {
        Answer::Failed { .. } | Answer::Elsewhere => false,
        Answer::Beaten(beat) => !beat.is_unproven && beat.lease != Some(Duration::ZERO),
        Answer::Registered { .. }
        | Answer::Listed(_)
        | Answer::Released
        | Answer::Left
        | Answer::Unknown
        | Answer::OtherProcess(_)
        | Answer::Refused(_) => true,
    }
}

impl Reply {
    fn of(mut answer: Response<Body>) -> Result<Self, ureq::Error> {
        let header = |name: &str| answer.headers().get(name)?.to_str().ok();
        let retry_after = header("retry-after").and_then(|seconds| seconds.trim().parse().ok());
        let is_problem =
            header("content-type").is_some_and(|kind| kind.starts_with("application/problem+json"));
        let status = answer.status().as_u16();
        let text = answer.body_mut().with_config().limit(MAX_ANSWER);
        let text = text.read_to_string()?;
        Ok(Self {
            status,
            retry_after: retry_after.map(Duration::from_secs),
            is_problem,
            body: serde_json::from_str(&text).unwrap_or(Value::Null),
            asked_by: None,
        })
    }

    /// Returns whether the incarnation that the orchestrator calls current is earlier than the one
    /// in the request: then no other process registered, but the orchestrator has lost its memory
    /// of this one.
    fn has_forgotten(&self) -> bool {
        let current = self.body["current_incarnation"].as_i64();
        current.is_some() && current < self.asked_by
    }

    /// Interprets the answer; `success` reads the body of a 200.
    fn read(&self, success: impl FnOnce(&Value) -> Option<Answer>) -> Outcome {
        let detail = self.body["detail"].as_str().unwrap_or_default().to_owned();
        match self.status {
            200 => {
                if let Some(answer) = success(&self.body) {
                    return (answer, None);
                }
            }
            404 if self.is_problem => return (Answer::Unknown, None),
            409 if self.is_problem && self.has_forgotten() => return (Answer::Unknown, None),
            409 if self.is_problem => return (Answer::OtherProcess(detail), None),
            400 | 422 if self.is_problem => {
                return (Answer::Refused(detail.clone()), Some(detail));
            }
            _ => {}
        }
        let failed = Answer::Failed {
            retry_after: self.retry_after,
        };
        let why = format!("it answered {} {detail}", self.status);
        (failed, Some(why.trim_end().to_owned()))
    }
}

/// Returns the text percent-encoded, for a path.
fn encoded(text: &str) -> String {
    let mut path = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            let _ = write!(path, "%{byte:02X}");
        }
    }
    path
}

/// Returns the address this computer has on the way to the orchestrator. Nothing is sent.
fn own_address(url: &str) -> String {
    let look = || -> Option<String> {
        let uri: ureq::http::Uri = url.parse().ok()?;
        let port = uri.port_u16().unwrap_or(80);
        let host = uri.host()?.trim_matches(['[', ']']);
        let target = (host, port).to_socket_addrs().ok()?.next()?;
        let any = if target.is_ipv4() {
            "0.0.0.0:0"
        } else {
            "[::]:0"
        };
        let socket = UdpSocket::bind(any).ok()?;
        socket.connect(target).ok()?;
        Some(socket.local_addr().ok()?.ip().to_string())
    };
    look().unwrap_or_else(|| "127.0.0.1".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_encoded_for_paths() {
        assert_eq!(encoded("a/b ü%"), "a%2Fb%20%C3%BC%25");
    }

    #[test]
    fn the_own_address_is_that_of_the_way() {
        assert_eq!(own_address("http://127.0.0.1:8001"), "127.0.0.1");
        assert_eq!(own_address("no url at all"), "127.0.0.1");
    }
}
