//! How far instances are filled one after the other while very many streams wait.
//!
//! Placement gives each stream to the instance with the least score. A command that assigns a part of a
//! million streams in this order gives one to each of ten thousand instances, and writes the version of
//! all of them. The next part does so again. The outcome can be had with fewer writes: an instance that
//! has a score of `s` gets more streams as long as its score is below a *level*, if the waiting streams
//! suffice to raise all other instances to the level, too. Then the order in which instances get there
//! makes no difference, so each is raised at one go. The last streams, for which the level says nothing,
//! are placed one by one.
//!
//! The level is found by bisection over the scores that one instance passes on its way to full: for each,
//! the streams are counted that all instances take below it. Instances with equal facts are counted
//! once. Nothing of it is kept: the next command finds the level of what it sees.

use std::collections::BTreeMap;

use super::filling::AT_ONCE;
use super::model::Fleet;
use super::room::Candidate;
use crate::ids::InstanceId;
use crate::placement::{Facts, Need, PlacementPolicy, Room, Score};
use crate::stream::{Place, Stream};

/// A score to which every instance can be raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Level(Score);

/// Instances that get the same streams: their facts, how many streams they have room for, and how many
/// instances they are.
#[derive(Debug, Clone, Copy)]
struct Class {
    facts: Facts,
    room: u32,
    instances: usize,
}

impl Class {
    /// Returns the score of an instance that got so many streams.
    fn score(&self, policy: PlacementPolicy, weight: u32, streams: u32) -> Score {
        let mut facts = self.facts;
        facts.load.held = (facts.load.held).saturating_add(streams.saturating_mul(weight));
        facts.streams = facts.streams.saturating_add(streams);
        policy.score(&facts)
    }

    /// Returns how many streams an instance takes while its score is below `level`.
    fn below(&self, policy: PlacementPolicy, weight: u32, level: Score) -> u32 {
        let is_below = |streams| self.score(policy, weight, streams) < level;
        first_without(self.room, is_below)
    }
}

/// Returns the first of the numbers `0..=most` for which `holds` is false, or `most`. No number may hold
/// after one that does not.
fn first_without(most: u32, holds: impl Fn(u32) -> bool) -> u32 {
    let (mut low, mut high) = (0, most);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

/// Returns the level up to which instances take no more than so many streams of that weight. The scores
/// of the instance with most room are tried first, because they are the closest together; the lightest
/// instance passes a score that is low enough in any case.
fn level(policy: PlacementPolicy, classes: &[Class], weight: u32, streams: usize) -> Option<Level> {
    let suffice = |level: Score| {
        let taken = |class: &Class| class.below(policy, weight, level) as usize * class.instances;
        classes.iter().map(taken).sum::<usize>() <= streams
    };
    let roomiest = classes.iter().max_by_key(|class| class.room)?;
    let lightest = (classes.iter()).min_by_key(|class| class.score(policy, weight, 0))?;
    let passing = [roomiest, lightest]
        .into_iter()
        .find(|class| suffice(class.score(policy, weight, 0)))?;
    let score = |streams| passing.score(policy, weight, streams);
    let passed = first_without(passing.room, |passed| suffice(score(passed + 1)));
    Some(Level(score(passed)))
}

fn fitting(room: Room, weight: u32) -> u32 {
    room.streams.min(room.weight / weight.max(1))
}

impl Fleet {
    /// Returns the level to which unclaimed streams raise the instances that take them; `None` if one
    /// command assigns them all, or if they have different needs.
    pub(super) fn level(&self) -> Option<Level> {
        let waiting = self.waiting_unclaimed();
        // The last ones are placed one by one, and those that not every instance may have.
        let streams = waiting.len().checked_sub(2 * AT_ONCE)? + AT_ONCE;
        let mut heads = waiting.heads();
        let (_, need) = heads.next()?;
        if !need.is_plain() || heads.next().is_some() {
            return None;
        }
        let mut classes: BTreeMap<(Score, u32), Class> = BTreeMap::new();
        for Candidate { score, id } in self.room().auto_assign() {
            let slot = self.instance(id)?;
            let room = fitting(slot.free(), need.weight);
            let class = classes.entry((*score, room)).or_insert(Class {
                facts: slot.facts(),
                room,
                instances: 0,
            });
            class.instances += 1;
        }
        let classes: Vec<Class> = classes.into_values().collect();
        level(self.placement().policy, &classes, need.weight, streams)
    }

    /// Returns the instance that is raised to the level next: `last` as long as it is below, then the one
    /// with the least score; `None` if none is below, or if the stream is not like all others.
    pub(super) fn target_below<'f>(
        &'f self,
        level: Level,
        stream: &Stream,
        place: &Place,
        last: Option<&InstanceId>,
    ) -> Option<&'f InstanceId> {
        if !is_like_all_others(stream, place) {
            return None;
        }
        let last = last.and_then(|id| self.instance(id)).filter(|slot| {
            let score = self.placement().policy.score(&slot.facts());
            !slot.free().is_full() && score < level.0
        });
        if let Some(slot) = last {
            return Some(&slot.instance().id);
        }
        let first = self.room().auto_assign().first()?;
        (first.score < level.0).then_some(&first.id)
    }
}

/// Returns whether a waiting stream goes to the instance with the least score, whichever that is.
fn is_like_all_others(stream: &Stream, place: &Place) -> bool {
    let was_released = matches!(
        place,
        Place::Unclaimed {
            released_by: Some(_),
            ..
        }
    );
    let is_free = stream.pinned().is_none() && stream.group().is_none();
    is_free && !was_released && stream.returned_by().is_empty() && Need::of(stream).is_plain()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::placement::{Load, Strain};

    fn class(max: u32, held: u32, room: u32, strain: Strain) -> Class {
        Class {
            facts: Facts {
                load: Load { held, max },
                streams: held,
                strain,
            },
            room,
            instances: 1,
        }
    }

    /// How many streams each instance gets if they are given out one by one.
    fn one_by_one(policy: PlacementPolicy, classes: &[Class], streams: usize) -> Vec<u32> {
        let mut given = vec![0; classes.len()];
        let scored = |index: usize, given: u32| {
            let class = classes.get(index).filter(|class| given < class.room)?;
            Some((class.score(policy, 1, given), index))
        };
        let mut open: BTreeSet<(Score, usize)> = (0..classes.len())
            .filter_map(|index| scored(index, 0))
            .collect();
        for _ in 0..streams {
            let Some((_, index)) = open.pop_first() else {
                break;
            };
            given[index] += 1;
            open.extend(scored(index, given[index]));
        }
        given
    }

    #[test]
    fn equal_instances_are_raised_to_their_share() {
        let classes = [class(100, 0, 100, Strain::Unknown); 4];
        let policy = PlacementPolicy::Balanced;
        let level = level(policy, &classes, 1, 40).expect("a level");
        for class in &classes {
            assert_eq!(class.below(policy, 1, level.0), 10);
        }
    }

    #[test]
    fn without_instances_there_is_no_level() {
        assert_eq!(level(PlacementPolicy::Balanced, &[], 1, 9), None);
    }

    proptest! {
        #[test]
        fn no_instance_is_raised_above_what_it_gets_one_by_one(
            rows in proptest::collection::vec((1_u32..60, 0_u32..20, 0_u32..60, 0_usize..4), 1..9),
            streams in 0_usize..300,
            policy in proptest::sample::select(PlacementPolicy::ALL),
        ) {
            let classes: Vec<Class> = rows
                .into_iter()
                .map(|(max, held, room, strain)| class(max, held, room, Strain::ALL[strain]))
                .collect();
            let level = level(policy, &classes, 1, streams).expect("a level");
            let raised: Vec<u32> = classes
                .iter()
                .map(|class| class.below(policy, 1, level.0))
                .collect();
            let expected = one_by_one(policy, &classes, streams);
            for (raised, expected) in raised.iter().zip(&expected) {
                prop_assert!(raised <= expected, "{raised} of {expected}");
            }
        }
    }
}
