//! A worker releases streams.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::command::{Command, Rejection, known};
use crate::events::Event;
use crate::fleet::{Draft, blame_return, let_go};
use crate::ids::{Epoch, Incarnation, InstanceId, StreamId};
use crate::quarantine::Conduct;
use crate::stream::{Holding, Place};

/// Makes streams of an instance unclaimed. Ids it does not own are passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct ReleaseStreams {
    pub id: InstanceId,
    /// The incarnation the worker believes to be current, if it sends one.
    pub incarnation: Option<Incarnation>,
    pub streams: Vec<StreamId>,
    /// The epoch under which the worker had each of the streams, in their order, if it says so. A stream with
    /// another epoch by now is passed over: it was assigned again after the worker said this.
    pub epochs: Option<Vec<Epoch>>,
    /// Why, if the worker says so. A release with a reason counts as a return however long the
    /// instance owned the streams (`returns/mod.rs`).
    pub reason: Option<Arc<str>>,
}

/// The streams that were released, ascending, each with the epoch that is void now.
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
        let released: Vec<Holding> = match &self.epochs {
            None => released,
            Some(epochs) => {
                let meant: BTreeSet<(StreamId, Epoch)> = self
                    .streams
                    .iter()
                    .copied()
                    .zip(epochs.iter().copied())
                    .collect();
                let mut released = released;
                released.retain(|holding| meant.contains(&(holding.stream, holding.epoch)));
                released
            }
        };
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
        // The owner was asked to release it, so its next owner is known.
        if assignment.is_releasing() {
            return let_go(draft, stream);
        }
        let since = draft.now();
        let owned = since.since(assignment.assigned_at);
        let counts = (draft.policies().returns).counts(owned, self.reason.as_deref());
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
        let conduct = Conduct::GaveBack(self.reason.clone());
        let is_quarantined = blame_return(draft, stream, &self.id, owned, &conduct);
        if counts && !is_quarantined {
            draft.count_return(stream, &self.id, self.reason.clone());
        }
    }
}
