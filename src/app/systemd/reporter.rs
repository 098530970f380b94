//! The way of messages to systemd.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use log::warn;
use sd_notify::NotifyState;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, spawn_blocking};

use super::announced::{Announced, Seen, State};

/// The time by which a start is prolonged, each time it is found to go on.
const LONGER: Duration = Duration::from_secs(30);

type Deliver = dyn Fn(&[State]) -> io::Result<()> + Send + Sync;

/// Sends messages in their order, one at a time.
pub(super) struct Reporter {
    deliver: Arc<Deliver>,
    under_way: Option<JoinHandle<io::Result<()>>>,
    announced: Announced,
    /// Whether the last message could not be sent: the log has one line about it.
    has_failed: bool,
}

impl Reporter {
    pub(super) fn by(deliver: impl Fn(&[State]) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self {
            deliver: Arc::new(deliver),
            under_way: None,
            announced: Announced::default(),
            has_failed: false,
        }
    }

    pub(super) async fn run(
        mut self,
        period: Duration,
        look: impl AsyncFnMut() -> Seen,
        stopped: oneshot::Receiver<()>,
    ) {
        tokio::select! {
            () = self.report(period, look) => {}
            _ = stopped => {}
        }
        self.settled().await;
        let status = State::Status("Stopping".to_owned());
        self.send(vec![State::Stopping, status]);
        self.settled().await;
    }

    /// Reports as long as it is polled.
    async fn report(&mut self, period: Duration, mut look: impl AsyncFnMut() -> Seen) {
        let mut turns = tokio::time::interval(period);
        turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            turns.tick().await;
            let seen = look().await;
            self.settled().await;
            let news = self.announced.news(&seen);
            self.send(news);
        }
    }

    /// Returns once no message is under way. May be dropped and called again.
    async fn settled(&mut self) {
        let Some(sending) = &mut self.under_way else {
            return;
        };
        let sent = sending.await.unwrap_or_else(|panic| Err(panic.into()));
        self.under_way = None;
        let had_failed = std::mem::replace(&mut self.has_failed, sent.is_err());
        if let Err(error) = sent {
            self.announced = Announced::default();
            if !had_failed {
                warn!(error:%; "systemd could not be notified: {error}");
            }
        }
    }

    fn send(&mut self, states: Vec<State>) {
        if !states.is_empty() {
            let deliver = self.deliver.clone();
            self.under_way = Some(spawn_blocking(move || deliver(&states)));
        }
    }
}

/// Sends a message to systemd. Waits as long as its socket is full.
pub(super) fn deliver(states: &[State]) -> io::Result<()> {
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
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Mutex, mpsc};

    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

    use super::super::announced::Life;
    use super::*;

    const PERIOD: Duration = Duration::from_millis(1);

    fn serving() -> Seen {
        Seen::Serving {
            term: 3,
            is_proven: true,
            health: "healthy",
            life: Life::Proven,
        }
    }

    /// A manager that takes a message only when it has a verdict for it.
    struct Manager {
        verdicts: mpsc::Sender<io::Result<()>>,
        /// Messages as their delivery begins, with the number of those that are under way already.
        begun: UnboundedReceiver<(Vec<State>, usize)>,
    }

    impl Manager {
        /// Returns it with the task that reports to it, and the end of that.
        fn begin() -> (Self, JoinHandle<()>, oneshot::Sender<()>) {
            let ((verdicts, verdict), (begin, begun)) = (mpsc::channel(), unbounded_channel());
            let (verdict, under_way) = (Mutex::new(verdict), AtomicUsize::new(0));
            let reporter = Reporter::by(move |states| {
                let before = under_way.fetch_add(1, Ordering::SeqCst);
                let _ = begin.send((states.to_vec(), before));
                // Without a manager everything is taken.
                let verdict = verdict.lock().unwrap().recv().unwrap_or(Ok(()));
                under_way.fetch_sub(1, Ordering::SeqCst);
                verdict
            });
            let (stop, stopped) = oneshot::channel();
            let task = tokio::spawn(reporter.run(PERIOD, async || serving(), stopped));
            (Self { verdicts, begun }, task, stop)
        }

        async fn next(&mut self) -> Vec<State> {
            let (states, under_way) = self.begun.recv().await.unwrap();
            assert_eq!(under_way, 0, "{states:?}");
            states
        }
    }

    #[tokio::test]
    async fn readiness_that_could_not_be_sent_is_sent_again() {
        let (mut manager, task, stop) = Manager::begin();
        for _ in 0..3 {
            assert_eq!(manager.next().await.first(), Some(&State::Ready));
            let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
            manager.verdicts.send(Err(refused)).unwrap();
        }
        assert_eq!(manager.next().await.first(), Some(&State::Ready));
        manager.verdicts.send(Ok(())).unwrap();
        assert_eq!(manager.next().await, [State::Beat]);
        drop(manager);
        stop.send(()).unwrap();
        task.await.unwrap();
    }

    #[tokio::test]
    async fn the_stop_waits_for_the_message_under_way_and_is_the_last() {
        let (mut manager, task, stop) = Manager::begin();
        assert_eq!(manager.next().await.first(), Some(&State::Ready));
        stop.send(()).unwrap();
        // The task sees the stop.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert!(manager.begun.try_recv().is_err());
        manager.verdicts.send(Ok(())).unwrap();
        let last = [State::Stopping, State::Status("Stopping".to_owned())];
        assert_eq!(manager.next().await, last);
        manager.verdicts.send(Ok(())).unwrap();
        task.await.unwrap();
        assert!(manager.begun.recv().await.is_none());
    }
}
