//! The instances with room, least loaded first: the order in which streams are assigned.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use crate::ids::InstanceId;
use crate::instance::{Instance, InstanceStatus};

/// How full an instance is: `held / max`, compared exactly, without floating point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// Streams it owns, and those promised to it.
    pub held: u32,
    /// Streams it may own, at least 1.
    pub max: u32,
}

impl Load {
    /// Returns whether one more stream fits.
    pub const fn has_room(self) -> bool {
        self.held < self.max
    }

    /// Returns how many more streams fit.
    pub const fn free(self) -> u32 {
        self.max.saturating_sub(self.held)
    }
}

impl Ord for Load {
    fn cmp(&self, other: &Self) -> Ordering {
        let left = u64::from(self.held) * u64::from(other.max);
        let right = u64::from(other.held) * u64::from(self.max);
        // Equal fractions: the larger instance first, because one more stream fills it by less. The
        // last comparison only makes the order total.
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

/// The facts by which an instance is filed.
pub(super) struct Filing<'i> {
    pub(super) instance: &'i Instance,
    /// Streams it owns, and those that are promised to it.
    pub(super) load: usize,
    /// How many more streams it could own now, whatever is promised to it.
    pub(super) vacant: usize,
}

/// An instance in placement order: the order of the fields is the order of the criteria.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Candidate {
    pub(super) load: Load,
    pub(super) id: InstanceId,
}

/// The instances with room, kept in placement order as the fleet changes: finding the next
/// target costs O(log n), however many instances there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct CapacityIndex {
    active: BTreeSet<Candidate>,
    recovering: BTreeSet<Candidate>,
    auto_assign: BTreeSet<Candidate>,
    /// Active instances whose last room is reserved for streams on their way to them.
    reserved: BTreeSet<Candidate>,
}

/// The instances with room, least loaded first, by list.
pub(super) struct Candidates<A, R, V> {
    /// Active instances.
    pub(super) active: A,
    /// Instances on probation, for when no active one has room.
    pub(super) recovering: R,
    /// Active instances with reserved room only, for streams without an owner.
    pub(super) reserved: V,
}

impl CapacityIndex {
    /// Files these instances.
    pub(super) fn of<'i>(filings: impl Iterator<Item = Filing<'i>>) -> Self {
        let mut index = Self::default();
        for filing in filings {
            index.insert(&filing);
        }
        index
    }

    /// Removes an instance, given the load under which it was filed.
    pub(super) fn remove(&mut self, filing: &Filing<'_>) {
        for_each_list(self, filing, |list, candidate| {
            list.remove(&candidate);
        });
    }

    /// Files an instance under its load, if streams may be assigned to it and it has room.
    pub(super) fn insert(&mut self, filing: &Filing<'_>) {
        for_each_list(self, filing, |list, candidate| {
            list.insert(candidate);
        });
    }

    /// Returns the instance that gets an orphan: the least loaded active one, or, if none has room,
    /// the least loaded one on probation, or else one whose room is reserved.
    pub(super) fn for_orphan(&self, avoided: &[InstanceId]) -> Option<&InstanceId> {
        let lists = [&self.active, &self.recovering, &self.reserved];
        lists
            .into_iter()
            .find_map(|list| choose(list, None, avoided))
    }

    /// Returns the least loaded active instance except this one.
    pub(super) fn for_move(
        &self,
        owner: Option<&InstanceId>,
        avoided: &[InstanceId],
    ) -> Option<&InstanceId> {
        choose(&self.active, owner, avoided)
    }

    /// Returns whether an instance is active and has room, reserved or not: a promised stream may
    /// use its reservation.
    pub(super) fn is_open(&self, filing: &Filing<'_>) -> bool {
        let candidate = candidate(filing);
        self.active.contains(&candidate) || self.reserved.contains(&candidate)
    }

    /// Returns the instances with room.
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

    /// Returns the instance that gets an unclaimed stream without a request: the least loaded
    /// active one with `auto_assign` that is not the one that released the stream.
    pub(super) fn for_unclaimed(
        &self,
        released_by: Option<&InstanceId>,
        avoided: &[InstanceId],
    ) -> Option<&InstanceId> {
        choose(&self.auto_assign, released_by, avoided)
    }

    /// Returns whether any instance takes orphans.
    pub(super) fn has_any(&self) -> bool {
        !(self.active.is_empty() && self.recovering.is_empty() && self.reserved.is_empty())
    }

    /// Returns whether any instance takes unclaimed streams without a request.
    pub(super) fn has_auto_assign(&self) -> bool {
        !self.auto_assign.is_empty()
    }
}

/// Returns the first instance of a list, but never `never`, and an avoided one only if there is no
/// other: then the first among them. It looks at a few more instances than are avoided.
fn choose<'r>(
    list: &'r BTreeSet<Candidate>,
    never: Option<&InstanceId>,
    avoided: &[InstanceId],
) -> Option<&'r InstanceId> {
    let ids = || {
        let ids = list.iter().map(|candidate| &candidate.id);
        ids.filter(|id| Some(*id) != never)
    };
    let fresh = ids().find(|id| !avoided.contains(id));
    fresh.or_else(|| {
        let mut avoided = avoided.iter();
        avoided.find_map(|wanted| ids().find(|id| *id == wanted))
    })
}

fn candidate(filing: &Filing<'_>) -> Candidate {
    Candidate {
        load: Load {
            held: u32::try_from(filing.load).unwrap_or(u32::MAX),
            max: filing.instance.max_streams,
        },
        id: filing.instance.id.clone(),
    }
}

/// Calls `apply` for each list an instance belongs to, given its state and load.
fn for_each_list(
    room: &mut CapacityIndex,
    filing: &Filing<'_>,
    apply: impl Fn(&mut BTreeSet<Candidate>, Candidate),
) {
    let instance = filing.instance;
    if filing.vacant == 0 || instance.withdrawn.is_some() {
        return;
    }
    let candidate = candidate(filing);
    let is_reserved = !candidate.load.has_room();
    match instance.status {
        InstanceStatus::Active if is_reserved => apply(&mut room.reserved, candidate),
        InstanceStatus::Active => {
            if instance.auto_assign {
                apply(&mut room.auto_assign, candidate.clone());
            }
            apply(&mut room.active, candidate);
        }
        // A stream that was promised to an instance which failed meanwhile goes elsewhere: nothing
        // is reserved.
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
    fn who_is_to_be_avoided_is_chosen_last_and_in_the_given_order() {
        let list: BTreeSet<Candidate> = [("a", 0), ("b", 1), ("c", 2)]
            .map(|(id, held)| Candidate {
                load: Load { held, max: 9 },
                id: id.into(),
            })
            .into();
        let chosen = |never: Option<&str>, avoided: &[&str]| {
            let never = never.map(InstanceId::from);
            let avoided: Vec<InstanceId> = avoided.iter().map(|id| (*id).into()).collect();
            choose(&list, never.as_ref(), &avoided).map(|id| id.to_string())
        };
        for (never, avoided, expected) in [
            (None, &[][..], Some("a")),
            (Some("a"), &[], Some("b")),
            (None, &["a", "b"], Some("c")),
            (None, &["b", "c", "a"], Some("b")),
            (Some("b"), &["b", "c", "a"], Some("c")),
            (Some("c"), &["gone", "b", "a"], Some("b")),
        ] {
            assert_eq!(chosen(never, avoided).as_deref(), expected);
        }
        assert_eq!(choose(&BTreeSet::new(), None, &["a".into()]), None);
    }

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
