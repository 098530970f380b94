//! Records events that change nothing of the fleet.

use super::command::{Command, Rejection};
use crate::events::Event;
use crate::fleet::Draft;

/// Records events, in order, in a transaction of the fleet like any other.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct RecordEvents {
    pub events: Vec<Event>,
}

impl Command for RecordEvents {
    type Reply = ();

    const WAITS_FOR_CERTAINTY: bool = true;

    fn decide(&self, draft: &mut Draft<'_>) -> Result<(), Rejection> {
        self.events.iter().cloned().for_each(|event| {
            draft.tell(event);
        });
        Ok(())
    }
}
