//! A worker lets go of streams.

use std::collections::BTreeSet;

use super::{Command, Rejection, known};
use crate::domain::events::Event;
use crate::domain::fleet::Draft;
use crate::domain::ids::{Incarnation, InstanceId, StreamId};
use crate::domain::stream::{Holding, Place};

/// Makes streams of an instance unclaimed. Ids it does not own are passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseStreams {
    /// Who lets go.
    pub id: InstanceId,
    /// The life it believes to lead, if it says so.
    pub incarnation: Option<Incarnation>,
    /// What it lets go of.
    pub streams: Vec<StreamId>,
}

/// What was really released, ascending, each with the epoch that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Released(pub Vec<Holding>);

impl Command for ReleaseStreams {
    type Reply = Released;

    fn decide(&self, draft: &mut Draft<'_>) -> Result<Released, Rejection> {
        match self.incarnation {
            Some(incarnation) => super::current_life(draft, &self.id, incarnation)?,
            None => known(draft, &self.id)?,
        };
        let asked: BTreeSet<StreamId> = self.streams.iter().copied().collect();
        let mut released = Vec::new();
        for stream in asked {
            let Some(epoch) = draft
                .fleet()
                .stream(stream)
                .and_then(|slot| slot.place().assignment())
                .filter(|assignment| assignment.instance == self.id)
                .map(|assignment| assignment.epoch)
            else {
                continue;
            };
            let since = draft.now();
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
            });
            released.push(Holding { stream, epoch });
        }
        Ok(Released(released))
    }
}
