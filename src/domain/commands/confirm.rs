//! A worker's heartbeat shows that it knows of its streams.

use std::collections::BTreeSet;

use super::{Command, Rejection};
use crate::domain::fleet::{Draft, let_go};
use crate::domain::handover::Handover;
use crate::domain::ids::{AssignmentVersion, Incarnation, InstanceId, StreamId};

/// Marks streams as delivered: those up to the version the worker says it has, and those it says
/// it runs. What that version has left out it has let go of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfirmDelivery {
    /// Who confirms.
    pub id: InstanceId,
    /// In which life.
    pub incarnation: Incarnation,
    /// The last assignment version it has, if it sent one. 0 confirms nothing.
    pub version: Option<AssignmentVersion>,
    /// What it says it runs, if it said so.
    pub streams: Vec<StreamId>,
}

/// The confirmation is saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmed;

impl Command for ConfirmDelivery {
    type Reply = Confirmed;

    fn decide(&self, draft: &mut Draft<'_>) -> Result<Confirmed, Rejection> {
        let instance = super::current_life(draft, &self.id, self.incarnation)?;
        let Some(slot) = draft.fleet().instance(&self.id) else {
            return Err(Rejection::UnknownInstance(self.id.clone()));
        };
        let version = self
            .version
            .filter(|version| *version <= instance.assignment_version)
            .unwrap_or_default();
        let running: BTreeSet<StreamId> = self.streams.iter().copied().collect();
        let confirmed: Vec<StreamId> = slot
            .unconfirmed()
            .iter()
            .copied()
            .filter(|id| {
                running.contains(id)
                    || draft
                        .fleet()
                        .stream(*id)
                        .and_then(|stream| stream.place().assignment())
                        .is_some_and(|assignment| assignment.version <= version)
            })
            .collect();
        let followed: Vec<StreamId> = slot
            .releasing()
            .iter()
            .copied()
            .filter(|id| left_out_by(draft, *id).is_some_and(|left_out| left_out <= version))
            .collect();
        draft.deliver(&instance, &confirmed);
        for stream in confirmed {
            // A version may be confirmed before its streams are started.
            if self.streams.is_empty() || running.contains(&stream) {
                draft.end_overlap(stream);
            }
        }
        for stream in followed {
            let_go(draft, stream);
        }
        Ok(Confirmed)
    }
}

/// The version of the owner's set that leaves out a stream it is to let go of.
fn left_out_by(draft: &Draft<'_>, stream: StreamId) -> Option<AssignmentVersion> {
    let assignment = draft.fleet().stream(stream)?.place().assignment()?;
    match assignment.handover {
        Some(Handover::Releasing { version, .. }) => Some(version),
        Some(Handover::Overlapping { .. }) | None => None,
    }
}
