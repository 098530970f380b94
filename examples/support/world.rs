//! What the examples share: the real server in this process, and its HTTP interface as seen from
//! outside.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each example is a crate by itself and uses another part"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use resilient_orchestrator::actors::event_feed::Subscribe;
use resilient_orchestrator::app::Server;
use resilient_orchestrator::config::Config;
use resilient_orchestrator::domain::events::DatedEvent;
use serde_json::Value;
use tokio::sync::{broadcast, oneshot};

/// What ends an example early.
pub type Failure = Box<dyn Error + Send + Sync>;

/// What happens, as it is told after it was saved.
pub type Events = broadcast::Receiver<Arc<[DatedEvent]>>;

/// The real server, on a thread and a free port of its own.
pub struct Embedded {
    /// Where it is reached, as `http://…`.
    pub address: String,
    /// Everything that happens.
    pub events: Events,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<Result<(), Failure>>,
}

impl Embedded {
    /// Starts it on a free port with these settings.
    pub fn start(settings: &[(&'static str, &str)]) -> Result<Self, Failure> {
        let port = [("BIND_ADDRESS", "127.0.0.1:0")];
        let config = Config::from_pairs(port.into_iter().chain(settings.iter().copied()))
            .map_err(|error| error.to_string())?;
        let (stop, stopped) = oneshot::channel();
        let (started, ready) = mpsc::channel();
        let thread = thread::spawn(move || {
            actix::System::new().block_on(async move {
                let server = Server::start(&config).await?;
                let events = server.orchestrator().feed().send(Subscribe).await?;
                started.send((format!("http://{}", server.address()), events))?;
                let _ = stopped.await;
                server.stop().await?;
                Ok(())
            })
        });
        match ready.recv() {
            Ok((address, events)) => Ok(Self {
                address,
                events,
                stop,
                thread,
            }),
            Err(_) => match thread.join() {
                Ok(Err(failure)) => Err(failure),
                Ok(Ok(())) | Err(_) => Err("the server did not start".into()),
            },
        }
    }

    /// Stops it in order.
    pub fn stop(self) -> Result<(), Failure> {
        let _ = self.stop.send(());
        self.thread
            .join()
            .map_err(|_| "the server's thread panicked")?
    }
}

/// The HTTP interface.
#[derive(Clone)]
pub struct Api {
    agent: ureq::Agent,
    address: String,
}

impl Api {
    /// Of the server at `address`.
    pub fn new(address: &str) -> Self {
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(30)))
            .build()
            .into();
        Self {
            agent,
            address: address.to_owned(),
        }
    }

    /// The answer to a GET.
    pub fn get(&self, path: &str) -> Result<Value, Failure> {
        let mut answer = self.agent.get(format!("{}{path}", self.address)).call()?;
        Ok(answer.body_mut().read_json()?)
    }

    /// The answer to a POST.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let mut answer = self
            .agent
            .post(format!("{}{path}", self.address))
            .send_json(body)?;
        Ok(answer.body_mut().read_json()?)
    }

    /// A DELETE.
    pub fn delete(&self, path: &str) -> Result<(), Failure> {
        self.agent
            .delete(format!("{}{path}", self.address))
            .call()?;
        Ok(())
    }

    /// Who runs what, as the orchestrator says.
    pub fn owners(&self) -> Result<BTreeMap<String, BTreeSet<i64>>, Failure> {
        let answer = self.get("/streams/assignments")?;
        let mut owners: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
        for row in answer["assignments"].as_array().ok_or("no list")? {
            let owner = row["server_id"].as_str().ok_or("no owner")?.to_owned();
            let stream = row["stream_id"].as_i64().ok_or("no stream")?;
            if !owners.entry(owner).or_default().insert(stream) {
                return Err(format!("stream {stream} is listed twice").into());
            }
        }
        Ok(owners)
    }

    /// Status, `Retry-After` and body of a POST that may be refused.
    pub fn try_post(
        &self,
        path: &str,
        body: &Value,
    ) -> Result<(u16, Option<String>, Value), Failure> {
        let mut answer = self
            .agent
            .post(format!("{}{path}", self.address))
            .config()
            .http_status_as_error(false)
            .build()
            .send_json(body)?;
        let retry_after = answer.headers().get("retry-after");
        let retry_after = retry_after.and_then(|value| value.to_str().ok().map(str::to_owned));
        let status = answer.status().as_u16();
        Ok((status, retry_after, answer.body_mut().read_json()?))
    }
}
