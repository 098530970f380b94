//! An event with its place in the order of all events.

use crate::domain::events::DatedEvent;

/// An event as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct StoredEvent {
    /// Its place in the order of all events; grows, with gaps.
    pub sequence: i64,
    pub event: DatedEvent,
}
