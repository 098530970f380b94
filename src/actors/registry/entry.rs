//! What must survive the actor of one instance: the last heartbeat, stamped before any message is
//! sent, the fence, the last lease, and what is saved about the instance.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::actors::instance_link::InstanceLink;
use crate::clock::Clock;
use crate::domain::fleet::{Reading, Standing};
use crate::domain::heartbeat::SystemMetrics;
use crate::domain::ids::{Incarnation, InstanceId};
use crate::domain::lease::Seat;
use crate::domain::liveness::LivenessMachine;
use crate::domain::settings::LivenessThresholds;
use crate::domain::time::{Timestamp, WallTime};

/// What a worker last said of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reported {
    /// The state it gave itself.
    pub status: Option<Arc<str>>,
    /// How many streams it said it runs.
    pub streams: Option<i64>,
}

/// A second process that lives under the name of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duplicate {
    /// The life it goes by, which is over.
    pub older: Incarnation,
    /// When it was found.
    pub since: WallTime,
    /// When it was last noticed.
    pub last_seen: WallTime,
}

/// Stands for a life that has not named itself yet.
const NEVER: u64 = u64::MAX;

/// One instance.
#[derive(Debug)]
pub struct Entry {
    id: InstanceId,
    last_beat: AtomicU64,
    /// When another orchestrator last heard it; 0 for never.
    witnessed: AtomicU64,
    last_beat_wall: AtomicI64,
    serving_since: AtomicU64,
    fenced: AtomicBool,
    lease: Seat,
    status_seen_at: AtomicU64,
    /// Two `f32` as bits: processor and memory use.
    reading: AtomicU64,
    /// The load average of the last minute.
    load_average: AtomicU32,
    /// When it was measured.
    measured_at: AtomicU64,
    standing: RwLock<Standing>,
    reported: RwLock<Reported>,
    /// When the current life last named itself, or `NEVER`.
    named_at: AtomicU64,
    duplicate: RwLock<Option<Duplicate>>,
    changed: Notify,
    is_gone: AtomicBool,
    /// How many polls have begun to wait for a change.
    polls: AtomicU64,
    actor: RwLock<Option<Arc<InstanceLink>>>,
}

impl Entry {
    pub(super) fn new(
        id: InstanceId,
        standing: Standing,
        lease: Seat,
        beat: Timestamp,
        wall: WallTime,
    ) -> Self {
        lease.show(&standing);
        Self {
            id,
            last_beat: AtomicU64::new(beat.as_micros()),
            witnessed: AtomicU64::new(0),
            last_beat_wall: AtomicI64::new(wall.as_micros()),
            serving_since: AtomicU64::new(beat.as_micros()),
            fenced: AtomicBool::new(false),
            lease,
            status_seen_at: AtomicU64::new(beat.as_micros()),
            reading: AtomicU64::new(packed(&SystemMetrics::default())),
            load_average: AtomicU32::new(UNKNOWN),
            measured_at: AtomicU64::new(beat.as_micros()),
            standing: RwLock::new(standing),
            reported: RwLock::new(Reported::default()),
            named_at: AtomicU64::new(NEVER),
            duplicate: RwLock::new(None),
            changed: Notify::new(),
            is_gone: AtomicBool::new(false),
            polls: AtomicU64::new(0),
            actor: RwLock::new(None),
        }
    }

    /// Whose entry this is.
    pub fn id(&self) -> &InstanceId {
        &self.id
    }

    /// Writes down a sign of life. From here on it cannot be lost. The last one is the last on
    /// running time: the wall clock may have been set back since the one before.
    pub fn stamp(&self, now: Timestamp, wall: WallTime) {
        let before = self.last_beat.fetch_max(now.as_micros(), Ordering::AcqRel);
        if before <= now.as_micros() {
            self.last_beat_wall
                .store(wall.as_micros(), Ordering::Release);
        }
    }

    /// Notes that another orchestrator heard the instance at this moment. It does not fail before that is as old as
    /// the timeout, and is late all the same.
    pub(in crate::actors) fn witness(&self, at: Timestamp) {
        self.witnessed.fetch_max(at.as_micros(), Ordering::AcqRel);
    }

    /// When another orchestrator last heard it.
    pub(in crate::actors) fn witnessed(&self) -> Timestamp {
        Timestamp::from_micros(self.witnessed.load(Ordering::Acquire))
    }

    /// The last sign of life on running time, whichever orchestrator heard it.
    pub fn last_sign(&self) -> Timestamp {
        self.last_beat().max(self.witnessed())
    }

    /// The last sign of life as the world's clocks show it, whichever orchestrator heard it.
    pub(in crate::actors) fn last_sign_wall(&self, clock: &Clock) -> WallTime {
        if self.witnessed() > self.last_beat() {
            clock.wall() - clock.now().since(self.witnessed())
        } else {
            self.last_beat_wall()
        }
    }

    /// The last sign of life on running time; for an instance that was loaded, the start.
    pub fn last_beat(&self) -> Timestamp {
        Timestamp::from_micros(self.last_beat.load(Ordering::Acquire))
    }

    /// The last sign of life as the world's clocks show it.
    pub fn last_beat_wall(&self) -> WallTime {
        WallTime::from_micros(self.last_beat_wall.load(Ordering::Acquire))
    }

    /// How long ago the last sign of life was. A wall time that was shown twice may seem younger
    /// than it is, and an instance that was loaded has none on running time: the greater is right.
    pub fn silence(&self, clock: &Clock) -> Duration {
        let now = clock.now();
        let since_beat = now.since(self.last_beat());
        let unheard_for = since_beat.max(clock.age(self.last_beat_wall()));
        unheard_for.min(now.since(self.witnessed()))
    }

    /// Whether it has beaten since its saved state was last changed, or since the start.
    pub fn has_beaten_since_status(&self) -> bool {
        self.last_beat.load(Ordering::Acquire) > self.status_seen_at.load(Ordering::Acquire)
    }

    /// Since when it serves without interruption: its registration, its return, or the start.
    pub fn serving_since(&self) -> Timestamp {
        Timestamp::from_micros(self.serving_since.load(Ordering::Acquire))
    }

    /// Whether its recovery has begun.
    pub fn is_fenced(&self) -> bool {
        self.fenced.load(Ordering::Acquire)
    }

    /// A machine that knows of its silence what this entry knows.
    pub(in crate::actors) fn liveness(&self, thresholds: LivenessThresholds) -> LivenessMachine {
        let saved = self.standing().saved();
        let mut machine = LivenessMachine::new(thresholds, saved, self.last_beat())
            .watched_since(self.serving_since());
        machine.witness(self.witnessed());
        if self.is_fenced() {
            machine.fence_regardless();
        }
        machine
    }

    /// Puts up the fence.
    pub fn fence(&self) {
        self.fenced.store(true, Ordering::Release);
    }

    /// Takes the fence away.
    pub fn lift_fence(&self) {
        self.fenced.store(false, Ordering::Release);
    }

    /// Until when its worker may run under the last lease it was granted, if it ever was, as far as the
    /// orchestrator can know. It outlives the instance's lives: a worker that registers anew may
    /// be the same process.
    pub fn granted_until(&self) -> Option<Timestamp> {
        self.lease.granted_until()
    }

    /// A lease is granted.
    pub(in crate::actors) fn grant_until(&self, end: Timestamp) {
        self.lease.grant_until(end);
    }

    /// What is saved about it.
    pub fn standing(&self) -> Standing {
        *self.standing.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it last said of itself.
    pub fn reported(&self) -> Reported {
        self.reported
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Remembers what it says of itself. Workers mostly repeat themselves, so most calls only
    /// read.
    pub fn report(&self, status: &Arc<str>, streams: i64) {
        let is_known = {
            let reported = self.reported.read().unwrap_or_else(PoisonError::into_inner);
            reported.status.as_ref() == Some(status) && reported.streams == Some(streams)
        };
        if !is_known {
            *self
                .reported
                .write()
                .unwrap_or_else(PoisonError::into_inner) = Reported {
                status: Some(status.clone()),
                streams: Some(streams),
            };
        }
    }

    /// Remembers how busy its machine says to be.
    pub fn measure(&self, metrics: &SystemMetrics, now: Timestamp) {
        // A reader between the two finds the new reading older than it is.
        self.reading.store(packed(metrics), Ordering::Release);
        let average = metrics.load_average.map(|[minute, ..]| minute);
        self.load_average.store(bits(average), Ordering::Release);
        self.measured_at.store(now.as_micros(), Ordering::Release);
    }

    /// How busy its machine last said to be, in its current life.
    pub fn reading(&self, now: Timestamp) -> Reading {
        let measured_at = Timestamp::from_micros(self.measured_at.load(Ordering::Acquire));
        let bits = self.reading.load(Ordering::Acquire);
        let number = |bits: u32| (bits != UNKNOWN).then_some(f32::from_bits(bits));
        let processors = self.standing().processors;
        let average = number(self.load_average.load(Ordering::Acquire));
        Reading {
            cpu: number((bits >> 32) as u32),
            memory: number(bits as u32),
            queue: average
                .zip(processors)
                .map(|(average, processors)| average / processors.get() as f32),
            age: now.since(measured_at),
        }
    }

    /// A call named the current life.
    pub fn named(&self, now: Timestamp) {
        self.named_at.store(now.as_micros(), Ordering::Release);
    }

    /// When a call last named the current life; none if none has.
    pub fn last_named(&self) -> Option<Timestamp> {
        let at = self.named_at.load(Ordering::Acquire);
        (at != NEVER).then_some(Timestamp::from_micros(at))
    }

    /// The second process under this name, if there is one.
    pub fn duplicate(&self) -> Option<Duplicate> {
        *self
            .duplicate
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(in crate::actors) fn set_duplicate(&self, duplicate: Option<Duplicate>) {
        *self
            .duplicate
            .write()
            .unwrap_or_else(PoisonError::into_inner) = duplicate;
    }

    /// What `look` sees, and what completes when the set or the life of the instance changes, or
    /// it is removed, from just before that look on: nothing that comes in between is missed.
    pub(in crate::actors) fn look<T>(&self, look: impl FnOnce(&Self) -> T) -> (Notified<'_>, T) {
        let changed = self.changed.notified();
        (changed, look(self))
    }

    /// Counts a poll that begins to wait, and has those before it look whether they may go on.
    pub(in crate::actors) fn begin_poll(&self) -> u64 {
        let ticket = self.polls.fetch_add(1, Ordering::SeqCst) + 1;
        if ticket > 1 {
            self.changed.notify_waiters();
        }
        ticket
    }

    /// How many polls have begun to wait after the one with this ticket.
    pub(in crate::actors) fn polls_after(&self, ticket: u64) -> u64 {
        self.polls.load(Ordering::SeqCst).saturating_sub(ticket)
    }

    /// Whether the instance was removed; one that registers again has another entry.
    pub fn is_gone(&self) -> bool {
        self.is_gone.load(Ordering::SeqCst)
    }

    /// Where its actor is, if it has one.
    pub fn actor(&self) -> Option<Arc<InstanceLink>> {
        self.actor
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(in crate::actors) fn set_actor(&self, actor: Option<Arc<InstanceLink>>) {
        *self.actor.write().unwrap_or_else(PoisonError::into_inner) = actor;
    }

    /// Shows what is saved from `now` on. A new life starts with a sign of life and without a fence.
    pub(super) fn show(&self, standing: Standing, now: Timestamp, wall: WallTime) {
        self.lease.show(&standing);
        let before = {
            let mut shown = self
                .standing
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *shown, standing)
        };
        if before.status != standing.status {
            self.status_seen_at
                .store(now.as_micros(), Ordering::Release);
        }
        if standing.status.is_serving() && !before.status.is_serving() {
            self.serving_since.store(now.as_micros(), Ordering::Release);
        }
        if before.incarnation != standing.incarnation {
            self.stamp(now, wall);
            self.named_at.store(NEVER, Ordering::Release);
            self.measure(&SystemMetrics::default(), now);
            self.lift_fence();
        }
        // Last: a poll that is woken sees all of it.
        if before.incarnation != standing.incarnation
            || before.assignment_version != standing.assignment_version
        {
            self.changed.notify_waiters();
        }
    }

    /// What is saved is from before a start at `now`: no sign of life came since.
    pub(super) fn restored_at(self, now: Timestamp) -> Self {
        Self {
            status_seen_at: AtomicU64::new(now.as_micros()),
            serving_since: AtomicU64::new(now.as_micros()),
            ..self
        }
    }

    /// The instance is removed.
    pub(super) fn leave(&self) {
        self.is_gone.store(true, Ordering::SeqCst);
        self.lease.leave();
        self.changed.notify_waiters();
    }
}

/// Stands for a use that was not reported; no number has these bits but one of the many that are none.
const UNKNOWN: u32 = u32::MAX;

fn packed(metrics: &SystemMetrics) -> u64 {
    u64::from(bits(metrics.cpu_percent)) << 32 | u64::from(bits(metrics.memory_percent))
}

fn bits(number: Option<f64>) -> u32 {
    number.map_or(UNKNOWN, |number| (number as f32).to_bits())
}
