//! The conditions by which the audit trail is searched.

use super::events::DatedEvent;
use super::ids::{InstanceId, StreamId};
use super::string_enum::string_enum;
use super::time::WallTime;

string_enum! {
    /// The order in which events are read: by their numbers, which is the order in which they were
    /// written.
    EventOrder {
        /// Oldest first.
        Ascending = "asc",
        /// Newest first.
        Descending = "desc",
    }
}

/// Selects events. An event must meet every condition that is given.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct EventFilter {
    pub order: EventOrder,
    /// Only events that follow the one with this number in that order; `None`: from the first.
    pub after: Option<i64>,
    /// Only events about this instance.
    pub instance: Option<InstanceId>,
    /// Only events about this stream.
    pub stream: Option<StreamId>,
    /// Only events of one of these kinds; an empty list selects all kinds.
    pub kinds: Vec<&'static str>,
    /// Only events at this moment or later.
    pub from: Option<WallTime>,
    /// Only events before this moment.
    pub to: Option<WallTime>,
}

impl Default for EventFilter {
    fn default() -> Self {
        Self {
            order: EventOrder::Ascending,
            after: None,
            instance: None,
            stream: None,
            kinds: Vec::new(),
            from: None,
            to: None,
        }
    }
}

impl EventFilter {
    /// Selects all events after a number, oldest first.
    pub fn after(sequence: i64) -> Self {
        Self {
            after: Some(sequence),
            ..Self::default()
        }
    }

    /// Returns whether an event meets the conditions.
    pub fn wants(&self, sequence: i64, dated: &DatedEvent) -> bool {
        let event = &dated.event;
        let follows = self.after.is_none_or(|after| match self.order {
            EventOrder::Ascending => sequence > after,
            EventOrder::Descending => sequence < after,
        });
        follows
            && (self.instance.is_none() || self.instance.as_ref() == event.instance())
            && (self.stream.is_none() || self.stream == event.stream())
            && (self.kinds.is_empty() || self.kinds.contains(&event.kind()))
            && self.from.is_none_or(|from| dated.at >= from)
            && self.to.is_none_or(|to| dated.at < to)
    }

    /// Returns whether time is the only condition: then the index of times is the one to use.
    pub fn is_by_time_alone(&self) -> bool {
        let is_by_time = self.from.is_some() || self.to.is_some();
        is_by_time && self.instance.is_none() && self.stream.is_none() && self.kinds.is_empty()
    }
}
