//! The mass-failure brake: when most of the fleet falls silent at once, the network or this
//! program is the likelier culprit, and moving every stream would be worse than waiting.
//!
//! ```text
//!            an expiry finds a mass            the hold is over, or released
//!   Open ────────────────────────▶ Held ─────────────────────────▶ Releasing
//!    ▲                              │  ▲            prolonged         │
//!    │      every one beats again   │  └─────────────────────────────┤
//!    └──────────────────────────────┴─────────────────────────────────┘ the last one is released
//! ```
//!
//! *The formula*, judged at an expiry. **Active** counts the instances that serve (not failed, in
//! maintenance or inactive), beat within the last two timeouts, and either are late or have been
//! serving since before whoever expires became late: a replacement that is started because of the
//! silence cannot hide it. **Late** counts those of them that are past the warning threshold. At
//! least `MASS_FAILURE_MIN` late ones that are more than `MASS_FAILURE_RATIO` of the active ones
//! are a mass. After the program's own start every loaded instance counts: the earliest expiry is
//! a timeout away.
//!
//! *The mass* needs no list: it is every silence that began before the brake engaged and became
//! late before the hold was over. Who beats afterwards and falls silent again is outside it and
//! is recovered at its own timeout, unless such newcomers are a mass in themselves: then they
//! join, and wait for the same end.
//!
//! Failures of its surroundings: calls that come early, late or twice change nothing; a lost
//! message is found by the sweep, which asks again. A count may be [`COUNT_INTERVAL`] old, so
//! that ten thousand expiries do not walk ten thousand instances each. *It always ends by
//! itself*: a hold is bounded, so is each prolongation, and a mass that was released is never
//! held again.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::ids::{Incarnation, InstanceId};
use super::instance::InstanceStatus;
use super::settings::{LivenessThresholds, MassFailureSettings};
use super::time::Timestamp;

/// How long a count that found no mass is good for.
pub const COUNT_INTERVAL: Duration = Duration::from_millis(100);

/// How often a held mass is looked over: if all of it beats again, the hold is over.
pub const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Over how long the recoveries of a mass are spread, however many they are. A mass is to be
/// recovered within 20 s; the rest is for fencing and saving the last ones.
pub const RELEASE_WINDOW: Duration = Duration::from_secs(15);

/// The longest wait between two recoveries of a small mass.
const LONGEST_GAP: Duration = Duration::from_secs(1);

/// Recoveries that are due closer together than this are released together.
const RELEASE_STEP: Duration = Duration::from_millis(100);

/// How far in the future the end of a hold may be put.
pub const MAX_PROLONGATION: Duration = Duration::from_secs(3_600);

/// An instance, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting {
    /// Its current life.
    pub incarnation: Incarnation,
    /// What it is held to be.
    pub status: InstanceStatus,
    /// How many streams it owns.
    pub held: usize,
    /// Its last sign of life.
    pub last_beat: Timestamp,
    /// Since when it serves without interruption, as far as this run of the program knows.
    pub serving_since: Timestamp,
}

/// What was counted when a mass was looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Census {
    /// Past the warning threshold.
    pub late: usize,
    /// Active one timeout ago, the late ones included.
    pub active: usize,
}

/// Whether an expired instance may be recovered now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Yes.
    Proceed,
    /// No: it is part of a mass, and its turn comes.
    Held,
    /// No: its expiry engaged the brake.
    Engaged(Census),
}

/// Why a hold ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// All of the mass beats again, or is gone.
    NobodySilent,
    /// The hold lasted as long as it was to.
    TimeOver,
    /// An operator released it.
    Released,
}

/// What a look at the time brought.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Look {
    /// The hold is over: why, and how many are to be recovered.
    pub ended: Option<(Ending, usize)>,
    /// Whose recovery is due, most loaded first.
    pub due: Vec<(InstanceId, Incarnation)>,
}

/// What an operator wants of a brake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The hold is to end now.
    Release,
    /// The hold is to last longer by so much, up to [`MAX_PROLONGATION`] from now.
    Prolong(Duration),
}

/// An order that makes no sense at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderRefused {
    /// Nothing is held.
    NothingHeld,
    /// The hold is over already; recoveries are under way.
    AlreadyReleased,
}

/// What the brake does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Nothing is held.
    Open,
    /// A mass is held.
    Held,
    /// The hold is over, and the mass is recovered bit by bit.
    Releasing,
}

/// A brake that is not open, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Engagement {
    /// When it engaged.
    pub since: Timestamp,
    /// When the hold ends or ended.
    pub until: Timestamp,
    /// What was counted.
    pub census: Census,
    /// How many are held and not recovered, as of the last look.
    pub waiting: usize,
    /// Whether an operator made it longer, which suspends the promise of 60 seconds.
    pub is_prolonged: bool,
}

#[derive(Debug, Clone)]
struct Hold {
    engaged: Engagement,
    /// Silences that began up to here are the mass: when it engaged, or when more joined.
    upto: Timestamp,
    is_released: bool,
    next_look: Timestamp,
}

#[derive(Debug, Clone)]
struct Release {
    hold: Hold,
    began: Timestamp,
    gap: Duration,
    queue: VecDeque<(InstanceId, Incarnation)>,
    queued: BTreeSet<InstanceId>,
    released: u32,
}

#[derive(Debug, Clone)]
enum State {
    Open,
    Held(Hold),
    Releasing(Release),
}

/// The brake.
#[derive(Debug, Clone)]
pub struct Brake {
    settings: MassFailureSettings,
    thresholds: LivenessThresholds,
    state: State,
    /// Silences that began up to here were held once and are never held again.
    settled: Option<Timestamp>,
    /// When a count last found no mass.
    counted_at: Option<Timestamp>,
}

impl Brake {
    /// A brake that holds nothing.
    pub fn new(settings: MassFailureSettings, thresholds: LivenessThresholds) -> Self {
        Self {
            settings,
            thresholds,
            state: State::Open,
            settled: None,
            counted_at: None,
        }
    }

    /// An instance that last beat at `last_beat` is past its timeout: may it be recovered?
    /// `fleet` shows every instance, and is asked only if they must be counted.
    pub fn expired(
        &mut self,
        id: &InstanceId,
        last_beat: Timestamp,
        now: Timestamp,
        fleet: impl FnOnce() -> Vec<Sighting>,
    ) -> Verdict {
        let (is_settled, newer_than) = (self.is_settled(last_beat), self.settled);
        match &self.state {
            State::Releasing(release) if release.queued.contains(id) => Verdict::Held,
            State::Releasing(_) => Verdict::Proceed,
            State::Open | State::Held(_) if is_settled => Verdict::Proceed,
            State::Held(hold) if last_beat <= hold.upto => Verdict::Held,
            State::Held(hold) => {
                let upto = Some(hold.upto);
                match self.mass(upto, now, fleet) {
                    Some(_) => self.join(now),
                    None => Verdict::Proceed,
                }
            }
            State::Open => match self.mass(newer_than, now, fleet) {
                Some(census) => self.engage(census, now),
                None => Verdict::Proceed,
            },
        }
    }

    /// Counts silences and signs of life newer than a moment; `None` if they are no mass.
    fn mass(
        &mut self,
        newer_than: Option<Timestamp>,
        now: Timestamp,
        fleet: impl FnOnce() -> Vec<Sighting>,
    ) -> Option<Census> {
        let is_fresh = |at: Timestamp| now.since(at) < COUNT_INTERVAL;
        if self.counted_at.is_some_and(is_fresh) {
            return None;
        }
        let census = count(&self.thresholds, newer_than, now, &fleet());
        let is_mass = is_mass(&self.settings, census);
        self.counted_at = (!is_mass).then_some(now);
        is_mass.then_some(census)
    }

    fn engage(&mut self, census: Census, now: Timestamp) -> Verdict {
        self.state = State::Held(Hold {
            engaged: Engagement {
                since: now,
                until: now + self.settings.hold,
                census,
                waiting: census.late,
                is_prolonged: false,
            },
            upto: now,
            is_released: false,
            next_look: now + LOOK_INTERVAL,
        });
        Verdict::Engaged(census)
    }

    fn join(&mut self, now: Timestamp) -> Verdict {
        if let State::Held(hold) = &mut self.state {
            hold.upto = now;
        }
        Verdict::Held
    }

    /// Looks at the time. Safe at any time. `fleet` shows every instance, and is asked only while
    /// a mass is held.
    pub fn look(
        &mut self,
        now: Timestamp,
        fleet: impl FnOnce() -> Vec<(InstanceId, Sighting)>,
    ) -> Look {
        let ended = match &mut self.state {
            State::Held(hold) if now >= hold.engaged.until.min(hold.next_look) => {
                let (upto, settled) = (hold.upto, self.settled);
                let mass: Vec<_> = fleet()
                    .into_iter()
                    .filter(|(_, one)| {
                        one.status.is_serving()
                            && one.last_beat <= upto
                            && settled.is_none_or(|settled| one.last_beat > settled)
                            && now.since(one.last_beat) >= self.thresholds.warning
                    })
                    .collect();
                hold.engaged.waiting = mass.len();
                hold.next_look = now + LOOK_INTERVAL;
                self.end_hold(mass, now)
            }
            State::Held(_) | State::Open | State::Releasing(_) => None,
        };
        let due = self.due(now);
        Look { ended, due }
    }

    fn end_hold(
        &mut self,
        mass: Vec<(InstanceId, Sighting)>,
        now: Timestamp,
    ) -> Option<(Ending, usize)> {
        let State::Held(hold) = &self.state else {
            return None;
        };
        if mass.is_empty() {
            self.open(None);
            return Some((Ending::NobodySilent, 0));
        }
        if now < hold.engaged.until {
            return None;
        }
        let ending = if hold.is_released {
            Ending::Released
        } else {
            Ending::TimeOver
        };
        let hold = hold.clone();
        // Who is late and not past its timeout has its own moment to come, and is not held then.
        let mut silent: Vec<_> = mass
            .into_iter()
            .filter(|(_, one)| now.since(one.last_beat) >= self.thresholds.timeout)
            .collect();
        silent.sort_by(|(a, left), (b, right)| right.held.cmp(&left.held).then_with(|| a.cmp(b)));
        let queue: VecDeque<_> = silent
            .into_iter()
            .map(|(id, one)| (id, one.incarnation))
            .collect();
        let count = queue.len();
        self.state = State::Releasing(Release {
            began: now,
            gap: gap(count),
            queued: queue.iter().map(|(id, _)| id.clone()).collect(),
            queue,
            released: 0,
            hold,
        });
        Some((ending, count))
    }

    fn due(&mut self, now: Timestamp) -> Vec<(InstanceId, Incarnation)> {
        let mut due = Vec::new();
        let State::Releasing(release) = &mut self.state else {
            return due;
        };
        while release.next() <= now
            && let Some((id, incarnation)) = release.queue.pop_front()
        {
            release.released += 1;
            release.queued.remove(&id);
            due.push((id, incarnation));
        }
        release.hold.engaged.waiting = release.queue.len();
        if release.queue.is_empty() {
            let late_before = release.began.as_micros();
            let warning = Timestamp::ZERO + self.thresholds.warning;
            let late_before = late_before.saturating_sub(warning.as_micros());
            let upto = release.hold.upto;
            self.open(Some(upto.min(Timestamp::from_micros(late_before))));
        }
        due
    }

    fn open(&mut self, settled: Option<Timestamp>) {
        self.state = State::Open;
        self.settled = self.settled.max(settled);
        self.counted_at = None;
    }

    /// An operator's order; look at the time afterwards.
    ///
    /// # Errors
    /// If there is nothing it could apply to.
    pub fn order(&mut self, order: Order, now: Timestamp) -> Result<(), OrderRefused> {
        match (&mut self.state, order) {
            (State::Open, Order::Release | Order::Prolong(_)) => Err(OrderRefused::NothingHeld),
            (State::Held(hold), Order::Release) => {
                hold.is_released = true;
                hold.engaged.until = now;
                Ok(())
            }
            (State::Held(hold), Order::Prolong(by)) => {
                hold.prolong(by, now);
                Ok(())
            }
            (State::Releasing(_), Order::Release) => Err(OrderRefused::AlreadyReleased),
            // Second thoughts: what was not recovered yet is held again.
            (State::Releasing(release), Order::Prolong(by)) => {
                let mut hold = release.hold.clone();
                hold.prolong(by, now);
                self.state = State::Held(hold);
                Ok(())
            }
        }
    }

    /// When the time is to be looked at next.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        match &self.state {
            State::Open => None,
            State::Held(hold) => Some(hold.engaged.until.min(hold.next_look)),
            State::Releasing(release) => Some(release.next()),
        }
    }

    /// What the brake does.
    pub fn phase(&self) -> Phase {
        match &self.state {
            State::Open => Phase::Open,
            State::Held(_) => Phase::Held,
            State::Releasing(_) => Phase::Releasing,
        }
    }

    /// Since when, until when and why it is not open.
    pub fn engagement(&self) -> Option<Engagement> {
        match &self.state {
            State::Open => None,
            State::Held(hold) => Some(hold.engaged),
            State::Releasing(release) => Some(release.hold.engaged),
        }
    }

    fn is_settled(&self, last_beat: Timestamp) -> bool {
        self.settled.is_some_and(|settled| last_beat <= settled)
    }
}

impl Hold {
    fn prolong(&mut self, by: Duration, now: Timestamp) {
        let until = self.engaged.until.max(now) + by;
        self.engaged.until = until.min(now + MAX_PROLONGATION);
        self.engaged.is_prolonged = true;
        self.is_released = false;
    }
}

impl Release {
    /// When the next one is due: the first at once, the last within the window; several together
    /// where they are close.
    fn next(&self) -> Timestamp {
        let offset = self.gap * self.released;
        let step = RELEASE_STEP.as_micros();
        let steps = u32::try_from(offset.as_micros() / step).unwrap_or(u32::MAX);
        self.began + RELEASE_STEP * steps
    }
}

/// The wait between two of `count` recoveries.
fn gap(count: usize) -> Duration {
    let count = u32::try_from(count.max(1)).unwrap_or(u32::MAX);
    (RELEASE_WINDOW / count).min(LONGEST_GAP)
}

/// The formula: see the head of this file. What last beat up to `newer_than` was counted before.
pub fn count(
    thresholds: &LivenessThresholds,
    newer_than: Option<Timestamp>,
    now: Timestamp,
    fleet: &[Sighting],
) -> Census {
    let became_late = thresholds.timeout.saturating_sub(thresholds.warning);
    let mut census = Census::default();
    for one in fleet {
        let silent_for = now.since(one.last_beat);
        let is_known = newer_than.is_some_and(|before| one.last_beat <= before);
        if !one.status.is_serving() || silent_for >= thresholds.timeout * 2 || is_known {
            continue;
        }
        let is_late = silent_for >= thresholds.warning;
        census.late += usize::from(is_late);
        let is_old = now.since(one.serving_since) >= became_late;
        census.active += usize::from(is_late || is_old);
    }
    census
}

/// Whether so many are a mass.
pub fn is_mass(settings: &MassFailureSettings, census: Census) -> bool {
    let least = usize::try_from(settings.min).unwrap_or(usize::MAX);
    census.late >= least && settings.ratio.is_exceeded_by(census.late, census.active)
}

#[cfg(test)]
mod tests;
