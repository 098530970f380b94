//! What the audit trail is searched by.

use super::events::DatedEvent;
use super::ids::{InstanceId, StreamId};
use super::string_enum::string_enum;
use super::time::WallTime;

string_enum! {
    /// The order in which events are read: that of their numbers, which is that of writing.
    EventOrder {
        /// Oldest first.
        Ascending = "asc",
        /// Newest first.
        Descending = "desc",
    }
}

/// Which events are wanted. Everything that is given must fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventFilter {
    /// In which order they are read.
    pub order: EventOrder,
    /// Only those that follow the one of this number in that order; none: from the first.
    pub after: Option<i64>,
    /// Only those about this instance.
    pub instance: Option<InstanceId>,
    /// Only those about this stream.
    pub stream: Option<StreamId>,
    /// Only those of one of these kinds; of all if there are none.
    pub kinds: Vec<&'static str>,
    /// Only those that happened then or later.
    pub from: Option<WallTime>,
    /// Only those that happened earlier.
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
    /// All events after a number, oldest first.
    pub fn after(sequence: i64) -> Self {
        Self {
            after: Some(sequence),
            ..Self::default()
        }
    }

    /// Whether it wants this one.
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

    /// Whether nothing but the time narrows it: then the index of times is the one to ask.
    pub fn is_by_time_alone(&self) -> bool {
        let is_by_time = self.from.is_some() || self.to.is_some();
        is_by_time && self.instance.is_none() && self.stream.is_none() && self.kinds.is_empty()
    }
}
