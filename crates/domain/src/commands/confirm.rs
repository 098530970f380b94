//! A worker's heartbeat confirms the streams it knows of.

use super::command::{Command, Rejection};
use crate::fleet::{Draft, let_go};
use crate::handover::Handover;
use crate::ids::{AssignmentVersion, Incarnation, InstanceId, StreamId};
use crate::lease::Shown;
use crate::stream::Assignment;

/// Whether a heartbeat named the incarnation of its worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum HeartbeatForm {
    WithIncarnation,
    WithoutIncarnation,
}

/// Marks streams as delivered, and moves on those that the worker has released; the rule is in
/// `domain/lease/release.rs`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct ConfirmDelivery {
    pub id: InstanceId,
    pub incarnation: Incarnation,
    pub form: HeartbeatForm,
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
        let newest = instance.assignment_version;
        let shown = Shown::new(self.version, self.running.as_deref(), newest);
        let confirmed: Vec<StreamId> = slot
            .unconfirmed()
            .iter()
            .copied()
            .filter(|id| {
                assignment(draft, *id).is_some_and(|assignment| shown.confirms(*id, assignment))
            })
            .collect();
        let released: Vec<StreamId> = slot
            .releasing()
            .iter()
            .copied()
            .filter(|id| {
                left_out_by(draft, *id).is_some_and(|since| {
                    // Version 0: the process before had the stream (`release_with_next_heartbeat`).
                    let is_said = since.get() > 0 || self.form == HeartbeatForm::WithIncarnation;
                    is_said && shown.releases(*id, since)
                })
            })
            .collect();
        draft.deliver(&instance, &confirmed);
        for stream in confirmed {
            draft.end_overlap(stream);
        }
        for stream in released {
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
