//! Waits for news of the orchestrator, so that changes arrive at once and not with the next
//! heartbeat. Nothing depends on it: news only make a heartbeat due, and leases come from
//! heartbeats alone. An orchestrator that does not offer the call is not asked again in that
//! incarnation.

use std::sync::mpsc::Sender;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::message::Message;
use super::permit::boot_time;
use super::wire::{NEWS_WAIT, News, Wire};

/// The wait after a request without news, and the longest such wait.
const WAITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// A year; more than that is too much for some clocks.
const FOR_EVER: Duration = Duration::from_secs(365 * 86_400);

/// The facts the worker knows: its incarnation and the version of its set.
type Known = (i64, i64);

/// The place where the keeper posts those facts.
#[derive(Debug, Default)]
pub(super) struct Board {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    known: Option<Known>,
    is_closed: bool,
}

impl Board {
    /// Posts the current facts; `None` while the worker is not registered.
    pub(super) fn post(&self, known: Option<Known>) {
        let mut state = self.lock();
        if state.known != known {
            state.known = known;
            self.changed.notify_all();
        }
    }

    /// Ends the wait for news.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until facts are posted; returns `None` once the board is closed.
    fn wait_for_something(&self) -> Option<Known> {
        let is_idle = |state: &mut State| state.known.is_none() && !state.is_closed;
        let state = self.changed.wait_while(self.lock(), is_idle);
        let state = state.unwrap_or_else(PoisonError::into_inner);
        state.known.filter(|_| !state.is_closed)
    }

    /// Waits, for at most so long, while a condition holds.
    fn wait_while(&self, limit: Duration, is_so: impl Fn(Option<Known>) -> bool) {
        let is_same = |state: &mut State| is_so(state.known) && !state.is_closed;
        let waited = self.changed.wait_timeout_while(self.lock(), limit, is_same);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// Requests news about the posted facts, until the board is closed.
    pub(super) fn listen(&self, wire: &Wire, keeper: &Sender<Message>) {
        let mut failures = 0;
        while let Some(known) = self.wait_for_something() {
            let (incarnation, version) = known;
            let asked_at = boot_time();
            let news = wire.news(incarnation, version);
            let was_quick = boot_time().saturating_sub(asked_at) < WAITS.0;
            match news {
                News::Version(newer) if newer != version => {
                    failures = 0;
                    let news = Message::News {
                        incarnation,
                        version: newer,
                    };
                    if keeper.send(news).is_err() {
                        return;
                    }
                    // The next heartbeat brings the changes; until then the same news would come
                    // again.
                    self.wait_while(NEWS_WAIT, |now| now == Some(known));
                }
                News::Version(_) if !was_quick => failures = 0,
                News::None => {
                    let is_that_life =
                        |now: Option<Known>| now.is_none_or(|(life, _)| life == incarnation);
                    self.wait_while(FOR_EVER, is_that_life);
                }
                News::Version(_) | News::Failed => {
                    let wait = WAITS.0.saturating_mul(1 << failures.min(8)).min(WAITS.1);
                    failures += 1;
                    let jittered = wait.mul_f64(1.0 - 0.5 * fastrand::f64());
                    let life = Some(incarnation);
                    self.wait_while(jittered, |now| now.map(|(life, _)| life) == life);
                }
            }
        }
    }
}
