//! The catalogue: all streams, those in one state, or one.

use std::sync::Arc;

use super::query::{Page, Query, page, start};
use crate::fleet::Fleet;
use crate::ids::StreamId;
use crate::stream::{Place, Stream, StreamState};

/// Asks for a page of the streams, ascending by id.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StreamList {
    /// Only those with a greater id.
    pub after: Option<StreamId>,
    /// At most so many; all if not given.
    pub limit: Option<usize>,
    /// Only those in this state.
    pub state: Option<StreamState>,
}

/// A stream and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamLine {
    /// What the catalogue says.
    pub stream: Arc<Stream>,
    /// Where it is.
    pub place: Place,
}

impl Query for StreamList {
    type Answer = Page<StreamLine>;

    fn answer(&self, fleet: &Fleet) -> Self::Answer {
        let after = start(self.after);
        let one = |id| StreamDetail { id }.answer(fleet);
        match self.state {
            // The two states that have a list of their own are rare among many streams.
            Some(StreamState::Unclaimed) => {
                page(fleet.unclaimed_after(after).filter_map(one), self.limit)
            }
            Some(StreamState::Orphaned) => {
                let mut ids: Vec<StreamId> = fleet.orphaned().filter(|id| *id > after).collect();
                ids.sort_unstable();
                page(ids.into_iter().filter_map(one), self.limit)
            }
            state @ (Some(StreamState::Assigned | StreamState::Disabled) | None) => {
                let lines = fleet
                    .listed_after(after)
                    .filter(|slot| state.is_none_or(|state| slot.place().state() == state))
                    .map(|slot| StreamLine {
                        stream: slot.stream().clone(),
                        place: slot.place().clone(),
                    });
                page(lines, self.limit)
            }
        }
    }
}

/// Asks for one stream; `None` if it is not in the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamDetail {
    /// Which one.
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

        let list = |after, limit, state| {
            let list = StreamList {
                after,
                limit,
                state,
            };
            let page = list.answer(ledger.saved());
            let ids = page.items.iter().map(|line| line.stream.id);
            (ids.collect::<Vec<_>>(), page.more)
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
}
