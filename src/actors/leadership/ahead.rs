//! The load ahead: a standby reads the fleet while it waits for the time before a take-over.
//!
//! ```text
//!   look, or the leader that is about to hand over
//!        ──▶ LoadAhead (domain) ── Begin ──▶ task: load_fleet on a connection of the pool
//!                 ▲    └────────── Drop ───▶ task and copy are given up, memory first
//!                 └── its moment, its end ── task
//!   take-over ──▶ Prepared ──▶ the fleet, or nothing
//! ```
//!
//! The rules are those of `domain/leadership/ahead`. The task lives as long as its process waits for the
//! term: a load that is given up ends with its next part. The row has a connection of its own, so looks
//! and the take-over go on meanwhile.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use log::{debug, info};
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinError, JoinHandle};

use crate::domain::ids::Version;
use crate::domain::leadership::{
    AheadLook, AheadStep, DropReason, FleetMoment, FleetSource, LoadAhead, OrderStep, SavedFleet,
    SteadyTime,
};
use crate::store::{LoadProgress, LoadedFleet, Store, StoreError, TakenFleet};

/// A load under way.
#[derive(Debug)]
struct Reading {
    task: JoinHandle<Result<LoadedFleet, StoreError>>,
    /// The load ends once this is dropped.
    progress: watch::Receiver<LoadProgress>,
}

impl Reading {
    fn begin(store: Arc<dyn Store>, limit: Duration) -> Self {
        let (sender, progress) = watch::channel(LoadProgress::default());
        let on_progress = Box::new(move |made| match sender.send(made) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        });
        let task = actix::spawn(async move { store.load_fleet(limit, on_progress).await });
        Self { task, progress }
    }

    /// The moment that is read, once that is known.
    fn moment(&self) -> Option<FleetMoment> {
        let progress = *self.progress.borrow();
        (progress != LoadProgress::default()).then_some(progress.moment)
    }

    fn give_up(self) {
        // Without a listener the load ends with its next part; the task only waits for it.
        drop(self.progress);
        self.task.abort();
    }
}

/// The loads ahead of one standby.
#[derive(Debug)]
pub(super) struct Ahead {
    /// The store and the limit of a load; `None`: nothing is read ahead.
    source: Option<(Arc<dyn Store>, Duration)>,
    machine: LoadAhead,
    reading: Option<Reading>,
    copy: Option<LoadedFleet>,
    /// The leader waits for the copy.
    waiting: Vec<oneshot::Sender<Option<FleetMoment>>>,
}

impl Ahead {
    /// Reads nothing ahead.
    pub(super) fn never() -> Self {
        Self {
            source: None,
            machine: LoadAhead::new(),
            reading: None,
            copy: None,
            waiting: Vec::new(),
        }
    }

    /// Reads from this store, each time for at most `limit`.
    pub(super) fn of(store: Arc<dyn Store>, limit: Duration) -> Self {
        Self {
            source: Some((store, limit)),
            ..Self::never()
        }
    }

    /// A look was answered.
    pub(super) fn looked(&mut self, look: AheadLook, now: SteadyTime) {
        self.collect();
        let Some((store, limit)) = &self.source else {
            return;
        };
        match self.machine.looked(look, now) {
            AheadStep::Nothing => {}
            AheadStep::Begin => {
                info!(
                    "the leader has let two looks pass without a renewal: reading the fleet ahead"
                );
                self.reading = Some(Reading::begin(store.clone(), *limit));
            }
            AheadStep::Drop(reason) => self.give_up(reason),
        }
    }

    /// The leader is about to hand this fleet over; `reply` gets the moment of the copy once that is there, or nothing.
    pub(super) fn ordered(
        &mut self,
        wanted: SavedFleet,
        reply: oneshot::Sender<Option<FleetMoment>>,
        now: SteadyTime,
    ) {
        self.collect();
        let Some((store, limit)) = self.source.clone() else {
            return;
        };
        match self.machine.ordered(wanted, now) {
            OrderStep::Copied(moment) => {
                let _ = reply.send(Some(moment));
            }
            OrderStep::Wait => self.waiting.push(reply),
            OrderStep::Begin => {
                self.forget();
                let version = wanted.version.get();
                info!(version; "the leader is about to hand over: reading the fleet ahead");
                self.reading = Some(Reading::begin(store, limit));
                self.waiting.push(reply);
            }
        }
    }

    /// Returns once a load under way has ended; never without one.
    pub(super) async fn ended(&mut self) {
        match &mut self.reading {
            Some(reading) => {
                let ended = (&mut reading.task).await;
                self.finish(ended);
            }
            None => std::future::pending().await,
        }
    }

    /// A look was not answered.
    pub(super) fn look_failed(&mut self, now: SteadyTime) {
        self.collect();
        if let AheadStep::Drop(reason) = self.machine.look_failed(now) {
            self.give_up(reason);
        }
    }

    /// The version of the copy, if there is one.
    pub(super) fn prepared(&self) -> Option<Version> {
        self.machine.copied().map(|moment| moment.version)
    }

    fn collect(&mut self) {
        let Some(reading) = &mut self.reading else {
            return;
        };
        if let Some(moment) = reading.moment() {
            self.machine.reads(moment);
        }
        let Some(ended) = (&mut reading.task).now_or_never() else {
            return;
        };
        self.finish(ended);
    }

    fn finish(&mut self, ended: Result<Result<LoadedFleet, StoreError>, JoinError>) {
        self.reading = None;
        match ended {
            Ok(Ok(fleet)) => {
                self.machine.read(fleet.moment());
                let version = fleet.guard.version.get();
                info!(version; "read the fleet ahead, at version {version}");
                self.copy = Some(fleet);
            }
            Ok(Err(error)) => {
                self.machine.failed();
                info!(error:%; "the fleet could not be read ahead: {error}");
            }
            Err(_) => self.machine.failed(),
        }
        let copied = self.machine.copied();
        for waiter in self.waiting.drain(..) {
            // A leader that has gone on does not need to know.
            let _ = waiter.send(copied);
        }
    }

    fn give_up(&mut self, reason: DropReason) {
        info!("gave up the fleet that was read ahead: {}", reason.reason());
        self.forget();
    }

    /// Gives up the load and the copy. The leader is answered that there is none.
    fn forget(&mut self) {
        self.waiting.clear();
        if let Some(reading) = self.reading.take() {
            reading.give_up();
        }
        if let Some(copy) = self.copy.take() {
            drop_apart(copy);
        }
    }

    /// The term was taken; returns what may be its fleet.
    pub(super) fn win(mut self, taken: Option<TakenFleet>) -> Prepared {
        self.collect();
        let source = self.machine.won(taken.map(|taken| taken.moment));
        debug!(source:?; "the fleet of the term: {source:?}");
        match source {
            FleetSource::Copy => {}
            FleetSource::LoadUnderWay => {}
            FleetSource::Load => {
                if let (Some(copied), Some(taken)) = (self.machine.copied(), taken) {
                    info!(
                        "the fleet has changed since it was read ahead ({copied}, and now {}): loading it",
                        taken.moment
                    );
                }
            }
        }
        Prepared {
            source,
            taken,
            reading: self.reading.take(),
            copy: self.copy.take(),
        }
    }
}

/// What a standby had read when it took the term.
#[derive(Debug)]
pub struct Prepared {
    source: FleetSource,
    taken: Option<TakenFleet>,
    reading: Option<Reading>,
    copy: Option<LoadedFleet>,
}

impl Prepared {
    /// Returns the fleet of the term, if it was read ahead or is just being read. Its counter of epochs
    /// is the one that the take-over left.
    pub async fn fleet(self) -> Option<LoadedFleet> {
        let taken = self.taken;
        let loaded = match self.source {
            FleetSource::Copy => self.copy,
            FleetSource::LoadUnderWay => rest_of(self.reading?, taken?.moment).await,
            FleetSource::Load => {
                if let Some(reading) = self.reading {
                    reading.give_up();
                }
                if let Some(copy) = self.copy {
                    drop_apart(copy);
                }
                None
            }
        };
        let (mut loaded, taken) = (loaded?, taken?);
        if loaded.moment() != taken.moment {
            drop_apart(loaded);
            return None;
        }
        loaded.fleet.set_counter(taken.counter);
        info!("the fleet was read ahead ({})", taken.moment);
        Some(loaded)
    }
}

/// Waits for a load, unless it turns out to be of another moment.
async fn rest_of(mut reading: Reading, taken: FleetMoment) -> Option<LoadedFleet> {
    loop {
        if reading.moment().is_some_and(|moment| moment != taken) {
            reading.give_up();
            return None;
        }
        tokio::select! {
            biased;
            ended = &mut reading.task => return ended.ok()?.ok(),
            changed = reading.progress.changed() => {
                if changed.is_err() {
                    return (&mut reading.task).await.ok()?.ok();
                }
            }
        }
    }
}

/// A large fleet takes a while to be given back; looks go on meanwhile.
fn drop_apart(fleet: LoadedFleet) {
    drop(tokio::task::spawn_blocking(move || drop(fleet)));
}
