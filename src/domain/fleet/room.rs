//! Who has room, least loaded first: the order in which streams are given out.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use super::model::InstanceSlot;
use crate::domain::ids::InstanceId;
use crate::domain::instance::InstanceStatus;

/// How full an instance is: `held / max`, compared exactly, without floating point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// Streams it owns, and those promised to it.
    pub held: u32,
    /// Streams it may own, at least 1.
    pub max: u32,
}

impl Load {
    /// Whether one more stream fits.
    pub const fn has_room(self) -> bool {
        self.held < self.max
    }

    /// How many more streams fit.
    pub const fn free(self) -> u32 {
        self.max.saturating_sub(self.held)
    }
}

impl Ord for Load {
    fn cmp(&self, other: &Self) -> Ordering {
        let left = u64::from(self.held) * u64::from(other.max);
        let right = u64::from(other.held) * u64::from(self.max);
        // Equal fractions: the larger instance first, it will be fuller by less. The last
        // comparison only makes the order total.
        left.cmp(&right)
            .then(other.max.cmp(&self.max))
            .then(self.held.cmp(&other.held))
    }
}

impl PartialOrd for Load {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The placement policy: the order of the fields is the order of the criteria.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Candidate {
    pub(super) load: Load,
    pub(super) id: InstanceId,
}

/// The instances with room, kept in placement order as the fleet changes: finding the next
/// target costs O(log n), however many instances there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Room {
    active: BTreeSet<Candidate>,
    recovering: BTreeSet<Candidate>,
    auto_assign: BTreeSet<Candidate>,
    /// Active instances whose last room is reserved for streams on their way to them.
    reserved: BTreeSet<Candidate>,
}

/// The instances with room, least loaded first, in the order of the lists.
pub(super) struct Candidates<A, R, V> {
    /// Active ones.
    pub(super) active: A,
    /// Those on probation, for when no active one has room.
    pub(super) recovering: R,
    /// Active ones with reserved room only, for streams that nobody runs.
    pub(super) reserved: V,
}

impl Room {
    /// Takes an instance out of the order, given the load it was filed under.
    pub(super) fn remove(&mut self, slot: &InstanceSlot) {
        for_each_list(self, slot, |list, candidate| {
            list.remove(&candidate);
        });
    }

    /// Files an instance under its load, if it may be pushed streams and has room.
    pub(super) fn insert(&mut self, slot: &InstanceSlot) {
        for_each_list(self, slot, |list, candidate| {
            list.insert(candidate);
        });
    }

    /// Who gets the next orphan: the least loaded active instance, or, if none has room, the
    /// least loaded one on probation, or else one whose room is reserved.
    pub(super) fn for_orphan(&self) -> Option<&InstanceId> {
        self.active
            .first()
            .or_else(|| self.recovering.first())
            .or_else(|| self.reserved.first())
            .map(|candidate| &candidate.id)
    }

    /// The least loaded active instance that is not this one.
    pub(super) fn for_other_than(&self, id: &InstanceId) -> Option<&InstanceId> {
        let mut active = self.active.iter();
        active
            .find(|candidate| candidate.id != *id)
            .map(|candidate| &candidate.id)
    }

    /// Whether an instance is active and has room, reserved or not: who asks is owed it.
    pub(super) fn is_open(&self, slot: Option<&InstanceSlot>) -> bool {
        slot.is_some_and(|slot| {
            let candidate = candidate(slot);
            self.active.contains(&candidate) || self.reserved.contains(&candidate)
        })
    }

    /// Those with room.
    pub(super) fn candidates(
        &self,
    ) -> Candidates<
        impl Iterator<Item = &Candidate>,
        impl Iterator<Item = &Candidate>,
        impl Iterator<Item = &Candidate>,
    > {
        Candidates {
            active: self.active.iter(),
            recovering: self.recovering.iter(),
            reserved: self.reserved.iter(),
        }
    }

    /// Who gets the next unclaimed stream without asking: the least loaded active instance with
    /// `auto_assign` that is not the one that let go of it.
    pub(super) fn for_unclaimed(&self, released_by: Option<&InstanceId>) -> Option<&InstanceId> {
        self.auto_assign
            .iter()
            .map(|candidate| &candidate.id)
            .find(|id| released_by.is_none_or(|releaser| releaser != *id))
    }
}

fn candidate(slot: &InstanceSlot) -> Candidate {
    Candidate {
        load: Load {
            held: u32::try_from(slot.load()).unwrap_or(u32::MAX),
            max: slot.instance().max_streams,
        },
        id: slot.instance().id.clone(),
    }
}

/// The lists an instance belongs to, given its state and load.
fn for_each_list(
    room: &mut Room,
    slot: &InstanceSlot,
    apply: impl Fn(&mut BTreeSet<Candidate>, Candidate),
) {
    let instance = slot.instance();
    if slot.vacant_room() == 0 || instance.withdrawn.is_some() {
        return;
    }
    let candidate = candidate(slot);
    let is_reserved = !candidate.load.has_room();
    match instance.status {
        InstanceStatus::Active if is_reserved => apply(&mut room.reserved, candidate),
        InstanceStatus::Active => {
            if instance.auto_assign {
                apply(&mut room.auto_assign, candidate.clone());
            }
            apply(&mut room.active, candidate);
        }
        // What was promised to one that failed meanwhile goes elsewhere: nothing is reserved.
        InstanceStatus::Recovering => apply(&mut room.recovering, candidate),
        InstanceStatus::Suspect
        | InstanceStatus::Failed
        | InstanceStatus::Draining
        | InstanceStatus::Maintenance
        | InstanceStatus::Inactive => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loads_are_compared_as_fractions() {
        let half = Load { held: 5, max: 10 };
        let third = Load {
            held: 100,
            max: 300,
        };
        assert!(third < half);
        assert_eq!(half.cmp(&half), Ordering::Equal);
        assert!(
            Load { held: 0, max: 20 } < Load { held: 0, max: 10 },
            "the larger one first"
        );
        assert!(!Load { held: 7, max: 7 }.has_room());
        assert_eq!(Load { held: 9, max: 7 }.free(), 0);
    }
}
