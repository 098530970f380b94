//! What all requests that are carried share: the way to the leader, the heartbeats that were echoed, and how
//! many requests wait.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, MutexGuard};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::actors::leadership::ClusterView;
use crate::domain::leadership::{
    CarryLimits, Circumstances, Destination, Echoes, LeaderLink, LeadershipRow, MOST_HELD,
    MOST_LONG, ServerStage, SteadyTime,
};

/// The shared part.
#[derive(Debug)]
pub(in crate::http) struct Forwarder {
    view: ClusterView,
    limits: CarryLimits,
    held: AtomicUsize,
    long: Arc<Semaphore>,
    has_stood_by: AtomicBool,
    leads: AtomicBool,
    is_frozen: AtomicBool,
    has_handed_over: AtomicBool,
    is_closing: AtomicBool,
    /// The process goes on as a standby once this server has ended.
    goes_on: AtomicBool,
}

impl Forwarder {
    /// Of a process that has not stood by yet.
    pub(in crate::http) fn new(view: ClusterView, limits: CarryLimits) -> Self {
        Self {
            view,
            limits,
            held: AtomicUsize::new(0),
            long: Arc::new(Semaphore::new(MOST_LONG)),
            has_stood_by: AtomicBool::new(false),
            leads: AtomicBool::new(false),
            is_frozen: AtomicBool::new(false),
            has_handed_over: AtomicBool::new(false),
            is_closing: AtomicBool::new(false),
            goes_on: AtomicBool::new(false),
        }
    }

    pub(in crate::http) fn view(&self) -> &ClusterView {
        &self.view
    }

    pub(in crate::http) fn limits(&self) -> CarryLimits {
        self.limits
    }

    /// The moment on steady time.
    pub(in crate::http) fn moment(&self) -> SteadyTime {
        self.view.moment()
    }

    /// Notes that another process leads: requests are carried from now on, also while this process takes
    /// over.
    pub(in crate::http) fn stand_by(&self) {
        self.has_stood_by.store(true, Ordering::Release);
        if self.leads.swap(false, Ordering::AcqRel) {
            self.has_handed_over.store(true, Ordering::Release);
            self.view.announce();
        }
    }

    /// Notes that this process led until now, and that another one leads.
    pub(in crate::http) fn has_led(&self) {
        self.has_handed_over.store(true, Ordering::Release);
    }

    /// Notes that this leader is handing over: it takes no order any more, and answers everything else.
    pub(in crate::http) fn freeze(&self) {
        self.is_frozen.store(true, Ordering::Release);
    }

    /// Returns whether this process led, and has handed over or is about to release its term.
    pub(in crate::http) fn has_handed_over(&self) -> bool {
        self.has_handed_over.load(Ordering::Acquire)
    }

    /// Returns once an order may go on: at once, unless this process is handing over. Then the order waits until the next
    /// leader can have it.
    pub(in crate::http) async fn thawed(&self) {
        let mut news = self.view.news();
        while self.is_frozen.load(Ordering::Acquire)
            && self.leads.load(Ordering::Acquire)
            && !self.is_closing()
        {
            if news.changed().await.is_err() {
                return;
            }
        }
    }

    /// Notes that this process answers by itself, and wakes the requests that wait for that.
    pub(in crate::http) fn lead(&self) {
        self.leads.store(true, Ordering::Release);
        self.view.announce();
    }

    /// Notes that the process goes on as a standby once this server has ended.
    pub(in crate::http) fn go_on(&self) {
        self.goes_on.store(true, Ordering::Release);
    }

    /// Notes that this process ends, and wakes the requests that wait.
    pub(in crate::http) fn close(&self) {
        self.is_closing.store(true, Ordering::Release);
        self.view.announce();
    }

    /// Returns whether this process ends.
    pub(super) fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::Acquire)
    }

    /// Returns whether requests are carried: this process has stood by, and does not lead yet.
    pub(in crate::http) fn carries(&self) -> bool {
        self.has_stood_by.load(Ordering::Acquire) && !self.leads.load(Ordering::Acquire)
    }

    pub(in crate::http) fn link(&self) -> MutexGuard<'_, LeaderLink> {
        self.view.link()
    }

    pub(in crate::http) fn echoes(&self) -> MutexGuard<'_, Echoes> {
        self.view.echoes()
    }

    /// The row of the leader, if another process holds it.
    pub(in crate::http) fn leader(&self) -> Option<LeadershipRow> {
        self.view.other_leader()
    }

    /// The leader that is reached.
    pub(super) fn reached(&self) -> Option<LeadershipRow> {
        self.view.reached_leader()
    }

    /// Returns whether a leader is reached that was sure of its term.
    pub(in crate::http) fn reaches_proven_leader(&self) -> bool {
        let now = self.moment();
        let leader = self.leader();
        leader.is_some_and(|row| self.link().reaches_proven(row.term, now))
    }

    /// Returns whether a leader will know of a heartbeat that is echoed now. Otherwise workers must go elsewhere.
    pub(in crate::http) fn hears(&self) -> bool {
        self.view.heard().will_be_known()
    }

    /// Returns whether heartbeats are answered here: by the leader, or by an echo.
    pub(in crate::http) fn answers_heartbeats(&self) -> bool {
        !self.is_closing.load(Ordering::Acquire) && (self.reached().is_some() || self.hears())
    }

    pub(super) fn circumstances(&self, holds: bool, client_is_gone: bool) -> Circumstances {
        let destination = if self.leads.load(Ordering::Acquire) {
            Destination::Here
        } else {
            let reached = self.reached();
            reached.map_or(Destination::Nowhere, |row| Destination::Leader(row.term))
        };
        Circumstances {
            destination,
            newest_term: self.view.leader().map(|row| row.term),
            hears: self.hears(),
            has_room: holds || self.held.load(Ordering::Relaxed) < MOST_HELD,
            client_is_gone,
            server: match (self.is_closing(), self.goes_on.load(Ordering::Acquire)) {
                (false, _) => ServerStage::Serves,
                (true, true) => ServerStage::GivesWay,
                (true, false) => ServerStage::Ends,
            },
        }
    }

    /// Counts a request that waits, until the guard is dropped.
    pub(super) fn hold(&self) -> Held<'_> {
        self.held.fetch_add(1, Ordering::Relaxed);
        Held(self)
    }

    /// Admits a long poll or an event stream until the permit is dropped; `None` if there are too many.
    pub(super) fn admit_long(&self) -> Option<OwnedSemaphorePermit> {
        self.long.clone().try_acquire_owned().ok()
    }
}

/// A request that waits for a leader.
#[derive(Debug)]
pub(super) struct Held<'f>(&'f Forwarder);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.held.fetch_sub(1, Ordering::Relaxed);
    }
}
