//! The instances that the streams of one instance can go to, as a plan fills them.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use super::choice::{Claim, Seeker};
use super::model::Fleet;
use super::room::Candidate;
use super::scores::Scoring;
use crate::ids::{InstanceId, StreamId};
use crate::placement::{Exclusion, Facts, Need, PlacementPolicy, Preference, Room, Score, Strain};
use crate::stream::Assignment;

/// How many more candidates than streams are considered: weights can change the order among the
/// lightest, and a large fleet is not walked for one stream.
const MORE_CANDIDATES: usize = 64;

/// An instance in the order in which instances get streams, with what it has left.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    score: Score,
    id: InstanceId,
    facts: Facts,
    strain: Strain,
    free: Room,
    vacant: Room,
}

impl Ord for Target {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.score.cmp(&other.score)).then_with(|| self.id.cmp(&other.id))
    }
}

impl PartialOrd for Target {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Target {
    /// The same instance with one more stream of that weight.
    fn with(mut self, weight: u32, policy: PlacementPolicy) -> Self {
        self.facts.load.held = self.facts.load.held.saturating_add(weight);
        self.facts.streams = self.facts.streams.saturating_add(1);
        self.free = self.free.beside(weight);
        self.vacant = self.vacant.beside(weight);
        self.score = policy.score_in_recovery(&self.facts, self.strain);
        self
    }

    fn room(&self, claim: Claim) -> Room {
        match claim {
            Claim::Free => self.free,
            Claim::Vacant => self.vacant,
        }
    }
}

/// The instances with room, best first; those on probation only if no active one has room, and
/// reserved room last.
pub(super) struct Targets<'f> {
    fleet: &'f Fleet,
    active: BinaryHeap<Reverse<Target>>,
    recovering: BinaryHeap<Reverse<Target>>,
    reserved: BinaryHeap<Reverse<Target>>,
    /// The streams of a group that are planned so far.
    planned: BTreeMap<Arc<str>, BTreeMap<InstanceId, usize>>,
}

impl<'f> Targets<'f> {
    /// Collects the targets for these streams. Promises of these streams are planned anew, and
    /// reserve nothing.
    pub(super) fn of(
        fleet: &'f Fleet,
        from: &InstanceId,
        scoring: &Scoring,
        streams: &[StreamId],
    ) -> Self {
        let mut freed: BTreeMap<&InstanceId, (u32, u32)> = BTreeMap::new();
        let mut are_plain = true;
        for slot in streams.iter().filter_map(|stream| fleet.stream(*stream)) {
            let stream = slot.stream();
            are_plain &= Need::of(stream).is_plain() && stream.constraints.is_none();
            let assignment = slot.place().assignment();
            if let Some(to) = assignment.and_then(Assignment::promised_to) {
                let (count, weight) = freed.entry(to).or_default();
                *count += 1;
                *weight = weight.saturating_add(stream.weight);
            }
        }
        let policy = fleet.placement().policy;
        let target = |candidate: &Candidate| {
            let slot = fleet.instance(&candidate.id)?;
            let (count, weight) = freed.get(&candidate.id).copied().unwrap_or_default();
            let (mut facts, mut free, vacant) = (slot.facts(), slot.free(), slot.vacant());
            facts.load.held = facts.load.held.saturating_sub(weight);
            facts.streams = facts.streams.saturating_sub(count);
            free.streams = free.streams.saturating_add(count).min(vacant.streams);
            free.weight = free.weight.saturating_add(weight).min(vacant.weight);
            let strain = scoring.strain(&candidate.id);
            Some(Target {
                score: policy.score_in_recovery(&facts, strain),
                id: candidate.id.clone(),
                facts,
                strain,
                free,
                vacant,
            })
        };
        let is_other = |candidate: &&Candidate| candidate.id != *from;
        // Only plain streams all fit where there is room.
        let most = if are_plain {
            streams.len().saturating_add(MORE_CANDIDATES)
        } else {
            usize::MAX
        };
        let room = fleet.room();
        let mut targets = Self {
            fleet,
            active: BinaryHeap::new(),
            recovering: BinaryHeap::new(),
            reserved: BinaryHeap::new(),
            planned: BTreeMap::new(),
        };
        let active = room.active().iter().filter(is_other).take(most);
        let reserved = room.reserved().iter().filter(is_other).take(most);
        for target in active.chain(reserved).filter_map(target) {
            targets.file_active(target);
        }
        let recovering = room.recovering().iter().filter(is_other).take(most);
        targets
            .recovering
            .extend(recovering.filter_map(target).map(Reverse));
        targets
    }

    fn file_active(&mut self, target: Target) {
        if !target.free.is_full() {
            self.active.push(Reverse(target));
        } else if !target.vacant.is_full() {
            self.reserved.push(Reverse(target));
        }
    }

    /// Returns the instance that gets the next stream.
    pub(super) fn next(&mut self, stream: StreamId) -> Option<InstanceId> {
        let slot = self.fleet.stream(stream)?;
        let stream = slot.stream();
        let seeker = Seeker::of(self.fleet, stream);
        let planned = stream.group().and_then(|group| self.planned.get(group));
        let suits = |target: &Target, claim| {
            let room = target.room(claim);
            let fits = self.fleet.instance(&target.id).is_some_and(|slot| {
                Exclusion::by_need(slot.instance(), room, seeker.need()).is_none()
            });
            fits.then(|| {
                let mut preference = seeker.preference(&target.id);
                let beside = planned.and_then(|planned| planned.get(&target.id));
                preference.crowding.on_instance += beside.copied().unwrap_or_default();
                preference
            })
        };
        let best = seeker.best();
        let found = {
            let active = (&mut self.active, Claim::Free, false);
            let recovering = (&mut self.recovering, Claim::Vacant, true);
            let reserved = (&mut self.reserved, Claim::Vacant, false);
            let mut lists = [active, recovering, reserved].into_iter();
            lists.find_map(|(list, claim, is_recovering)| {
                let target = take_best(list, best, |target| suits(target, claim))?;
                Some((target, is_recovering))
            })
        };
        let (target, is_recovering) = found?;
        let id = target.id.clone();
        if let Some(group) = stream.group() {
            let counts = self.planned.entry(group.clone()).or_default();
            *counts.entry(id.clone()).or_default() += 1;
        }
        let target = target.with(stream.weight, self.fleet.placement().policy);
        if !is_recovering {
            self.file_active(target);
        } else if !target.vacant.is_full() {
            self.recovering.push(Reverse(target));
        }
        Some(id)
    }
}

/// Takes the target out of a list that suits best: the first of those that suit as well as can be, else
/// the first of those that suit best.
fn take_best(
    list: &mut BinaryHeap<Reverse<Target>>,
    best: Preference,
    suits: impl Fn(&Target) -> Option<Preference>,
) -> Option<Target> {
    let mut passed_over = Vec::new();
    let mut chosen: Option<(Preference, usize)> = None;
    let mut found = None;
    while let Some(Reverse(target)) = list.pop() {
        let preference = suits(&target);
        if preference == Some(best) {
            found = Some(target);
            break;
        }
        if let Some(preference) = preference
            && chosen.is_none_or(|(least, _)| preference < least)
        {
            chosen = Some((preference, passed_over.len()));
        }
        passed_over.push(Reverse(target));
    }
    if found.is_none() {
        found = chosen.map(|(_, index)| passed_over.swap_remove(index).0);
    }
    list.extend(passed_over);
    found
}
