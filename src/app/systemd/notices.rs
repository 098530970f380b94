//! The task that looks at the program and reports it.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::announced::Seen;
use super::question::{Answer, PERIOD, Question};
use super::reporter::{Reporter, deliver};
use crate::actors::leadership::ClusterView;
use crate::actors::orchestrator::Orchestrator;
use crate::domain::leadership::RunId;
use crate::http::{Gate, Phase, Starting};

/// The shortest time between two looks.
const SHORTEST_PERIOD: Duration = Duration::from_millis(1);

/// Words for the system's health, in the order of its numbers.
const HEALTH: [&str; 4] = ["healthy", "degraded", "critical", "emergency"];

/// Reports the program to systemd until it stops.
#[derive(Debug)]
pub(in crate::app) struct Notices(Option<Running>);

#[derive(Debug)]
struct Running {
    task: JoinHandle<()>,
    stop: oneshot::Sender<()>,
    shown: Rc<RefCell<Option<Shown>>>,
}

/// The orchestrator that is looked at.
#[derive(Debug, Clone)]
struct Shown {
    gate: Gate,
    view: ClusterView,
}

impl Notices {
    /// Begins with a start.
    pub(in crate::app) fn begin(gate: Gate, view: ClusterView) -> Self {
        if !has_manager() {
            return Self(None);
        }
        let period = period(sd_notify::watchdog_enabled());
        let shown = Rc::new(RefCell::new(Some(Shown { gate, view })));
        let mut observer = Observer {
            shown: shown.clone(),
            period,
            question: Question::default(),
            asked: None,
        };
        let look = async move || observer.look().await;
        let (stop, stopped) = oneshot::channel();
        let reporter = Reporter::by(deliver);
        Self(Some(Running {
            task: actix::spawn(reporter.run(period, look, stopped)),
            stop,
            shown,
        }))
    }

    /// From now on the orchestrator is not looked at: it ends, and the process goes on as a standby.
    pub(in crate::app) fn leaving(&self) {
        if let Some(running) = &self.0 {
            running.shown.take();
        }
    }

    /// Looks at the standby that the process has become.
    pub(in crate::app) fn follow(&self, gate: Gate, view: ClusterView) {
        if let Some(running) = &self.0 {
            running.shown.replace(Some(Shown { gate, view }));
        }
    }

    /// Reports that the program stops. Returns after a second even if the manager takes no message.
    pub(in crate::app) async fn stopping(self) {
        let Some(Running { task, stop, .. }) = self.0 else {
            return;
        };
        // The task ends only by this, or by a panic that has its line.
        let _ = stop.send(());
        let _ = tokio::time::timeout(PERIOD, task).await;
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the variable is a part of systemd's protocol, no setting of the program"
)]
fn has_manager() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some()
}

/// Returns the time between two looks. A limit of zero is no watchdog.
fn period(watchdog: Option<Duration>) -> Duration {
    let limit = watchdog.filter(|limit| !limit.is_zero());
    limit.map_or(PERIOD, |limit| (limit / 3).clamp(SHORTEST_PERIOD, PERIOD))
}

/// Looks at the program.
struct Observer {
    /// None while the process changes from a leader to a standby.
    shown: Rc<RefCell<Option<Shown>>>,
    period: Duration,
    question: Question,
    /// The run whose actor is asked.
    asked: Option<RunId>,
}

impl Observer {
    async fn look(&mut self) -> Seen {
        loop {
            let shown = self.shown.borrow().clone();
            let run = shown.as_ref().map(|shown| shown.view.me().run);
            if self.asked != run {
                // The question has a part of the orchestrator that has ended.
                self.question = Question::default();
                self.asked = run;
            }
            let Some(Shown { gate, view }) = shown else {
                return Seen::Leaving;
            };
            let seen = match gate.phase() {
                Phase::Starting(Starting { awaited, .. }) => Seen::Starting(awaited),
                Phase::Standby => {
                    let leader = view.now().leader;
                    Seen::Standby(leader.map(|(row, _)| row.node.to_string()))
                }
                Phase::Serving(state) => self.serving(state.orchestrator()).await,
            };
            // The actor may have ended while it was asked.
            let shown = self.shown.borrow();
            if shown.as_ref().map(|shown| shown.view.me().run) == run {
                return seen;
            }
        }
    }

    async fn serving(&mut self, orchestrator: &Orchestrator) -> Seen {
        let ask = || -> Answer {
            let orchestrator = orchestrator.clone();
            Box::pin(async move { orchestrator.prove_life().await.is_ok() })
        };
        let life = self.question.life(self.period, ask).await;
        let prover = orchestrator.prover();
        let health = orchestrator.telemetry().system_health.get();
        let health = usize::try_from(health).ok().and_then(|at| HEALTH.get(at));
        Seen::Serving {
            term: prover.term().get(),
            is_proven: prover.is_proven(),
            health: health.copied().unwrap_or("not judged yet"),
            life,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watchdog_is_beaten_three_times_within_its_limit_and_at_least_each_second() {
        for (limit, expected) in [
            (None, PERIOD),
            (Some(Duration::ZERO), PERIOD),
            (Some(Duration::from_secs(30)), PERIOD),
            (Some(Duration::from_millis(300)), Duration::from_millis(100)),
            (Some(Duration::from_micros(1)), SHORTEST_PERIOD),
        ] {
            assert_eq!(period(limit), expected, "{limit:?}");
        }
    }
}
