//! The audit trail, with the indexes that the databases have: a search walks only what it may find.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::event_filter::{EventFilter, EventOrder};
use crate::domain::events::DatedEvent;
use crate::domain::ids::{IncidentId, InstanceId, StreamId};
use crate::domain::planned::Requester;
use crate::domain::time::WallTime;
use crate::store::stored_event::StoredEvent;

/// The events in the order of writing.
#[derive(Debug, Default)]
pub(super) struct EventTable {
    rows: BTreeMap<i64, DatedEvent>,
    /// The last number that was used; numbers of deleted events are not used again.
    last: i64,
    by_instance: BTreeSet<(InstanceId, i64)>,
    by_stream: BTreeSet<(StreamId, i64)>,
    by_incident: BTreeSet<(IncidentId, i64)>,
    by_caller: BTreeSet<(Requester, i64)>,
    by_kind: BTreeSet<(&'static str, i64)>,
    by_time: BTreeSet<(WallTime, i64)>,
}

impl EventTable {
    pub(super) fn append(&mut self, dated: DatedEvent) {
        self.last += 1;
        let sequence = self.last;
        if let Some(instance) = dated.event.instance() {
            self.by_instance.insert((instance.clone(), sequence));
        }
        if let Some(stream) = dated.event.stream() {
            self.by_stream.insert((stream, sequence));
        }
        if let Some(incident) = dated.event.incident() {
            self.by_incident.insert((incident, sequence));
        }
        if let Some(caller) = dated.event.caller() {
            self.by_caller.insert((caller, sequence));
        }
        self.by_kind.insert((dated.event.kind(), sequence));
        self.by_time.insert((dated.at, sequence));
        self.rows.insert(sequence, dated);
    }

    fn remove(&mut self, sequence: i64) {
        let Some(dated) = self.rows.remove(&sequence) else {
            return;
        };
        if let Some(instance) = dated.event.instance() {
            self.by_instance.remove(&(instance.clone(), sequence));
        }
        if let Some(stream) = dated.event.stream() {
            self.by_stream.remove(&(stream, sequence));
        }
        if let Some(incident) = dated.event.incident() {
            self.by_incident.remove(&(incident, sequence));
        }
        if let Some(caller) = dated.event.caller() {
            self.by_caller.remove(&(caller, sequence));
        }
        self.by_kind.remove(&(dated.event.kind(), sequence));
        self.by_time.remove(&(dated.at, sequence));
    }

    /// Deletes up to `most` expired events; returns how many were deleted.
    pub(super) fn prune(&mut self, is_past: impl Fn(WallTime) -> bool, most: usize) -> usize {
        let gone = self.by_time.iter().filter(|(at, _)| is_past(*at));
        let gone: Vec<i64> = gone.map(|(_, sequence)| *sequence).take(most).collect();
        for sequence in &gone {
            self.remove(*sequence);
        }
        gone.len()
    }

    /// Returns the events that a filter selects, in its order, at most `limit`.
    pub(super) fn find(&self, filter: &EventFilter, limit: usize) -> Vec<StoredEvent> {
        let (least, most) = match (filter.order, filter.after) {
            (_, None) => (i64::MIN, i64::MAX),
            (EventOrder::Ascending, Some(after)) => (after, i64::MAX),
            (EventOrder::Descending, Some(after)) => (i64::MIN, after),
        };
        let take = |numbers: &mut dyn DoubleEndedIterator<Item = i64>| {
            let stored = |sequence| self.stored(sequence, filter);
            match filter.order {
                EventOrder::Ascending => numbers.filter_map(stored).take(limit).collect(),
                EventOrder::Descending => numbers.rev().filter_map(stored).take(limit).collect(),
            }
        };
        let mut found: Vec<StoredEvent> = if let Some(stream) = filter.stream {
            let range = (stream, least)..=(stream, most);
            take(&mut self.by_stream.range(range).map(|(_, number)| *number))
        } else if let Some(instance) = &filter.instance {
            let range = (instance.clone(), least)..=(instance.clone(), most);
            take(&mut self.by_instance.range(range).map(|(_, number)| *number))
        } else if let Some(incident) = filter.incident {
            let range = (incident, least)..=(incident, most);
            take(&mut self.by_incident.range(range).map(|(_, number)| *number))
        } else if let Some(caller) = filter.caller() {
            let range = (caller, least)..=(caller, most);
            take(&mut self.by_caller.range(range).map(|(_, number)| *number))
        } else if !filter.kinds.is_empty() {
            let of_kind = |kind: &&'static str| -> Vec<StoredEvent> {
                let range = (*kind, least)..=(*kind, most);
                take(&mut self.by_kind.range(range).map(|(_, number)| *number))
            };
            filter.kinds.iter().flat_map(of_kind).collect()
        } else if filter.is_by_time_alone() {
            let from = filter.from.unwrap_or(WallTime::from_micros(i64::MIN));
            let to = filter.to.unwrap_or(WallTime::from_micros(i64::MAX));
            let range = (from, i64::MIN)..=(to.max(from), i64::MAX);
            let mut numbers: Vec<i64> = self.by_time.range(range).map(|(_, one)| *one).collect();
            numbers.sort_unstable();
            take(&mut numbers.into_iter())
        } else {
            take(&mut self.rows.range(least..=most).map(|(number, _)| *number))
        };
        found.sort_by_key(|event| event.sequence);
        if filter.order == EventOrder::Descending {
            found.reverse();
        }
        found.truncate(limit);
        found
    }

    fn stored(&self, sequence: i64, filter: &EventFilter) -> Option<StoredEvent> {
        let event = self.rows.get(&sequence)?;
        filter.wants(sequence, event).then(|| StoredEvent {
            sequence,
            event: event.clone(),
        })
    }
}
