//! Retries quarantined streams, ends suspicions, and releases a stream from its quarantine.

use std::cmp::Reverse;
use std::sync::Arc;

use super::command::{Command, Rejection};
use crate::fleet::{Draft, place_stream, try_quarantined};
use crate::ids::{InstanceId, StreamId};
use crate::instance::InstanceStatus;
use crate::quarantine::QuarantineEnd;
use crate::stream::StreamState;
use crate::trial_timer::TrialDue;

/// Ends the suspicions that are over, and retries one of the quarantined streams that are due, the
/// one that is due longest. Passes over entries that are out of date. Repeating the command changes
/// nothing more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContinueSuspected {
    /// The streams, and what is due for each.
    pub due: Vec<(StreamId, TrialDue)>,
}

impl Command for ContinueSuspected {
    /// The number of streams that were changed.
    type Reply = usize;

    fn decide(&self, draft: &mut Draft<'_>) -> Result<usize, Rejection> {
        let mut continued = 0;
        for (stream, due) in &self.due {
            if is_steady(draft, *stream, *due) {
                draft.forget_suspicion(*stream, QuarantineEnd::RanSteadily, None);
                continued += 1;
            }
        }
        // One trial at a time, in the whole fleet.
        if draft.fleet().on_trial().next().is_some() {
            return Ok(continued);
        }
        let is_tried = self
            .in_order(draft)
            .into_iter()
            .any(|stream| try_quarantined(draft, stream));
        Ok(continued + usize::from(is_tried))
    }
}

impl ContinueSuspected {
    /// Returns the streams whose wait is over: the one that is due longest first.
    fn in_order(&self, draft: &Draft<'_>) -> Vec<StreamId> {
        let ranked = self.due.iter().filter_map(|(id, due)| {
            let TrialDue::Retry { retries } = due else {
                return None;
            };
            let slot = draft.fleet().stream(*id)?;
            let stream = slot.stream();
            let quarantine = stream.suspicion.as_ref()?.quarantine?;
            // A worker that gave it back during its trial begins the pause of returns.
            let waits =
                stream.state_at(slot.place()) == StreamState::Quarantined && !stream.is_paused();
            let rank = (quarantine.retry_at, Reverse(stream.priority), *id);
            (waits && quarantine.retries == *retries).then_some(rank)
        });
        let mut ranked: Vec<_> = ranked.collect();
        ranked.sort_unstable();
        ranked.into_iter().map(|(_, _, id)| id).collect()
    }
}

/// Returns whether one owner has kept a stream for the whole window. An owner that is late may have
/// failed within it.
fn is_steady(draft: &Draft<'_>, stream: StreamId, due: TrialDue) -> bool {
    let TrialDue::Steady { epoch } = due else {
        return false;
    };
    let fleet = draft.fleet();
    let Some(slot) = fleet.stream(stream) else {
        return false;
    };
    let assignment = slot.place().assignment();
    let Some(owner) = assignment.filter(|assignment| assignment.epoch == epoch) else {
        return false;
    };
    let instance = fleet.instance(&owner.instance).map(|slot| slot.instance());
    let is_well = instance.is_some_and(|instance| {
        instance.status.is_serving()
            && instance.status != InstanceStatus::Suspect
            && instance.withdrawn.is_none()
    });
    slot.stream().suspicion.is_some() && is_well
}

/// Releases a stream from its quarantine by hand: all evidence is forgotten, and the stream is placed
/// like any other.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct ReleaseQuarantine {
    pub stream: StreamId,
    /// Why, in the operator's words.
    pub reason: Option<Arc<str>>,
}

/// A stream that was released from its quarantine.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct ReleasedStream {
    pub state: StreamState,
    /// The owner that it was given at once; `None` if none had room.
    pub owner: Option<InstanceId>,
}

impl Command for ReleaseQuarantine {
    type Reply = ReleasedStream;

    fn decide(&self, draft: &mut Draft<'_>) -> Result<ReleasedStream, Rejection> {
        let slot = draft.fleet().listed(self.stream);
        let slot = slot.ok_or(Rejection::UnknownStream(self.stream))?;
        if !slot.stream().is_quarantined() {
            return Err(Rejection::NotQuarantined {
                stream: self.stream,
                state: slot.stream().state_at(slot.place()),
            });
        }
        let because = QuarantineEnd::ByHand;
        draft.forget_suspicion(self.stream, because, self.reason.clone());
        place_stream(draft, self.stream);
        let slot = draft.fleet().listed(self.stream);
        let slot = slot.ok_or(Rejection::UnknownStream(self.stream))?;
        let owner = slot.place().assignment();
        Ok(ReleasedStream {
            state: slot.stream().state_at(slot.place()),
            owner: owner.map(|owner| owner.instance.clone()),
        })
    }
}

#[cfg(test)]
mod tests;
