//! A unit of continuous work, and where it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::handover::{Handoff, Handover};
use super::ids::{AssignmentVersion, Epoch, Incarnation, InstanceId, StreamId};
use super::returns::Returns;
use super::stream_url::StreamUrl;
use super::string_enum::string_enum;
use super::time::WallTime;

pub use super::reason::{AssignReason, OrphanReason};

/// A stream of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// Its key.
    pub id: StreamId,
    /// Its name, unique.
    pub name: Arc<str>,
    /// Where its content is found; handed to the worker, never dialled.
    pub url: Option<StreamUrl>,
    /// Free-form labels.
    pub labels: BTreeMap<String, String>,
    /// Which orphaned streams are placed first: higher before lower, default 0.
    pub priority: i32,
    /// Whether it is to be run at all.
    pub enabled: bool,
    /// What comes first when it moves on purpose.
    pub handoff: Handoff,
    /// When it came into the catalogue.
    pub created_at: WallTime,
    /// Whether it was deleted: it is in no list any more, and is remembered, as one that its owner
    /// is to let go of, until nobody runs it. One made again under its id waits for that.
    pub deleted: bool,
    /// What is remembered of it having been given back, until it runs steadily.
    pub returns: Option<Box<Returns>>,
}

impl Stream {
    /// Whether nobody may have it now, because it was given back again and again.
    pub fn is_paused(&self) -> bool {
        self.returns
            .as_ref()
            .is_some_and(|returns| returns.is_paused())
    }

    /// Who gave it back lately, and is asked last; the oldest return first.
    pub fn returned_by(&self) -> &[InstanceId] {
        self.returns
            .as_ref()
            .map_or(&[], |returns| &returns.workers)
    }
}

/// Where a stream is. Exactly one of these holds for each stream at any time (I3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// An instance runs it.
    Assigned(Assignment),
    /// Nobody runs it: new, or released. Given to who asks, or to `auto_assign` instances.
    Unclaimed {
        /// Who let go of it: it is not pushed back there without being asked for, unless the release
        /// counted as a return and its pause is over (`domain/returns.rs`).
        released_by: Option<InstanceId>,
        /// Since when nobody runs it.
        since: WallTime,
    },
    /// It lost its instance, and is pushed to whoever has room.
    Orphaned {
        /// Why it lost its instance.
        reason: OrphanReason,
        /// The instance it lost.
        from: InstanceId,
        /// Since when nobody runs it.
        since: WallTime,
    },
    /// It is not to be run.
    Disabled,
}

impl Place {
    /// The assignment, if an instance runs it.
    pub fn assignment(&self) -> Option<&Assignment> {
        match self {
            Self::Assigned(assignment) => Some(assignment),
            Self::Unclaimed { .. } | Self::Orphaned { .. } | Self::Disabled => None,
        }
    }

    /// The state as one word.
    pub fn state(&self) -> StreamState {
        match self {
            Self::Assigned(_) => StreamState::Assigned,
            Self::Unclaimed { .. } => StreamState::Unclaimed,
            Self::Orphaned { .. } => StreamState::Orphaned,
            Self::Disabled => StreamState::Disabled,
        }
    }
}

/// Says which instance runs a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The owner.
    pub instance: InstanceId,
    /// The fencing token of this assignment.
    pub epoch: Epoch,
    /// Why the stream is there.
    pub reason: AssignReason,
    /// The life of the owner in which it was told, or confirmed, that it runs the stream.
    pub delivered: Option<Incarnation>,
    /// The owner's assignment version that first contained the stream.
    pub version: AssignmentVersion,
    /// When the assignment was made.
    pub assigned_at: WallTime,
    /// The move that is under way, if one is.
    pub handover: Option<Handover>,
}

impl Assignment {
    /// Whether its owner has yet to show, in this life, that it knows of it; of one that overlaps,
    /// that it runs it: being handed it by a request shows only the first.
    pub fn is_unconfirmed(&self, incarnation: Incarnation) -> bool {
        let is_told = self.delivered == Some(incarnation);
        !self.is_releasing() && (!is_told || self.former().is_some())
    }

    /// Whether its owner is to let go.
    pub const fn is_releasing(&self) -> bool {
        matches!(self.handover, Some(Handover::Releasing { .. }))
    }

    /// Who gets it once its owner has released it, if that is known.
    pub const fn promised_to(&self) -> Option<&InstanceId> {
        match &self.handover {
            Some(Handover::Releasing { then, .. }) => then.to(),
            Some(Handover::Overlapping { .. } | Handover::GivenUp { .. }) | None => None,
        }
    }

    /// Who runs it beside its owner until that one does.
    pub const fn former(&self) -> Option<&InstanceId> {
        match &self.handover {
            Some(Handover::Overlapping { from, .. }) => Some(from),
            Some(Handover::Releasing { .. } | Handover::GivenUp { .. }) | None => None,
        }
    }

    /// Since when a move of it is given up: its owner did not let go.
    pub const fn given_up_since(&self) -> Option<WallTime> {
        match &self.handover {
            Some(Handover::GivenUp { since }) => Some(*since),
            Some(Handover::Releasing { .. } | Handover::Overlapping { .. }) | None => None,
        }
    }
}

/// A stream under the epoch of one of its assignments: what its owner goes by, and what a sink
/// compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Holding {
    /// Which stream.
    #[serde(rename = "stream_id")]
    pub stream: StreamId,
    /// The fencing token of the assignment.
    pub epoch: Epoch,
}

string_enum! {
    /// Where a stream is, as one word.
    StreamState {
        /// An instance runs it.
        Assigned = "assigned",
        /// New or released.
        Unclaimed = "unclaimed",
        /// Lost its instance.
        Orphaned = "orphaned",
        /// Not to be run.
        Disabled = "disabled",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_lead_back_to_their_value_and_equal_their_json() {
        for reason in AssignReason::ALL.iter().copied() {
            assert_eq!(AssignReason::from_word(reason.as_str()), Some(reason));
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
        }
        for reason in OrphanReason::ALL.iter().copied() {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
        }
        assert_eq!(StreamState::from_word("lost"), None);
    }
}
