//! Something happened that is to be remembered and changes nothing of the fleet.

use super::command::{Command, Rejection};
use crate::events::Event;
use crate::fleet::Draft;

/// Writes events down, in order, in a transaction of the fleet like all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordEvents {
    /// What happened.
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
