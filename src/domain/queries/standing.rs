//! Where one instance stands: what a heartbeat needs to know.

use super::Query;
use crate::domain::fleet::{Fleet, InstanceSlot};
use crate::domain::ids::{AssignmentVersion, Incarnation, InstanceId};
use crate::domain::instance::InstanceStatus;

/// Asks where an instance stands; `None` if it is not registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandingOf {
    /// Which one.
    pub id: InstanceId,
}

/// Where an instance stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Which one.
    pub id: InstanceId,
    /// Its current life.
    pub incarnation: Incarnation,
    /// What it is held to be.
    pub status: InstanceStatus,
    /// The version of its set of streams.
    pub assignment_version: AssignmentVersion,
    /// How many streams it owns.
    pub held: usize,
    /// How many of them it was never told of.
    pub undelivered: usize,
    /// How many of them it was not told of in its current life. While this is 0 a heartbeat has
    /// nothing to confirm, and needs no command.
    pub unconfirmed: usize,
}

impl Standing {
    pub(super) fn of(slot: &InstanceSlot) -> Self {
        let instance = slot.instance();
        Self {
            id: instance.id.clone(),
            incarnation: instance.incarnation,
            status: instance.status,
            assignment_version: instance.assignment_version,
            held: slot.held().len(),
            undelivered: slot.undelivered().len(),
            unconfirmed: slot.unconfirmed().len(),
        }
    }
}

impl Query for StandingOf {
    type Answer = Option<Standing>;

    fn answer(&self, fleet: &Fleet) -> Self::Answer {
        fleet.instance(&self.id).map(Standing::of)
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::domain::commands::RemoveInstance;

    #[test]
    fn what_was_told_in_an_earlier_life_is_delivered_but_not_confirmed() {
        let mut ledger = sample::ledger();
        sample::run(&mut ledger, sample::streams(1..=5));
        sample::run(&mut ledger, sample::register("gone", 5));
        sample::run(&mut ledger, sample::ask("gone", 2));
        sample::run(&mut ledger, sample::register("a", 5));
        sample::run(&mut ledger, sample::ask("a", 2));
        let standing = |ledger: &crate::domain::fleet::Ledger| {
            let of = StandingOf { id: "a".into() };
            let standing = of.answer(ledger.saved()).unwrap();
            (standing.held, standing.undelivered, standing.unconfirmed)
        };
        assert_eq!(standing(&ledger), (2, 0, 0));
        sample::run(&mut ledger, RemoveInstance { id: "gone".into() });
        assert_eq!(standing(&ledger), (4, 2, 2));
        sample::run(&mut ledger, sample::register("a", 5));
        assert_eq!(standing(&ledger), (4, 2, 4));
        sample::run(&mut ledger, sample::ask("a", 5));
        assert_eq!(standing(&ledger), (5, 0, 0));
        let unknown = StandingOf { id: "gone".into() };
        assert_eq!(unknown.answer(ledger.saved()), None);
    }
}
