//! The instances with room, best score first: the order in which streams are assigned.

use std::collections::BTreeSet;

use crate::ids::InstanceId;
use crate::instance::{Instance, InstanceStatus};
use crate::placement::{Facts, PlacementPolicy, Room, Score};

/// The facts by which an instance is filed.
pub(super) struct Filing<'i> {
    pub(super) instance: &'i Instance,
    /// What its score is computed from, with the streams that are promised to it.
    pub(super) facts: Facts,
    /// What it may be given beside the streams that are promised to it.
    pub(super) free: Room,
    /// What it could own now, whatever is promised to it.
    pub(super) vacant: Room,
}

/// An instance in placement order: the order of the fields is the order of the criteria.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Candidate {
    pub(super) score: Score,
    pub(super) id: InstanceId,
}

/// The instances with room, kept in placement order as the fleet changes: finding the next
/// target costs O(log n), however many instances there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct CapacityIndex {
    policy: PlacementPolicy,
    active: BTreeSet<Candidate>,
    recovering: BTreeSet<Candidate>,
    auto_assign: BTreeSet<Candidate>,
    /// Active instances whose last room is reserved for streams on their way to them.
    reserved: BTreeSet<Candidate>,
}

impl CapacityIndex {
    /// Files these instances.
    pub(super) fn of<'i>(
        policy: PlacementPolicy,
        filings: impl Iterator<Item = Filing<'i>>,
    ) -> Self {
        let mut index = Self {
            policy,
            ..Self::default()
        };
        for filing in filings {
            index.insert(&filing);
        }
        index
    }

    /// Removes an instance, given the facts under which it was filed.
    pub(super) fn remove(&mut self, filing: &Filing<'_>) {
        self.for_each_list(filing, |list, candidate| {
            list.remove(&candidate);
        });
    }

    /// Files an instance under its score, if streams may be assigned to it and it has room.
    pub(super) fn insert(&mut self, filing: &Filing<'_>) {
        self.for_each_list(filing, |list, candidate| {
            list.insert(candidate);
        });
    }

    /// Active instances with room.
    pub(super) fn active(&self) -> &BTreeSet<Candidate> {
        &self.active
    }

    /// Instances on probation with room, for when no active one has any.
    pub(super) fn recovering(&self) -> &BTreeSet<Candidate> {
        &self.recovering
    }

    /// Active instances with reserved room only, for streams without an owner.
    pub(super) fn reserved(&self) -> &BTreeSet<Candidate> {
        &self.reserved
    }

    /// Active instances with room that take streams without a request.
    pub(super) fn auto_assign(&self) -> &BTreeSet<Candidate> {
        &self.auto_assign
    }

    /// Returns whether an instance is active and has room, reserved or not: a promised stream may
    /// use its reservation.
    pub(super) fn is_open(&self, filing: &Filing<'_>) -> bool {
        let candidate = self.candidate(filing);
        self.active.contains(&candidate) || self.reserved.contains(&candidate)
    }

    /// Returns whether any instance takes unclaimed streams without a request.
    pub(super) fn takes_unclaimed(&self) -> bool {
        !self.auto_assign.is_empty()
    }

    /// Returns whether any instance takes orphans.
    pub(super) fn has_any(&self) -> bool {
        !(self.active.is_empty() && self.recovering.is_empty() && self.reserved.is_empty())
    }

    fn candidate(&self, filing: &Filing<'_>) -> Candidate {
        Candidate {
            score: self.policy.score(&filing.facts),
            id: filing.instance.id.clone(),
        }
    }

    /// Calls `apply` for each list an instance belongs to, given its state and room.
    fn for_each_list(
        &mut self,
        filing: &Filing<'_>,
        apply: impl Fn(&mut BTreeSet<Candidate>, Candidate),
    ) {
        let instance = filing.instance;
        let is_closed = instance.withdrawn.is_some() || instance.cordon().is_some();
        if filing.vacant.is_full() || is_closed {
            return;
        }
        let candidate = self.candidate(filing);
        match instance.status {
            InstanceStatus::Active if filing.free.is_full() => {
                apply(&mut self.reserved, candidate);
            }
            InstanceStatus::Active => {
                if instance.auto_assign {
                    apply(&mut self.auto_assign, candidate.clone());
                }
                apply(&mut self.active, candidate);
            }
            // A stream that was promised to an instance which failed meanwhile goes elsewhere: nothing
            // is reserved.
            InstanceStatus::Recovering => apply(&mut self.recovering, candidate),
            InstanceStatus::Suspect
            | InstanceStatus::Failed
            | InstanceStatus::Draining
            | InstanceStatus::Maintenance
            | InstanceStatus::Inactive => {}
        }
    }
}
