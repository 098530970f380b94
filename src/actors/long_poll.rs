//! Waits until the set of an instance changes: what a worker asks that wants to know at once.
//!
//! ```text
//!            look: another version, another life, gone? ──yes──▶ answer
//!              ▲                 │no
//!              └── woken ── wait ┴── its time is over, or the system ends ──▶ nothing new
//! ```
//!
//! A waiting poll is a future and nothing else: no timer of an actor, no message, no question to
//! the FleetActor until there is something new. It is woken by the registry's entry when the
//! FleetActor publishes a new version or a new life, or removes the instance. It listens before
//! it looks, so what happens in between wakes it too.
//!
//! Two polls of an instance wait at the most; when a third comes, the oldest is answered that there
//! is nothing new. A worker that gave up waiting and polls again leaves a request behind whose
//! answer it does not read, and HTTP does not always notice: the limit keeps such requests few.
//!
//! A poll is no sign of life and renews no lease: a worker whose heartbeats fail must not seem
//! alive because something else in its process still asks.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use super::registry::{Entry, Registry};
use crate::domain::commands::Rejection;
use crate::domain::fleet::Standing;
use crate::domain::ids::{AssignmentVersion, Incarnation, InstanceId};
use crate::domain::queries::ChangesSince;

/// How many polls of one instance wait at the same time.
const MOST_PER_INSTANCE: u64 = 2;

/// The change that a worker waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssignmentPoll {
    /// Which instance.
    pub id: InstanceId,
    /// The life it believes to lead, if it says so.
    pub incarnation: Option<Incarnation>,
    /// The version it has: any other is news. 0 says that it runs nothing.
    pub version: AssignmentVersion,
    /// How long it waits for news.
    pub wait: Duration,
}

/// Tells those who wait that there is no more waiting.
#[derive(Debug, Default)]
pub struct PollsEnd {
    is_over: AtomicBool,
    over: Notify,
}

impl PollsEnd {
    /// Ends all waits, and those that come later.
    pub fn end(&self) {
        self.is_over.store(true, Ordering::SeqCst);
        self.over.notify_waiters();
    }

    /// Returns once all waits have ended.
    pub(super) async fn ended(&self) {
        let mut over = pin!(self.over.notified());
        // It listens before it looks.
        over.as_mut().enable();
        if !self.is_over() {
            over.await;
        }
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }
}

/// What a look at an instance found.
pub(super) enum Found {
    /// There is something to ask about.
    News(ChangesSince),
    /// The worker has the version that is shown here.
    Nothing(Standing),
}

impl AssignmentPoll {
    /// Looks, and waits between looks, until something is new or the wait is over.
    pub(super) async fn watch(
        &self,
        registry: &Registry,
        end: &PollsEnd,
        mut entry: Arc<Entry>,
    ) -> Result<Found, Rejection> {
        let mut wait = pin!(tokio::time::sleep(self.wait));
        let mut is_last = self.wait.is_zero();
        let mut ticket = None;
        loop {
            {
                let over = pin!(end.over.notified());
                let (changed, (is_gone, standing)) =
                    entry.look(|entry| (entry.is_gone(), entry.standing()));
                let changed = pin!(changed);
                if !is_gone {
                    self.same_life(standing.incarnation)?;
                    if standing.assignment_version != self.version {
                        return Ok(Found::News(self.question()));
                    }
                    // What came together with the end of the wait was seen in this look.
                    let is_old =
                        ticket.is_some_and(|one| entry.polls_after(one) >= MOST_PER_INSTANCE);
                    if is_last || is_old || end.is_over() {
                        return Ok(Found::Nothing(standing));
                    }
                    if ticket.is_none() {
                        // Wakes this one too, which looks once more.
                        ticket = Some(entry.begin_poll());
                    }
                    // The same order each time, whatever comes at once.
                    tokio::select! {
                        biased;
                        () = changed => {}
                        () = over => {}
                        () = &mut wait => is_last = true,
                    }
                }
            }
            // It may have been removed, and even registered anew, as another entry.
            let known = registry.get(&self.id);
            let known = known.ok_or_else(|| self.unknown())?;
            if !Arc::ptr_eq(&known, &entry) {
                ticket = None;
                entry = known;
            }
        }
    }

    fn question(&self) -> ChangesSince {
        ChangesSince {
            id: self.id.clone(),
            incarnation: self.incarnation,
            version: self.version,
        }
    }

    pub(super) fn unknown(&self) -> Rejection {
        Rejection::UnknownInstance(self.id.clone())
    }

    pub(super) fn same_life(&self, current: Incarnation) -> Result<(), Rejection> {
        match self.incarnation {
            Some(given) if given != current => Err(Rejection::OtherIncarnation {
                instance: self.id.clone(),
                given,
                current,
            }),
            Some(_) | None => Ok(()),
        }
    }
}
