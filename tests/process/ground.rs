//! Several orchestrators on one PostgreSQL: what the tests about them prepare, and what they look at.
#![expect(clippy::unwrap_used, reason = "what cannot be prepared fails the test")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::{TempDir, tempdir};

use crate::patience::until;
use crate::support::postgres::{Database, Server};
use crate::support::process::{Orchestrator, launch, post};
use crate::support::proxy::Proxy;

/// A database on a server of its own, and a folder for the processes.
pub(crate) struct Ground {
    pub(crate) server: Server,
    pub(crate) database: Database,
    pub(crate) folder: TempDir,
}

impl Ground {
    pub(crate) fn new() -> Self {
        let server = Server::start(&[], "");
        let database = block_on(server.database());
        Self {
            server,
            database,
            folder: tempdir().unwrap(),
        }
    }

    /// Starts an orchestrator of that name; returns once it listens.
    pub(crate) fn process(&self, node: &str, more: &[(&str, &str)]) -> Orchestrator {
        process(self.folder.path(), &self.database.url(), node, more)
    }

    /// The URL of the database through a proxy.
    pub(crate) fn through(&self, proxy: &Proxy) -> String {
        let direct = format!("127.0.0.1:{}", self.server.port());
        let through = format!("127.0.0.1:{}", proxy.port());
        self.database.url().replace(&direct, &through)
    }

    /// The word by which the orchestrators know each other.
    pub(crate) fn secret(&self) -> String {
        block_on(async {
            let client = self.database.connect().await;
            let row = client.query_one("SELECT secret FROM leadership", &[]).await;
            row.unwrap().get(0)
        })
    }
}

pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(work)
}

/// Starts an orchestrator of that name; returns once it listens.
pub(crate) fn process(folder: &Path, url: &str, node: &str, more: &[(&str, &str)]) -> Orchestrator {
    let mut settings = vec![
        ("DATABASE_URL", url),
        ("CLUSTER_NODE", node),
        ("DATABASE_TIMEOUT", "3s"),
    ];
    settings.extend_from_slice(more);
    launch(folder, &settings)
}

/// Whether it leads, by a young proof.
pub(crate) fn leads(orchestrator: &Orchestrator) -> bool {
    orchestrator
        .try_get("/leader")
        .is_some_and(|(status, _)| status == 200)
}

/// Waits until the leader has admitted that many standbys.
pub(crate) fn wait_for_admission(leader: &Orchestrator, standbys: usize) {
    until("the standbys are admitted", || {
        let (_, cluster) = leader.try_get("/cluster")?;
        let members = cluster["members"].as_array()?;
        let admitted = members.iter().filter(|member| member["admitted"] == true);
        (admitted.count() == standbys).then_some(())
    });
}

/// Waits until the leader shows that standby as ready to take over.
pub(crate) fn wait_until_ready(leader: &Orchestrator, node: &str) {
    until("the standby is ready", || {
        let (_, cluster) = leader.try_get("/cluster")?;
        let members = cluster["members"].as_array()?;
        let member = members.iter().find(|member| member["node"] == node)?;
        (member["state"] == "ready").then_some(())
    });
}

/// A caller that sends a request again and again.
pub(crate) struct Calling {
    is_over: Arc<AtomicBool>,
    task: thread::JoinHandle<Vec<String>>,
}

impl Calling {
    pub(crate) fn begin(
        process: &Orchestrator,
        path: &'static str,
        body: impl Fn(u64) -> Value + Send + 'static,
    ) -> Self {
        let (agent, address) = process.client();
        let is_over = Arc::new(AtomicBool::new(false));
        let ends = is_over.clone();
        let task = thread::spawn(move || {
            let mut bad = Vec::new();
            let mut count = 0;
            while !ends.load(Ordering::Relaxed) {
                count += 1;
                match post(&agent, &address, path, &body(count)) {
                    Some((200, _)) => {}
                    answer => bad.push(format!("{count}: {answer:?}")),
                }
                thread::park_timeout(Duration::from_millis(20));
            }
            bad
        });
        Self { is_over, task }
    }

    /// Returns the answers that were not 200.
    pub(crate) fn end(self) -> Vec<String> {
        self.is_over.store(true, Ordering::Relaxed);
        self.task.join().unwrap()
    }
}
