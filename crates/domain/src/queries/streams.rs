//! The catalogue: all streams, the streams in one state, or one stream.

use std::ops::Bound;
use std::sync::Arc;

use super::filter::StreamFilter;
use super::query::{Query, start};
use crate::fleet::{Fleet, InstanceSlot, StreamSlot};
use crate::ids::StreamId;
use crate::stream::{Place, Stream, StreamState};

/// How many streams one answer examines: a search for few matches among very many streams is done
/// in steps, so that no other caller waits for it.
const MOST_LOOKED_AT: usize = 5_000;

/// A part of the streams, ascending by id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct StreamList {
    /// Only streams with a greater id.
    pub after: Option<StreamId>,
    pub most: usize,
    /// Only streams that meet these conditions.
    pub filter: StreamFilter,
}

/// A part of a list of streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamStretch {
    /// Ascending by id.
    pub items: Vec<StreamLine>,
    /// What follows the part.
    pub rest: Rest,
}

/// What follows a part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Rest {
    None,
    /// More matches; they follow the last item.
    More,
    /// Unknown yet: no further stream up to this id matches, and the search goes on after it.
    After(StreamId),
}

/// A stream and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct StreamLine {
    pub stream: Arc<Stream>,
    pub place: Place,
}

impl Query for StreamList {
    type Answer = StreamStretch;

    fn answer(&self, fleet: &Fleet) -> Self::Answer {
        let after = start(self.after);
        let by_id = |id: StreamId| fleet.listed(id);
        if let Some(instance) = &self.filter.instance {
            let held = fleet.instance(instance).map(InstanceSlot::held);
            let after = (Bound::Excluded(after), Bound::Unbounded);
            let held = held.into_iter().flat_map(|held| held.range(after).copied());
            return self.stretch(held.filter_map(by_id));
        }
        match self.filter.state {
            // The two states that have a list of their own are rare among many streams.
            Some(StreamState::Unclaimed) => {
                self.stretch(fleet.unclaimed_after(after).filter_map(by_id))
            }
            Some(StreamState::Orphaned) if fleet.orphaned().len() <= MOST_LOOKED_AT => {
                let mut ids: Vec<StreamId> = fleet.orphaned().filter(|id| *id > after).collect();
                ids.sort_unstable();
                self.stretch(ids.into_iter().filter_map(by_id))
            }
            Some(StreamState::Quarantined) if fleet.quarantined().count() <= MOST_LOOKED_AT => {
                let mut ids: Vec<StreamId> = fleet.quarantined().filter(|id| *id > after).collect();
                ids.sort_unstable();
                self.stretch(ids.into_iter().filter_map(by_id))
            }
            Some(
                StreamState::Assigned
                | StreamState::Disabled
                | StreamState::Orphaned
                | StreamState::Quarantined,
            )
            | None => self.stretch(fleet.listed_after(after)),
        }
    }
}

impl StreamList {
    /// Examines candidates, which ascend.
    fn stretch<'f>(&self, candidates: impl Iterator<Item = &'f StreamSlot>) -> StreamStretch {
        let mut items = Vec::new();
        let mut last = start(self.after);
        for (index, slot) in candidates.enumerate() {
            if index == MOST_LOOKED_AT {
                let rest = Rest::After(last);
                return StreamStretch { items, rest };
            }
            last = slot.stream().id;
            if !self.filter.wants(slot.stream(), slot.place()) {
                continue;
            }
            if items.len() == self.most {
                let rest = Rest::More;
                return StreamStretch { items, rest };
            }
            items.push(StreamLine {
                stream: slot.stream().clone(),
                place: slot.place().clone(),
            });
        }
        StreamStretch {
            items,
            rest: Rest::None,
        }
    }
}

/// One stream; `None` if it is not in the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct StreamDetail {
    pub id: StreamId,
}

impl Query for StreamDetail {
    type Answer = Option<StreamLine>;

    fn answer(&self, fleet: &Fleet) -> Self::Answer {
        fleet.listed(self.id).map(|slot| StreamLine {
            stream: slot.stream().clone(),
            place: slot.place().clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::filter::NameFilter;
    use super::*;
    use crate::commands::{RemoveInstance, SaveStreams, StreamSpec};
    use crate::sample;

    #[test]
    fn each_state_lists_its_streams_ascending_after_the_cursor() {
        let mut ledger = sample::ledger();
        sample::run(&mut ledger, sample::register("a", 2));
        sample::run(&mut ledger, sample::register("b", 3));
        sample::run(&mut ledger, sample::streams(1..=9));
        let spec = |id, priority, enabled| StreamSpec {
            id: Some(StreamId::new(id)),
            priority: Some(priority),
            enabled: Some(enabled),
            ..StreamSpec::default()
        };
        let streams = vec![spec(5, 9, true), spec(9, 0, false)];
        sample::run(&mut ledger, SaveStreams { streams });
        sample::run(&mut ledger, sample::ask("a", 2));
        sample::run(&mut ledger, sample::ask("b", 3));
        sample::run(&mut ledger, RemoveInstance::new("b".into()));

        let list = |after, limit: Option<usize>, state| {
            let list = StreamList {
                after,
                most: limit.unwrap_or(100),
                filter: StreamFilter {
                    state,
                    ..StreamFilter::default()
                },
            };
            let page = list.answer(ledger.saved());
            let ids = page.items.iter().map(|line| line.stream.id);
            (ids.collect::<Vec<_>>(), page.rest == Rest::More)
        };
        for (state, ids) in [
            (StreamState::Assigned, vec![1, 2]),
            (StreamState::Orphaned, vec![3, 4, 5]),
            (StreamState::Unclaimed, vec![6, 7, 8]),
            (StreamState::Disabled, vec![9]),
        ] {
            let ids = sample::ids(ids);
            assert_eq!(list(None, None, Some(state)), (ids.clone(), false));
            let rest = ids[1..].to_vec();
            assert_eq!(
                list(Some(ids[0]), Some(1), Some(state)),
                (rest.iter().take(1).copied().collect(), rest.len() > 1),
                "{state}"
            );
        }
        assert_eq!(list(None, None, None).0, sample::ids(1..=9));
        assert_eq!(
            list(Some(StreamId::new(7)), None, None).0,
            sample::ids(8..=9)
        );
    }

    #[test]
    fn streams_are_found_by_owner_name_and_labels() {
        let mut ledger = sample::ledger();
        let spec = |id, name: &str, zone: &str| StreamSpec {
            id: Some(StreamId::new(id)),
            name: Some(name.into()),
            labels: Some([("zone".to_owned(), zone.to_owned())].into()),
            ..StreamSpec::default()
        };
        let streams = vec![
            spec(1, "Radio North", "north"),
            spec(2, "radio south", "south"),
            spec(3, "camera", "north"),
        ];
        sample::run(&mut ledger, sample::register("a", 2));
        sample::run(&mut ledger, SaveStreams { streams });
        sample::run(&mut ledger, sample::ask("a", 2));
        let found = |filter: StreamFilter| {
            let list = StreamList {
                after: None,
                most: 9,
                filter,
            };
            let found = list.answer(ledger.saved());
            assert_eq!(found.rest, Rest::None);
            let ids = found.items.iter().map(|line| line.stream.id.get());
            ids.collect::<Vec<_>>()
        };
        let of = |instance: &str| StreamFilter {
            instance: Some(instance.into()),
            ..StreamFilter::default()
        };
        assert_eq!(found(of("a")), [1, 2]);
        assert_eq!(found(of("nobody")), [] as [i64; 0]);
        let named = StreamFilter {
            name: Some(NameFilter::containing("RADIO")),
            ..of("a")
        };
        assert_eq!(found(named.clone()), [1, 2]);
        let north = StreamFilter {
            labels: vec!["zone:north".to_owned()],
            ..named
        };
        assert_eq!(found(north.clone()), [1]);
        let unclaimed = StreamFilter {
            state: Some(StreamState::Unclaimed),
            ..north
        };
        assert_eq!(found(unclaimed), [] as [i64; 0], "everything must fit");
    }

    #[test]
    fn a_search_among_very_many_streams_is_done_in_steps() {
        let mut ledger = sample::ledger();
        let last = MOST_LOOKED_AT as i64 + 10;
        sample::run(&mut ledger, sample::streams(1..=last));
        let list = |after, most| StreamList {
            after,
            most,
            filter: StreamFilter {
                name: Some(NameFilter::containing(&format!("s{last}"))),
                ..StreamFilter::default()
            },
        };
        let first = list(None, 5).answer(ledger.saved());
        let looked_at = StreamId::new(MOST_LOOKED_AT as i64);
        assert_eq!(first.rest, Rest::After(looked_at));
        assert!(first.items.is_empty());
        let second = list(Some(looked_at), 5).answer(ledger.saved());
        assert_eq!(second.rest, Rest::None);
        assert_eq!(second.items[0].stream.id.get(), last);
        let full = list(Some(looked_at), 0).answer(ledger.saved());
        assert_eq!(full.rest, Rest::More, "one more is known, and not shown");
    }
}
