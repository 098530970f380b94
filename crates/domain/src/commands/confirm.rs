//! A worker's heartbeat confirms the streams it knows of.

use std::collections::BTreeSet;

use super::command::{Command, Rejection};
use crate::fleet::{Draft, let_go};
use crate::handover::Handover;
use crate::ids::{AssignmentVersion, Incarnation, InstanceId, StreamId};
use crate::stream::Assignment;

/// Marks streams as delivered: the ones up to the version that the worker names, and the ones it
/// reports as running. Streams that this version has left out are released.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct ConfirmDelivery {
    pub id: InstanceId,
    pub incarnation: Incarnation,
    /// The last assignment version the worker has, if it sent one. 0 confirms nothing.
    pub version: Option<AssignmentVersion>,
    /// The streams the worker reports as running, if it listed them.
    pub running: Option<Vec<StreamId>>,
}

/// The confirmation is saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmed;

impl Command for ConfirmDelivery {
    type Reply = Confirmed;

    fn decide(&self, draft: &mut Draft<'_>) -> Result<Confirmed, Rejection> {
        let instance = super::command::current_life(draft, &self.id, self.incarnation)?;
        let Some(slot) = draft.fleet().instance(&self.id) else {
            return Err(Rejection::UnknownInstance(self.id.clone()));
        };
        let version = self
            .version
            .filter(|version| *version <= instance.assignment_version)
            .unwrap_or_default();
        let running = self.running.as_ref();
        let running: Option<BTreeSet<StreamId>> =
            running.map(|running| running.iter().copied().collect());
        let runs = |id: &StreamId| running.as_ref().is_some_and(|running| running.contains(id));
        let confirmed: Vec<StreamId> = slot
            .unconfirmed()
            .iter()
            .copied()
            .filter(|id| {
                let Some(assignment) = assignment(draft, *id) else {
                    return false;
                };
                // A worker may have a version before it has started the streams, and a stream that
                // overlaps must not be stopped at its former owner before it runs at the new one.
                let is_had = assignment.version <= version;
                let may_wait = assignment.former().is_some() && running.is_some();
                runs(id) || (is_had && !may_wait)
            })
            .collect();
        let followed: Vec<StreamId> = slot
            .releasing()
            .iter()
            .copied()
            // A worker that reports the stream as running in the same heartbeat has not released
            // it.
            .filter(|id| !runs(id))
            .filter(|id| left_out_by(draft, *id).is_some_and(|left_out| left_out <= version))
            .collect();
        draft.deliver(&instance, &confirmed);
        for stream in confirmed {
            draft.end_overlap(stream);
        }
        for stream in followed {
            let_go(draft, stream);
        }
        Ok(Confirmed)
    }
}

/// Returns the version of the owner's set that leaves out a stream which the owner must release.
fn left_out_by(draft: &Draft<'_>, stream: StreamId) -> Option<AssignmentVersion> {
    match assignment(draft, stream)?.handover {
        Some(Handover::Releasing { version, .. }) => Some(version),
        Some(Handover::Overlapping { .. } | Handover::GivenUp { .. }) | None => None,
    }
}

fn assignment<'d>(draft: &'d Draft<'_>, stream: StreamId) -> Option<&'d Assignment> {
    draft.fleet().stream(stream)?.place().assignment()
}
