//! The brake itself: when it engages, and when it releases.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ids::{Incarnation, InstanceId};
use crate::settings::{LivenessThresholds, MassFailureSettings};
use crate::time::Timestamp;

use super::census::{Census, Sighting, count, is_mass};
use super::hold::{Engagement, Hold};
use super::release::Release;

/// How long a count that found no mass stays valid.
pub const COUNT_INTERVAL: Duration = Duration::from_millis(100);

/// Whether an expired instance may be recovered now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The recovery may begin.
    Proceed,
    /// The instance is part of a mass, and is released later.
    Held,
    /// The silence of this instance engaged the brake.
    Engaged(Census),
}

/// Why a hold ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Every instance of the mass sends heartbeats again, or is removed.
    NobodySilent,
    /// The time of the hold is over.
    TimeOver,
    /// An operator released the brake.
    Released,
}

/// The result of a check of the time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Look {
    /// Why the hold ended, if it did, and how many instances are to be recovered.
    pub ended: Option<(Ending, usize)>,
    /// The instances whose recovery is due, most loaded first.
    pub due: Vec<(InstanceId, Incarnation)>,
}

/// An order of an operator to the brake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Ends the hold now.
    Release,
    /// Prolongs the hold by this much, up to [`MAX_PROLONGATION`](super::MAX_PROLONGATION) from
    /// now.
    Prolong(Duration),
}

impl Order {
    /// Returns which of the two actions it is.
    pub const fn action(self) -> BrakeAction {
        match self {
            Self::Release => BrakeAction::Release,
            Self::Prolong(_) => BrakeAction::Prolong,
        }
    }
}

/// An action an operator can order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum BrakeAction {
    Release,
    Prolong,
}

impl BrakeAction {
    /// Returns the word used in requests, answers and the audit trail.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Prolong => "prolong",
        }
    }
}

/// Why an order was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderRefused {
    /// Nothing is held.
    NothingHeld,
    /// The hold has ended already; recoveries are under way.
    AlreadyReleased,
}

/// The state of the brake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Nothing is held.
    Open,
    /// A mass is held.
    Held,
    /// The hold is over, and the instances of the mass are recovered one after the other.
    Releasing,
}

/// The mass-failure brake.
#[derive(Debug, Clone)]
pub struct Brake {
    settings: MassFailureSettings,
    thresholds: LivenessThresholds,
    hold: Option<Hold>,
    /// Masses whose hold is over and which still have an instance that waits for its recovery.
    releases: Vec<Release>,
    /// Silences that began up to here were held once and are not held again.
    settled: Option<Timestamp>,
    /// When a count last found no mass.
    counted_at: Option<Timestamp>,
}

impl Brake {
    /// Creates a brake that holds nothing.
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

    /// Decides whether an instance that last sent a heartbeat at `last_beat`, and is past its
    /// timeout, may be recovered. `fleet` lists every instance; it is called only if they must be
    /// counted.
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

    /// Counts the silences that began after a moment; returns `None` if they are no mass.
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

    /// Checks the time. May be called at any time. `fleet` lists every instance; it is called only
    /// while a mass is held.
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

    /// Returns the instances of the mass that are still silent.
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
        // An instance that is late but not past its timeout is judged at its own timeout, and is
        // not held then.
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

    /// Carries out an operator's order. The time must be checked afterwards.
    ///
    /// # Errors
    /// Returns an error if there is nothing the order applies to.
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

    /// Prolongs the hold, and withdraws the releases that have not begun yet.
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

    /// Returns whether a silence that began after this heartbeat belongs to a mass that is held or was
    /// held.
    pub fn is_of_mass(&self, last_beat: Timestamp) -> bool {
        let held = self
            .hold
            .iter()
            .chain(self.releases.iter().map(|release| &release.hold));
        self.settled.is_some_and(|settled| last_beat <= settled)
            || held.into_iter().any(|hold| hold.covers(last_beat))
    }

    /// Returns when the time must be checked next.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let releases = self.releases.iter().map(Release::next);
        let hold = self.hold.iter().map(Hold::next_deadline);
        releases.chain(hold).min()
    }

    /// Returns the state of the brake.
    pub fn phase(&self) -> Phase {
        if self.hold.is_some() {
            Phase::Held
        } else if self.releases.is_empty() {
            Phase::Open
        } else {
            Phase::Releasing
        }
    }

    /// Returns since when, until when and why the brake is engaged.
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
