//! Records events that change nothing of the fleet.

use std::sync::Arc;

use super::command::{Command, Rejection};
use crate::events::Event;
use crate::fleet::Draft;
use crate::request::EventOrigin;

/// Records events, in order, in a transaction of the fleet like any other.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct RecordEvents {
    pub events: Vec<Recorded>,
}

/// An event, and who gave the order that led to it, if one did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Recorded {
    pub event: Event,
    pub origin: Option<Arc<EventOrigin>>,
}

impl Command for RecordEvents {
    type Reply = ();

    const WAITS_FOR_CERTAINTY: bool = true;

    fn decide(&self, draft: &mut Draft<'_>) -> Result<(), Rejection> {
        for Recorded { event, origin } in self.events.iter().cloned() {
            draft.tell_of(event, origin);
        }
        Ok(())
    }
}
