//! The streams of instances that would be lost, a part at a time.

use super::query::Query;
use crate::fleet::{Fleet, InstanceSlot};
use crate::headroom::{HomelessStream, LossScope};
use crate::ids::{InstanceId, StreamId};
use crate::placement::Need;

/// How many streams, and other instances, one part visits: less than a millisecond.
const VISITED: usize = 2_000;

/// Returns the streams of lost instances after a position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamsOfLost {
    /// The instances that are lost.
    pub scope: LossScope,
    /// Where the part before ended; `None`: from the beginning.
    pub after: Option<(InstanceId, StreamId)>,
}

/// The answer to [`StreamsOfLost`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct LostPart {
    pub streams: Vec<HomelessStream>,
    /// Where the next part begins; `None` at the end.
    pub next: Option<(InstanceId, StreamId)>,
}

impl StreamsOfLost {
    /// The instances from the position on, each with the stream that its part follows.
    fn slots<'f>(
        &self,
        fleet: &'f Fleet,
    ) -> Box<dyn Iterator<Item = (&'f InstanceSlot, StreamId)> + 'f> {
        let begin = StreamId::default();
        match (&self.after, &self.scope) {
            (Some((id, stream)), LossScope::Instance(_)) => {
                let stream = *stream;
                Box::new(
                    fleet
                        .instance(id)
                        .into_iter()
                        .map(move |slot| (slot, stream)),
                )
            }
            (None, LossScope::Instance(id)) => Box::new(
                fleet
                    .instance(id)
                    .into_iter()
                    .map(move |slot| (slot, begin)),
            ),
            (after, LossScope::Labels(_)) => {
                let (id, stream) = after
                    .clone()
                    .unwrap_or_else(|| (InstanceId::new(""), begin));
                let slots = fleet.instances_from(&id);
                Box::new(slots.map(move |slot| match slot.instance().id == id {
                    true => (slot, stream),
                    false => (slot, begin),
                }))
            }
        }
    }
}

impl Query for StreamsOfLost {
    type Answer = LostPart;

    fn answer(&self, fleet: &Fleet) -> LostPart {
        let mut part = LostPart {
            streams: Vec::new(),
            next: None,
        };
        let mut visited = 0;
        for (slot, after) in self.slots(fleet) {
            let id = &slot.instance().id;
            if visited >= VISITED {
                part.next = Some((id.clone(), after));
                return part;
            }
            visited += 1;
            if !self.scope.takes(slot.instance()) {
                continue;
            }
            let held = (std::ops::Bound::Excluded(after), std::ops::Bound::Unbounded);
            let mut last = after;
            for stream in slot.held().range(held) {
                if visited >= VISITED {
                    part.next = Some((id.clone(), last));
                    return part;
                }
                visited += 1;
                last = *stream;
                let found = fleet.stream(*stream).map(|slot| slot.stream());
                part.streams.extend(found.map(|stream| HomelessStream {
                    need: Need::of(stream),
                    priority: stream.priority,
                    id: stream.id,
                }));
            }
        }
        part
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::commands::{SaveStreams, StreamSpec};
    use crate::headroom::{HomelessStreams, Loss};
    use crate::ledger::Ledger;
    use crate::queries::HeadroomFacts;
    use crate::sample;

    /// All streams of lost instances, part by part, and how many parts there are.
    fn all(ledger: &Ledger, scope: &LossScope) -> (Vec<HomelessStream>, usize) {
        let (mut streams, mut parts, mut after) = (Vec::new(), 0, None);
        loop {
            let question = StreamsOfLost {
                scope: scope.clone(),
                after,
            };
            let part = question.answer(ledger.saved());
            parts += 1;
            streams.extend(part.streams);
            after = part.next;
            if after.is_none() {
                return (streams, parts);
            }
        }
    }

    fn homeless(ledger: &Ledger, scope: &LossScope, most: usize) -> (Loss, Vec<i64>) {
        let holders = HeadroomFacts.answer(ledger.saved());
        let loss = Loss::of(&holders, scope).unwrap();
        let mut named = HomelessStreams::new(loss.unplaced.clone(), most);
        for stream in all(ledger, scope).0 {
            named.consider(stream);
        }
        let ids = named.into_ids().into_iter().map(StreamId::get).collect();
        (loss, ids)
    }

    fn instance(id: &str) -> LossScope {
        LossScope::Instance(id.into())
    }

    #[test]
    fn those_without_a_home_are_the_last_that_a_recovery_would_place() {
        let mut ledger = sample::ledger();
        sample::run(&mut ledger, sample::streams(1..=8));
        sample::run(&mut ledger, sample::register("a", 6));
        sample::run(&mut ledger, sample::ask("a", 6));
        sample::run(&mut ledger, sample::register("b", 4));
        sample::run(&mut ledger, sample::ask("b", 1));
        let urgent = StreamSpec {
            id: Some(StreamId::new(6)),
            priority: Some(9),
            ..StreamSpec::default()
        };
        let streams = vec![urgent];
        sample::run(&mut ledger, SaveStreams { streams });
        let (loss, ids) = homeless(&ledger, &instance("a"), 100);
        assert_eq!((loss.instances, loss.streams, loss.homeless()), (1, 6, 3));
        assert_eq!(ids, [3, 4, 5], "the urgent one comes first");
        sample::recover(&mut ledger, "a");
        let orphaned = ledger.saved().orphaned();
        let mut orphaned: Vec<i64> = orphaned.map(StreamId::get).collect();
        orphaned.sort_unstable();
        assert_eq!(orphaned, ids, "the recovery agrees");
    }

    #[test]
    fn no_more_streams_are_named_than_are_wanted() {
        let mut ledger = sample::ledger();
        sample::run(&mut ledger, sample::streams(1..=5));
        sample::run(&mut ledger, sample::register("a", 5));
        sample::run(&mut ledger, sample::ask("a", 5));
        let (loss, ids) = homeless(&ledger, &instance("a"), 2);
        assert_eq!((loss.homeless(), ids), (5, vec![4, 5]));
        let holders = HeadroomFacts.answer(ledger.saved());
        assert_eq!(Loss::of(&holders, &instance("b")), None);
    }

    #[test]
    fn streams_come_in_parts_whatever_the_instances_hold() {
        let mut ledger = sample::ledger();
        sample::run(&mut ledger, sample::streams(1..=5_000));
        let labels: BTreeMap<String, String> = [("zone".to_owned(), "x".to_owned())].into();
        for (id, count) in [("a", 2_500), ("b", 0), ("c", 1_500)] {
            let mut registration = sample::register(id, 3_000);
            registration.labels = labels.clone();
            sample::run(&mut ledger, registration);
            sample::run(&mut ledger, sample::ask(id, count));
        }
        sample::run(&mut ledger, sample::register("d", 10));
        sample::run(&mut ledger, sample::ask("d", 10));
        let ids = |scope| {
            let (streams, parts) = all(&ledger, &scope);
            let ids = streams.iter().map(|stream| stream.id.get());
            (ids.collect::<Vec<i64>>(), parts)
        };
        assert_eq!(ids(instance("a")), ((1..=2_500).collect(), 2));
        let zone = LossScope::Labels(vec!["zone:x".to_owned()]);
        assert_eq!(ids(zone), ((1..=4_000).collect(), 3));
        let none = LossScope::Labels(vec!["zone:y".to_owned()]);
        assert_eq!(ids(none), (Vec::new(), 1));
    }
}
