//! The brake itself: when it engages, and when it lets go.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ids::{Incarnation, InstanceId};
use crate::settings::{LivenessThresholds, MassFailureSettings};
use crate::time::Timestamp;

use super::census::{Census, Sighting, count, is_mass};
use super::hold::{Engagement, Hold};
use super::release::Release;

/// How long a count that found no mass is good for.
pub const COUNT_INTERVAL: Duration = Duration::from_millis(100);

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
    /// The hold is to last longer by so much, up to [`MAX_PROLONGATION`](super::MAX_PROLONGATION) from now.
    Prolong(Duration),
}

impl Order {
    /// Which of the two it is.
    pub const fn action(self) -> BrakeAction {
        match self {
            Self::Release => BrakeAction::Release,
            Self::Prolong(_) => BrakeAction::Prolong,
        }
    }
}

/// What an operator can do with a brake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BrakeAction {
    /// End the hold.
    Release,
    /// Make it longer.
    Prolong,
}

impl BrakeAction {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Prolong => "prolong",
        }
    }
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

/// The brake.
#[derive(Debug, Clone)]
pub struct Brake {
    settings: MassFailureSettings,
    thresholds: LivenessThresholds,
    hold: Option<Hold>,
    /// Masses whose hold is over, each with somebody who still waits for its turn.
    releases: Vec<Release>,
    /// Silences that began up to here were held once and are not held again.
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
            hold: None,
            releases: Vec::new(),
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
        if self.releases.iter().any(|release| release.contains(id)) {
            return Verdict::Held;
        }
        if self.settled.is_some_and(|settled| last_beat <= settled) {
            return Verdict::Proceed;
        }
        match self.hold.as_ref().map(|hold| hold.upto) {
            Some(upto) if last_beat <= upto => Verdict::Held,
            Some(upto) => match self.mass(Some(upto), now, fleet) {
                Some(_) => self.join(now),
                None => Verdict::Proceed,
            },
            None => match self.mass(self.settled, now, fleet) {
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
        let engaged = Engagement {
            since: now,
            until: now + self.settings.hold,
            census,
            waiting: census.late,
            is_prolonged: false,
        };
        self.hold = Some(Hold::new(engaged, self.settled));
        Verdict::Engaged(census)
    }

    fn join(&mut self, now: Timestamp) -> Verdict {
        if let Some(hold) = &mut self.hold {
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
        let mut ended = None;
        if let Some(mut hold) = self.hold.take() {
            if now >= hold.next_deadline() {
                let mass = self.mass_of(&hold, now, fleet());
                hold.looked(mass.len(), now);
                ended = self.end_if_over(hold, mass, now);
            } else {
                self.hold = Some(hold);
            }
        }
        let mut due = Vec::new();
        for release in &mut self.releases {
            release.due(now, &mut due);
        }
        self.releases.retain(|release| release.len() > 0);
        Look { ended, due }
    }

    /// Who of the mass is still silent.
    fn mass_of(
        &self,
        hold: &Hold,
        now: Timestamp,
        mut fleet: Vec<(InstanceId, Sighting)>,
    ) -> Vec<(InstanceId, Sighting)> {
        fleet.retain(|(_, one)| {
            one.status.is_serving()
                && hold.covers(one.last_beat)
                && now.since(one.last_beat) >= self.thresholds.warning
        });
        fleet
    }

    fn end_if_over(
        &mut self,
        hold: Hold,
        mut mass: Vec<(InstanceId, Sighting)>,
        now: Timestamp,
    ) -> Option<(Ending, usize)> {
        if mass.is_empty() {
            self.counted_at = None;
            return Some((Ending::NobodySilent, 0));
        }
        if now < hold.engaged.until {
            self.hold = Some(hold);
            return None;
        }
        let ending = if hold.is_released {
            Ending::Released
        } else {
            Ending::TimeOver
        };
        // Who is late and not past its timeout has its own moment to come, and is not held then.
        mass.retain(|(_, one)| now.since(one.last_beat) >= self.thresholds.timeout);
        let late_before = now.since(Timestamp::ZERO + self.thresholds.warning);
        let settled = hold.upto.min(Timestamp::ZERO + late_before);
        self.settled = self.settled.max(Some(settled));
        self.counted_at = None;
        let count = mass.len();
        if count > 0 {
            self.releases.push(Release::new(hold, mass, now));
        }
        Some((ending, count))
    }

    /// An operator's order; look at the time afterwards.
    ///
    /// # Errors
    /// If there is nothing it could apply to.
    pub fn order(&mut self, order: Order, now: Timestamp) -> Result<(), OrderRefused> {
        match (order, &mut self.hold) {
            (Order::Release, Some(hold)) => hold.release(now),
            (Order::Prolong(by), Some(_)) => self.hold_all(by, now),
            (Order::Release, None) if !self.releases.is_empty() => {
                return Err(OrderRefused::AlreadyReleased);
            }
            (Order::Prolong(by), None) if !self.releases.is_empty() => self.hold_all(by, now),
            (Order::Release | Order::Prolong(_), None) => return Err(OrderRefused::NothingHeld),
        }
        Ok(())
    }

    /// Holds on, and calls back those whose turn has not come yet.
    fn hold_all(&mut self, by: Duration, now: Timestamp) {
        for release in std::mem::take(&mut self.releases) {
            self.settled = self.settled.min(release.hold.after);
            match &mut self.hold {
                Some(hold) => hold.take_in(&release.hold),
                None => self.hold = Some(release.hold),
            }
        }
        if let Some(hold) = &mut self.hold {
            hold.prolong(by, now);
        }
    }

    /// When the time is to be looked at next.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let releases = self.releases.iter().map(Release::next);
        let hold = self.hold.iter().map(Hold::next_deadline);
        releases.chain(hold).min()
    }

    /// What the brake does.
    pub fn phase(&self) -> Phase {
        if self.hold.is_some() {
            Phase::Held
        } else if self.releases.is_empty() {
            Phase::Open
        } else {
            Phase::Releasing
        }
    }

    /// Since when, until when and why it is not open.
    pub fn engagement(&self) -> Option<Engagement> {
        let releasing: usize = self.releases.iter().map(Release::len).sum();
        if let Some(hold) = &self.hold {
            return Some(Engagement {
                waiting: hold.engaged.waiting + releasing,
                ..hold.engaged
            });
        }
        self.releases.last().map(|release| Engagement {
            waiting: releasing,
            ..release.hold.engaged
        })
    }
}
