//! A worker lets go of streams.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::command::{Command, Rejection, known};
use crate::events::Event;
use crate::fleet::{Draft, let_go};
use crate::ids::{Incarnation, InstanceId, StreamId};
use crate::stream::{Holding, Place};

/// Makes streams of an instance unclaimed. Ids it does not own are passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseStreams {
    /// Who lets go.
    pub id: InstanceId,
    /// The life it believes to lead, if it says so.
    pub incarnation: Option<Incarnation>,
    /// What it lets go of.
    pub streams: Vec<StreamId>,
    /// Why, if it says so: then it counts as a return however long it owned them
    /// (`domain/returns.rs`).
    pub reason: Option<Arc<str>>,
}

/// What was really released, ascending, each with the epoch that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Released(pub Vec<Holding>);

impl Command for ReleaseStreams {
    type Reply = Released;

    fn decide(&self, draft: &mut Draft<'_>) -> Result<Released, Rejection> {
        match self.incarnation {
            Some(incarnation) => super::command::current_life(draft, &self.id, incarnation)?,
            None => known(draft, &self.id)?,
        };
        let asked: BTreeSet<StreamId> = self.streams.iter().copied().collect();
        let fleet = draft.fleet();
        let slot = fleet.instance(&self.id);
        let released: Vec<Holding> = slot
            .map(|slot| fleet.holdings(slot, asked).collect())
            .unwrap_or_default();
        for holding in &released {
            self.release(draft, *holding);
        }
        Ok(Released(released))
    }
}

impl ReleaseStreams {
    fn release(&self, draft: &mut Draft<'_>, Holding { stream, epoch }: Holding) {
        let Some(assignment) = draft
            .fleet()
            .stream(stream)
            .and_then(|slot| slot.place().assignment())
        else {
            return;
        };
        if assignment.former() == Some(&self.id) {
            return draft.end_overlap(stream);
        }
        // It was told to let go, so it is known who is next.
        if assignment.is_releasing() {
            return let_go(draft, stream);
        }
        let since = draft.now();
        let owned = since.since(assignment.assigned_at);
        let counts = draft.return_policy().counts(owned, self.reason.as_deref());
        draft.place(
            stream,
            Place::Unclaimed {
                released_by: Some(self.id.clone()),
                since,
            },
        );
        draft.tell(Event::StreamReleased {
            stream,
            instance: self.id.clone(),
            epoch,
            reason: self.reason.clone(),
        });
        if counts {
            draft.count_return(stream, &self.id, self.reason.clone());
        }
    }
}
