//! The real routes over real actors and a memory store that can be made to fail, in virtual time.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test program is a crate by itself and uses another part"
)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper that cannot do its work fails the test that needs it"
)]

pub(crate) mod described;
#[path = "../faults/mod.rs"]
pub(crate) mod faults;
#[path = "../support_log/mod.rs"]
pub mod support_log;

use std::future::{Future, poll_fn};
use std::io::Read;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::http::Method;
use actix_web::http::header::{HeaderMap, HeaderName};
use actix_web::{dev::Service, test};
use flate2::read::GzDecoder;
use prometheus_client::registry::Registry;
use resilient_orchestrator::actors::access::{KeyDemand, Keyring};
use resilient_orchestrator::actors::orchestrator::Orchestrator;
use resilient_orchestrator::actors::start::{Loaded, Placement, SystemSettings, start};
use resilient_orchestrator::actors::telemetry::Telemetry;
use resilient_orchestrator::clock::testing::VirtualTime;
use resilient_orchestrator::domain::access::Network;
use resilient_orchestrator::domain::time::WallTime;
use resilient_orchestrator::http::{self, Access, AppState, Gate, HttpSettings, Phase, Readiness};
use serde_json::{Value, json};

use faults::FaultyStore;

/// 2026-01-01T00:00:00Z.
pub const NEW_YEAR: WallTime = WallTime::from_micros(1_767_225_600_000_000);

/// An answer as a client sees it.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
    pub bytes: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let name = HeaderName::try_from(name).unwrap();
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The body of an answer that must be 200.
    #[track_caller]
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        assert_eq!(self.header("content-type"), Some("application/json"));
        self.json()
    }

    /// The body of an answer that is no problem and has a status.
    #[track_caller]
    pub fn ok_or_status(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.json()
    }

    /// The body of an answer that must be a problem of a status.
    #[track_caller]
    pub fn problem(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json")
        );
        let body = self.json();
        assert_eq!(body["status"], status);
        for text in ["type", "title", "detail"] {
            assert!(
                body[text].as_str().is_some_and(|text| !text.is_empty()),
                "{body}"
            );
        }
        assert_eq!(
            self.header("retry-after").is_some(),
            [429, 503].contains(&status),
            "only what passes by itself is worth repeating"
        );
        body
    }

    /// The fields a 422 names, in the order it names them.
    #[track_caller]
    pub fn bad_fields(&self) -> Vec<String> {
        let body = self.problem(422);
        let errors = body["errors"].as_array().expect("errors");
        for error in errors {
            assert!(
                error["reason"]
                    .as_str()
                    .is_some_and(|reason| !reason.is_empty())
            );
        }
        errors
            .iter()
            .map(|error| error["field"].as_str().unwrap().to_owned())
            .collect()
    }
}

type Call = dyn Fn(test::TestRequest) -> Pin<Box<dyn Future<Output = Answer>>>;

type Open = dyn Fn(test::TestRequest) -> Pin<Box<dyn Future<Output = Opened>>>;

/// An answer whose body is read while it is written.
pub struct Opened {
    pub status: u16,
    pub headers: HeaderMap,
    body: BoxBody,
}

impl Opened {
    /// The next piece of the body, however long it takes; none at its end.
    pub async fn next(&mut self) -> Option<String> {
        let piece = poll_fn(|context| Pin::new(&mut self.body).poll_next(context)).await?;
        Some(String::from_utf8(piece.unwrap().to_vec()).unwrap())
    }

    /// Whatever comes within a second.
    pub async fn soon(&mut self) -> String {
        let mut text = String::new();
        while let Ok(Some(piece)) = tokio::time::timeout(Duration::from_secs(1), self.next()).await
        {
            text.push_str(&piece);
        }
        text
    }
}

/// The text in what is compressed with gzip; none if it is not.
fn unpacked(bytes: &[u8]) -> Option<String> {
    let mut text = String::new();
    GzDecoder::new(bytes).read_to_string(&mut text).ok()?;
    Some(text)
}

/// A running system.
pub struct World {
    pub orchestrator: Orchestrator,
    pub(crate) store: FaultyStore,
    pub state: AppState,
    call: Box<Call>,
    open: Box<Open>,
    _log: support_log::NoUnexpectedError,
}

impl World {
    /// A fresh system; stops the runtime's clock.
    pub async fn start() -> Self {
        Self::with(HttpSettings::default()).await
    }

    pub async fn with(settings: HttpSettings) -> Self {
        tokio::time::pause();
        Self::on(Self::empty_store(), settings).await
    }

    pub(crate) fn empty_store() -> FaultyStore {
        FaultyStore::new(VirtualTime::starting_at(NEW_YEAR).clock(), 0)
    }

    /// A system on a store that may hold a fleet already.
    pub(crate) async fn on(store: FaultyStore, settings: HttpSettings) -> Self {
        let loaded = Loaded::from_store(Arc::new(store.clone())).await.unwrap();
        Self::on_loaded(store, loaded, settings).await
    }

    /// A system with what was loaded from a store.
    pub(crate) async fn on_loaded(
        store: FaultyStore,
        loaded: Loaded,
        settings: HttpSettings,
    ) -> Self {
        Self::behind(None, store, loaded, settings).await
    }

    /// A system whose callers need a key; those of the networks are workers without one.
    pub(crate) async fn guarded(networks: &[&str], proxies: &[&str]) -> Self {
        tokio::time::pause();
        let store = Self::empty_store();
        let keyring = Keyring::new(
            VirtualTime::starting_at(NEW_YEAR).clock(),
            KeyDemand::Required,
        );
        keyring.replace(Vec::new());
        let loaded = Loaded::from_store(Arc::new(store.clone())).await.unwrap();
        let loaded = loaded.guarded_by(keyring.clone());
        let read = |texts: &[&str]| {
            let networks = texts.iter().map(|text| Network::parse(text).unwrap());
            networks.collect()
        };
        let access = Access::new(keyring, read(networks), read(proxies));
        Self::behind(Some(access), store, loaded, HttpSettings::default()).await
    }

    async fn behind(
        access: Option<Access>,
        store: FaultyStore,
        loaded: Loaded,
        settings: HttpSettings,
    ) -> Self {
        let log = support_log::watch();
        let mut registry = Registry::default();
        let telemetry = Telemetry::new(&mut registry);
        // Moves that a test did not order would be in its way.
        let mut system = SystemSettings::default();
        system.balance.automatic = false;
        let (orchestrator, _) = start(
            loaded,
            &system,
            VirtualTime::starting_at(NEW_YEAR).clock(),
            telemetry,
            &Placement::Here,
        );
        let readiness = Readiness::new();
        readiness.set(true);
        let state = AppState::new(orchestrator.clone(), settings, readiness, registry);
        let gate = match access {
            None => Gate::from(state.clone()),
            Some(access) => {
                let cluster = orchestrator.cluster().clone();
                Gate::guarded(cluster, Phase::Serving(state.clone()), access)
            }
        };
        let service = Rc::new(test::init_service(http::app(gate)).await);
        let opening = service.clone();
        let open = Box::new(move |request: test::TestRequest| {
            let service = opening.clone();
            let opened: Pin<Box<dyn Future<Output = Opened>>> = Box::pin(async move {
                let response = service.call(request.to_request()).await.unwrap();
                let (head, body) = response.into_parts().1.into_parts();
                Opened {
                    status: head.status().as_u16(),
                    headers: head.headers().clone(),
                    body,
                }
            });
            opened
        });
        let call = Box::new(move |request: test::TestRequest| {
            let service = service.clone();
            let request = request.to_request();
            let (method, path) = (request.method().to_string(), request.path().to_owned());
            let answer: Pin<Box<dyn Future<Output = Answer>>> = Box::pin(async move {
                let response = match service.call(request).await {
                    Ok(response) => response.into_parts().1,
                    Err(error) => error.error_response(),
                };
                let (head, body) = response.into_parts();
                let body = actix_web::body::to_bytes(body).await.unwrap();
                let answer = Answer {
                    status: head.status().as_u16(),
                    headers: head.headers().clone(),
                    text: unpacked(&body).unwrap_or_else(|| String::from_utf8_lossy(&body).into()),
                    bytes: body.to_vec(),
                };
                described::check(&method, &path, &answer);
                answer
            });
            answer
        });
        Self {
            orchestrator,
            store,
            state,
            call,
            open,
            _log: log,
        }
    }

    /// Sends a request without a body.
    pub async fn send(&self, method: &str, path: &str) -> Answer {
        self.send_bytes(method, path, Vec::new()).await
    }

    /// Sends a request with any body.
    pub async fn send_bytes(&self, method: &str, path: &str, body: Vec<u8>) -> Answer {
        let request = test::TestRequest::with_uri(path)
            .method(method.parse::<Method>().unwrap())
            .set_payload(body);
        (self.call)(request).await
    }

    /// Sends a request with headers and any body.
    pub async fn send_with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Answer {
        let request = test::TestRequest::with_uri(path)
            .method(method.parse::<Method>().unwrap())
            .set_payload(body);
        let add =
            |request: test::TestRequest, header: &(&str, &str)| request.append_header(*header);
        (self.call)(headers.iter().fold(request, add)).await
    }

    /// Sends a request from an address.
    pub async fn send_from(
        &self,
        peer: &str,
        (method, path): (&str, &str),
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Answer {
        let request = test::TestRequest::with_uri(path)
            .method(method.parse::<Method>().unwrap())
            .peer_addr(SocketAddr::new(peer.parse().unwrap(), 4711))
            .set_payload(body);
        let add =
            |request: test::TestRequest, header: &(&str, &str)| request.append_header(*header);
        (self.call)(headers.iter().fold(request, add)).await
    }

    /// Sends a GET, and leaves the body of its answer to be read.
    pub async fn open(&self, path: &str, headers: &[(&str, &str)]) -> Opened {
        let request = test::TestRequest::with_uri(path);
        let add =
            |request: test::TestRequest, header: &(&str, &str)| request.append_header(*header);
        (self.open)(headers.iter().fold(request, add)).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send_bytes("POST", path, body.to_string().into_bytes())
            .await
    }

    /// Registers an instance that takes `max_streams`.
    pub async fn register(&self, id: &str, max_streams: u32) -> Value {
        let body = json!({"server_id": id, "ip": "10.0.0.1", "port": 8080,
            "max_streams": max_streams});
        let answer = self.post("/register", body).await.ok();
        settle().await;
        answer
    }

    /// Saves streams with these ids.
    pub async fn streams(&self, ids: impl IntoIterator<Item = i64>) {
        let streams: Vec<Value> = ids
            .into_iter()
            .map(|id| json!({"id": id, "name": format!("stream {id}")}))
            .collect();
        self.post("/streams", json!({ "streams": streams }))
            .await
            .ok();
    }

    pub async fn beat(&self, id: &str) -> Answer {
        let body = json!({"server_id": id, "current_streams": 0});
        self.post("/heartbeat", body).await
    }

    pub async fn assign(&self, id: &str, count: i64) -> Value {
        let body = json!({"server_id": id, "requested_count": count});
        self.post("/streams/assign", body).await.ok()
    }

    /// What the orchestrator says an instance runs.
    pub async fn held(&self, id: &str) -> Vec<i64> {
        let answer = self.get(&format!("/instances/{id}")).await.ok();
        let data = &answer["data"];
        let streams = ids(&data["assigned_streams"]);
        assert_eq!(data["current_streams"], streams.len(), "{answer}");
        streams
    }

    /// Everything that is saved, to compare.
    pub async fn saved(&self) -> (Value, Value) {
        let mut instances = self.get("/instances").await.ok();
        for instance in instances["instances"].as_array_mut().unwrap() {
            let instance = instance.as_object_mut().unwrap();
            // What heartbeats say is shown from memory; any request is a sign of life.
            for heard in ["last_heartbeat", "reported_status", "reported_streams"] {
                instance.remove(heard);
            }
        }
        (instances, self.get("/streams?limit=10000").await.ok())
    }
}

/// The ids in a JSON list.
#[track_caller]
pub fn ids(list: &Value) -> Vec<i64> {
    let list = list.as_array().unwrap_or_else(|| panic!("no list: {list}"));
    list.iter().map(|id| id.as_i64().unwrap()).collect()
}

/// Asserts that `actual` has every field of `expected`, with its value.
#[track_caller]
pub fn assert_has(actual: &Value, expected: &Value) {
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&actual[name], value, "`{name}` in {actual}");
    }
}

/// Asserts that an object has exactly these fields first, in this order.
#[track_caller]
pub fn assert_begins_with(text: &str, fields: &[&str]) {
    let mut rest = text;
    for field in fields {
        let key = format!("\"{field}\":");
        let at = rest.find(&key);
        assert!(at.is_some(), "`{field}` is not in its place in {text}");
        rest = &rest[at.unwrap() + key.len()..];
    }
}

/// Lets every message that is on its way arrive. Virtual time: no waiting.
pub async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// Lets virtual time pass, in steps that give timers their turn.
pub async fn pass(seconds: u64) {
    for _ in 0..seconds {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    settle().await;
}
