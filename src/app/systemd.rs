//! What systemd is told: when the program is ready, what it does, and that it lives.
//!
//! ```text
//!   starting ──serves, or waits as a standby──▶ READY=1 ──a signal──▶ STOPPING=1
//!      │ STATUS, EXTEND_TIMEOUT_USEC               │ STATUS, WATCHDOG=1
//! ```
//!
//! A watchdog is beaten by the answer of the FleetActor, which decides everything: a timer would beat it
//! for a program that only has a thread left. A start and a standby have no FleetActor; then this task
//! itself is the proof, because it is on the thread that waits for the term.
//!
//! Without systemd (`NOTIFY_SOCKET`) nothing is done. A manager that takes no message holds up nothing:
//! messages are sent on another thread, one at a time, and are left out while one is under way.

use std::io;
use std::time::Duration;

use log::warn;
use sd_notify::NotifyState;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::actors::leadership::ClusterView;
use crate::actors::orchestrator::Orchestrator;
use crate::http::{Awaited, Gate, Phase, Starting};

/// How often the program looks at itself.
const PERIOD: Duration = Duration::from_secs(1);

/// How much longer a start may take, each time it is found to go on.
const LONGER: Duration = Duration::from_secs(30);

/// Words for the system's health, in the order of its numbers.
const HEALTH: [&str; 4] = ["healthy", "degraded", "critical", "emergency"];

/// What the program looks like at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    /// It waits for its database, or loads.
    Starting(Awaited),
    /// Another orchestrator leads, perhaps one whose name is known.
    Standby(Option<String>),
    Serving {
        term: i64,
        is_proven: bool,
        health: &'static str,
        /// Whether the FleetActor answered in time.
        is_alive: bool,
    },
}

impl Seen {
    fn status(&self) -> String {
        match self {
            Self::Starting(Awaited::Database) => "Starting: waits for the database".to_owned(),
            Self::Starting(Awaited::Fleet) => "Starting: loads the fleet".to_owned(),
            Self::Standby(Some(leader)) => format!("Standby: {leader} leads"),
            Self::Standby(None) => "Standby: another orchestrator leads".to_owned(),
            Self::Serving {
                is_alive: false, ..
            } => "The actor that decides about the fleet does not answer".to_owned(),
            Self::Serving {
                term,
                is_proven,
                health,
                is_alive: true,
            } => {
                let doubt = match is_proven {
                    true => "",
                    false => ", not confirmed by the database",
                };
                format!("Leads (term {term}{doubt}); the system is {health}")
            }
        }
    }
}

/// A message to systemd.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Ready,
    Stopping,
    Beat,
    Longer,
    Status(String),
}

/// What systemd was told so far.
#[derive(Debug, Default)]
struct Said {
    is_ready: bool,
    status: String,
}

impl Said {
    /// Returns what there is to say of what is seen.
    fn news(&mut self, seen: &Seen) -> Vec<State> {
        let mut news = Vec::new();
        let is_ready = !matches!(seen, Seen::Starting(_));
        if is_ready && !self.is_ready {
            self.is_ready = true;
            news.push(State::Ready);
        } else if !self.is_ready {
            news.push(State::Longer);
        }
        let lives = !matches!(
            seen,
            Seen::Serving {
                is_alive: false,
                ..
            }
        );
        if lives {
            news.push(State::Beat);
        }
        let status = seen.status();
        if status != self.status {
            news.push(State::Status(status.clone()));
            self.status = status;
        }
        news
    }
}

/// Tells systemd about the program until it stops.
#[derive(Debug)]
pub(super) struct Notices {
    task: JoinHandle<()>,
}

impl Notices {
    /// Begins with a start.
    pub(super) fn begin(gate: Gate, view: ClusterView) -> Self {
        let watchdog = sd_notify::watchdog_enabled();
        let period = watchdog.map_or(PERIOD, |limit| PERIOD.min(limit / 3));
        Self {
            task: actix::spawn(tell(gate, view, period)),
        }
    }

    /// Says that the program stops. A manager that takes no message is not waited for.
    pub(super) async fn stopping(&self) {
        self.task.abort();
        let mut sender = Sender::default();
        let status = State::Status("Stopping".to_owned());
        sender.send(vec![State::Stopping, status]);
        let _ = tokio::time::timeout(PERIOD, sender.done()).await;
    }
}

async fn tell(gate: Gate, view: ClusterView, period: Duration) {
    let (mut said, mut sender) = (Said::default(), Sender::default());
    let mut turns = tokio::time::interval(period);
    turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        let seen = look(&gate, &view, period).await;
        if sender.is_free().await {
            sender.send(said.news(&seen));
        }
    }
}

async fn look(gate: &Gate, view: &ClusterView, patience: Duration) -> Seen {
    match gate.phase() {
        Phase::Starting(Starting { awaited, .. }) => Seen::Starting(awaited),
        Phase::Standby => {
            let leader = view.now().leader;
            Seen::Standby(leader.map(|(row, _)| row.node.to_string()))
        }
        Phase::Serving(state) => serving(state.orchestrator(), patience).await,
    }
}

async fn serving(orchestrator: &Orchestrator, patience: Duration) -> Seen {
    let life = tokio::time::timeout(patience, orchestrator.prove_life()).await;
    let prover = orchestrator.prover();
    let health = orchestrator.telemetry().system_health.get();
    let health = usize::try_from(health).ok().and_then(|at| HEALTH.get(at));
    Seen::Serving {
        term: prover.term().get(),
        is_proven: prover.is_proven(),
        health: health.copied().unwrap_or("not judged yet"),
        is_alive: matches!(life, Ok(Ok(()))),
    }
}

/// Sends one message at a time.
#[derive(Debug, Default)]
struct Sender {
    under_way: Option<JoinHandle<io::Result<()>>>,
    /// Whether the last message could not be sent: it is said once.
    has_failed: bool,
}

impl Sender {
    /// Returns whether the last message was taken.
    async fn is_free(&mut self) -> bool {
        if self.under_way.as_ref().is_some_and(JoinHandle::is_finished) {
            self.done().await;
        }
        self.under_way.is_none()
    }

    async fn done(&mut self) {
        let Some(sending) = self.under_way.take() else {
            return;
        };
        let failure = sending.await.ok().and_then(Result::err);
        let had_failed = std::mem::replace(&mut self.has_failed, failure.is_some());
        if let Some(error) = failure
            && !had_failed
        {
            warn!(error:%; "systemd could not be notified: {error}");
        }
    }

    fn send(&mut self, states: Vec<State>) {
        if !states.is_empty() {
            self.under_way = Some(spawn_blocking(move || deliver(&states)));
        }
    }
}

fn deliver(states: &[State]) -> io::Result<()> {
    let longer = u32::try_from(LONGER.as_micros()).unwrap_or(u32::MAX);
    let states: Vec<NotifyState<'_>> = states
        .iter()
        .map(|state| match state {
            State::Ready => NotifyState::Ready,
            State::Stopping => NotifyState::Stopping,
            State::Beat => NotifyState::Watchdog,
            State::Longer => NotifyState::ExtendTimeoutUsec(longer),
            State::Status(status) => NotifyState::Status(status),
        })
        .collect();
    sd_notify::notify(&states)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serving(is_alive: bool) -> Seen {
        Seen::Serving {
            term: 3,
            is_proven: true,
            health: "healthy",
            is_alive,
        }
    }

    fn status(text: &str) -> State {
        State::Status(text.to_owned())
    }

    #[test]
    fn a_start_is_ready_once_it_serves_and_says_so_once() {
        let mut said = Said::default();
        let waits = Seen::Starting(Awaited::Database);
        assert_eq!(
            said.news(&waits),
            [
                State::Longer,
                State::Beat,
                status("Starting: waits for the database")
            ]
        );
        assert_eq!(said.news(&waits), [State::Longer, State::Beat]);
        assert_eq!(
            said.news(&serving(true)),
            [
                State::Ready,
                State::Beat,
                status("Leads (term 3); the system is healthy")
            ]
        );
        assert_eq!(said.news(&serving(true)), [State::Beat]);
    }

    #[test]
    fn a_standby_is_ready_and_its_take_over_no_second_start() {
        let mut said = Said::default();
        let standby = Seen::Standby(Some("n1".to_owned()));
        assert_eq!(
            said.news(&standby),
            [State::Ready, State::Beat, status("Standby: n1 leads")]
        );
        assert_eq!(
            said.news(&Seen::Starting(Awaited::Fleet)),
            [State::Beat, status("Starting: loads the fleet")]
        );
        assert_eq!(said.news(&serving(true)).len(), 2);
    }

    #[test]
    fn an_actor_that_does_not_answer_beats_no_watchdog() {
        let mut said = Said::default();
        said.news(&serving(true));
        assert_eq!(
            said.news(&serving(false)),
            [status(
                "The actor that decides about the fleet does not answer"
            )]
        );
        assert_eq!(said.news(&serving(false)), []);
        assert_eq!(said.news(&serving(true)).first(), Some(&State::Beat));
    }

    #[test]
    fn a_leader_without_a_proof_says_so() {
        let doubtful = Seen::Serving {
            term: 3,
            is_proven: false,
            health: "degraded",
            is_alive: true,
        };
        assert_eq!(
            doubtful.status(),
            "Leads (term 3, not confirmed by the database); the system is degraded"
        );
    }
}
