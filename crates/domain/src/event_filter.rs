//! The conditions by which the audit trail is searched.

use super::events::DatedEvent;
use super::ids::{IncidentId, InstanceId, StreamId};
use super::planned::Requester;
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
    /// Only events that belong to this incident.
    pub incident: Option<IncidentId>,
    /// Only events that this actor caused.
    pub actor: Option<Requester>,
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
            incident: None,
            actor: None,
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
            && (self.incident.is_none() || self.incident == event.incident())
            && self.actor.is_none_or(|actor| actor == event.actor())
            && (self.kinds.is_empty() || self.kinds.contains(&event.kind()))
            && self.from.is_none_or(|from| dated.at >= from)
            && self.to.is_none_or(|to| dated.at < to)
    }

    /// Returns whether time is the only condition: then the index of times is the one to use.
    pub fn is_by_time_alone(&self) -> bool {
        let Self {
            order: _,
            after: _,
            instance,
            stream,
            incident,
            actor,
            kinds,
            from,
            to,
        } = self;
        let is_by_time = from.is_some() || to.is_some();
        let is_narrow = instance.is_some() || stream.is_some() || incident.is_some();
        is_by_time && !is_narrow && actor.is_none() && kinds.is_empty()
    }

    /// Returns whether an index finds fewer events than that of the kinds.
    pub fn is_indexed_before_kinds(&self) -> bool {
        self.instance.is_some()
            || self.stream.is_some()
            || self.incident.is_some()
            || self.caller().is_some()
    }

    /// Returns the caller by which events are indexed. Nearly all events are the program's own, which no
    /// index finds faster than their order.
    pub fn caller(&self) -> Option<Requester> {
        self.actor.filter(|actor| *actor != Requester::Program)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::Event;

    fn event(text: &str) -> DatedEvent {
        DatedEvent {
            origin: None,
            at: WallTime::from_micros(50),
            event: serde_json::from_str::<Event>(text).unwrap(),
        }
    }

    #[test]
    fn an_event_must_meet_every_condition_of_a_filter() {
        let moved = event(
            r#"{"kind":"stream_assigned","stream":4,"instance":"b","epoch":9,"reason":"instance_failed","incident":5}"#,
        );
        let all = EventFilter::default;
        let at = |micros| Some(WallTime::from_micros(micros));
        let (b, stream) = (Some(InstanceId::from("b")), Some(StreamId::new(4)));
        let (incident, program) = (Some(IncidentId::new(5)), Some(Requester::Program));
        for (filter, wants) in [
            (all(), true),
            (
                EventFilter {
                    instance: b.clone(),
                    ..all()
                },
                true,
            ),
            (
                EventFilter {
                    instance: Some("a".into()),
                    ..all()
                },
                false,
            ),
            (EventFilter { stream, ..all() }, true),
            (
                EventFilter {
                    stream: Some(StreamId::new(5)),
                    ..all()
                },
                false,
            ),
            (EventFilter { incident, ..all() }, true),
            (
                EventFilter {
                    incident: Some(IncidentId::new(6)),
                    ..all()
                },
                false,
            ),
            (
                EventFilter {
                    actor: program,
                    ..all()
                },
                true,
            ),
            (
                EventFilter {
                    actor: Some(Requester::Worker),
                    ..all()
                },
                false,
            ),
            (
                EventFilter {
                    kinds: vec!["stream_created", "stream_assigned"],
                    ..all()
                },
                true,
            ),
            (
                EventFilter {
                    kinds: vec!["stream_created"],
                    ..all()
                },
                false,
            ),
            (
                EventFilter {
                    from: at(50),
                    to: at(51),
                    ..all()
                },
                true,
            ),
            (
                EventFilter {
                    from: at(51),
                    ..all()
                },
                false,
            ),
            (
                EventFilter {
                    to: at(50),
                    ..all()
                },
                false,
            ),
            (
                EventFilter {
                    after: Some(6),
                    ..all()
                },
                true,
            ),
            (
                EventFilter {
                    after: Some(7),
                    ..all()
                },
                false,
            ),
            (
                EventFilter {
                    incident,
                    actor: Some(Requester::Operator),
                    ..all()
                },
                false,
            ),
            (
                EventFilter {
                    instance: b,
                    stream,
                    incident,
                    actor: program,
                    ..all()
                },
                true,
            ),
        ] {
            assert_eq!(filter.wants(7, &moved), wants, "{filter:?}");
        }
    }

    #[test]
    fn the_index_of_times_serves_time_alone() {
        let from = Some(WallTime::default());
        let all = EventFilter::default;
        assert!(EventFilter { from, ..all() }.is_by_time_alone());
        assert!(!all().is_by_time_alone());
        let incident = Some(IncidentId::new(1));
        assert!(
            !EventFilter {
                from,
                incident,
                ..all()
            }
            .is_by_time_alone()
        );
        let actor = Some(Requester::Program);
        assert!(
            !EventFilter {
                from,
                actor,
                ..all()
            }
            .is_by_time_alone()
        );
        assert_eq!(EventFilter { actor, ..all() }.caller(), None);
    }
}
