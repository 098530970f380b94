//! The change of role: a process that led goes on as a standby, because another orchestrator leads or is about to.
//!
//! ```text
//!   leads ──deposed, or hands over──▶ leaves ──no connection is accepted──▶ a standby answers at the same port
//!                                       │                                              │
//!                                       └── actors, server and store have ended ───────┴──▶ waits for the term
//! ```
//!
//! The work of the term ends by the steps of a stop (`app/server.rs`). The standby is another orchestrator in the same
//! process: it has a run, a view, a gate, keys, actors and a store of its own, as after a restart. It keeps only what
//! `actors/leadership/succeeding.rs` lists. It opens its store, and may become a candidate, only after everything of the
//! orchestrator before has ended. Until then it only answers requests: it carries them to the next leader, so workers
//! wait no longer than they did. The port stays bound, so no connection is refused.
//!
//! What an orchestrator leaves outside its arbiters, and what ends it:
//!
//! | task or thread | ended by |
//! | --- | --- |
//! | renewals of the row (`actors/leadership/office.rs`) | `stop_renewing`, also if the row could not be released |
//! | the look for other keys (`app/keys.rs`), the look for files (`app/hearing.rs`) | the first step of the stop |
//! | the HTTP server, its two threads, and the tasks of requests on them | `ServerHandle::stop` |
//! | the questions to the leader (`http/leader_watch.rs`), with its connections | the last step of the stop |
//! | the runtimes of the store and of the leadership row | `close_store`; the last handle of the row, which the renewals, the actors and the gate's state have |
//! | the question of the watchdog (`app/systemd/notices.rs`) | the next look |
//! | a request to a receiver of webhooks (`outbound/http.rs`) | itself, within 10 s; it has nothing of the orchestrator |
//!
//! What belongs to the process goes on: signals, the settings, the port, systemd's messages, the log, and the counters of
//! carried requests (`http/forwarding/figures.rs`).
//!
//! | failure | consequence |
//! | --- | --- |
//! | the stop takes too long, or the store is not closed | the process ends with exit code 4: something of the old orchestrator may live |
//! | an actor panics during the stop | the process ends with exit code 1 |
//! | a signal to end comes during the change | the change ends with the stop; the process ends in order within ten seconds |
//! | no orchestrator takes the term | the standby takes it after a second, as any standby |
//! | the row could not be released | the standby finds a row of an earlier run of its own node, and takes it at once |
//! | the standby cannot be begun, because no file is free, say | the process ends with that reason |
//! | the process is deposed again and again | each change lasts at least as long as the stop leaves for late requests (`LAST_CALL`), and the standby waits as every standby does before it takes a term: nothing is tried in a circle without a wait |

use std::future::pending;
use std::pin::{Pin, pin};

use log::{error, info};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::port::Port;
use super::reloading::Reloading;
use super::server::Server;
use super::signals::Signals;
use super::start_error::StartError;
use super::starting::{Before, Starting};
use super::stop_limits::STOP_LIMIT;
use super::systemd::Notices;
use crate::actors::fatal::Fatal;
use crate::actors::leadership::ClusterView;
use crate::config::{Config, DatabaseUrl};

/// What a process has for its whole life, whichever orchestrator it is.
pub(super) struct Process {
    pub(super) signals: Signals,
    pub(super) reloading: Reloading,
    pub(super) port: Port,
    pub(super) notices: Notices,
}

impl Process {
    /// Waits for a signal that ends the process; returns its name. Settings are read again meanwhile.
    pub(super) async fn asked_to_end(&mut self) -> &'static str {
        self.signals.asked_to_end(&mut self.reloading).await
    }

    /// What is left of a process that ends: its connections are refused once no server accepts them.
    pub(super) fn without_port(self) -> (Signals, Notices) {
        (self.signals, self.notices)
    }

    /// Begins the standby, and shows it from now on.
    fn begin_standby(&mut self, before: &Before) -> Result<Starting, StartError> {
        let standby = Starting::after(before, &self.port, self.reloading.config())?;
        let (gate, view) = (standby.gate.clone(), standby.view.clone());
        self.reloading.show(gate.clone());
        self.notices.follow(gate, view);
        Ok(standby)
    }
}

/// Returns whether a process goes on as a standby: another orchestrator leads, and both can have the database.
pub(super) fn may_change(fatal: &Fatal, config: &Config) -> bool {
    fatal.another_leads() && matches!(config.database.url, DatabaseUrl::Postgres(_))
}

/// Ends the work of a term, and begins a standby; `None` if a signal has ended the process meanwhile.
///
/// # Errors
/// Returns why the process has to end.
pub(super) async fn leave(
    mut process: Process,
    server: Server,
    fatal: Fatal,
) -> Result<Option<(Process, Starting)>, StartError> {
    let before = Before {
        view: server.orchestrator().cluster().clone(),
        keyring: server.orchestrator().keyring().clone(),
    };
    process.reloading.serve_no_more();
    process.notices.leaving();
    let (pausing, paused) = oneshot::channel();
    let (hurry, hurried) = oneshot::channel::<()>();
    let hurried = async {
        if hurried.await.is_err() {
            pending::<()>().await;
        }
    };
    let mut leaving = pin!(server.leave(pausing, hurried));
    let mut paused = pin!(paused);
    let mut is_decided = false;
    let mut standby = None;
    let left = loop {
        tokio::select! {
            biased;
            left = &mut leaving => break left,
            is_paused = &mut paused, if !is_decided => {
                is_decided = true;
                if is_paused.is_ok() {
                    standby = Some(process.begin_standby(&before));
                }
            }
            name = process.asked_to_end() => {
                info!("{name}: shutting down");
                let _ = hurry.send(());
                let standby = standby.and_then(Result::ok);
                return end(process, leaving, standby).await.map(|()| None);
            }
        }
    };
    match left {
        Ok(()) => {}
        Err(StartError::Fatal(fault)) => return Err(fault.into()),
        Err(error) => {
            error!("{error}");
            process.notices.stopping().await;
            return Err(fatal.into());
        }
    }
    let standby = match standby {
        Some(begun) => begun?,
        None => process.begin_standby(&before)?,
    };
    // Requests that were under way at the server before may have been echoed meanwhile.
    standby.view.take_echoes_of(&before.view);
    report(&before.view);
    Ok(Some((process, standby)))
}

/// Ends the process in order while the work of its term ends.
async fn end(
    process: Process,
    leaving: Pin<&mut impl Future<Output = Result<(), StartError>>>,
    standby: Option<Starting>,
) -> Result<(), StartError> {
    let (mut signals, notices) = process.without_port();
    let standby = async {
        if let Some(standby) = standby {
            standby.stop().await;
        }
    };
    let leaving = timeout(STOP_LIMIT, leaving);
    let stop = async { tokio::join!(notices.stopping(), standby, leaving).2 };
    tokio::select! {
        left = stop => left.unwrap_or(Err(StartError::NotClosed)),
        name = signals.asked_to_end_at_once() => Err(StartError::EndedAtOnce(name)),
    }
}

fn report(view: &ClusterView) {
    match view.other_leader() {
        Some(row) => {
            let (node, term) = (row.node.as_str(), row.term.get());
            info!(node, term; "node `{node}` leads with term {term}; this process goes on as a standby");
        }
        None => info!("the term is over; this process goes on as a standby"),
    }
}
