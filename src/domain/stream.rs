//! A unit of continuous work, and where it is.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::handover::{Handoff, Handover};
use super::ids::{AssignmentVersion, Epoch, Incarnation, InstanceId, StreamId};
use super::stream_url::StreamUrl;
use super::time::WallTime;

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
}

/// Where a stream is. Exactly one of these holds for each stream at any time (I3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// An instance runs it.
    Assigned(Assignment),
    /// Nobody runs it: new, or released. Given to who asks, or to `auto_assign` instances.
    Unclaimed {
        /// Who let go of it: it is never pushed back there without being asked for.
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

    /// Who runs it beside its owner until that one does.
    pub const fn former(&self) -> Option<&InstanceId> {
        match &self.handover {
            Some(Handover::Overlapping { from, .. }) => Some(from),
            Some(Handover::Releasing { .. }) | None => None,
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

/// Declares an enum of words that are stored and shown as they are.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word on the wire and in the database.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }

            /// The value written as `word`, if there is one.
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == word)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use words;

words! {
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

words! {
    /// Why a stream is where it is.
    AssignReason {
        /// The instance asked for streams.
        Requested = "requested",
        /// The instance registered with `auto_assign`.
        AutoAssigned = "auto_assigned",
        /// Moved off an instance that failed.
        InstanceFailed = "instance_failed",
        /// Moved off an instance that was removed.
        InstanceRemoved = "instance_removed",
        /// Taken off an instance in an emergency recovery.
        Emergency = "emergency",
        /// It had been orphaned, and room appeared.
        RoomAppeared = "room_appeared",
        /// Moved on purpose.
        PlannedMove = "planned_move",
        /// Moved off an instance that did not run it although it was told to.
        NotRun = "not_run",
    }
}

words! {
    /// Why a stream lost its instance and found no other at once.
    OrphanReason {
        /// Its instance failed, and nobody had room.
        InstanceFailed = "instance_failed",
        /// Its instance was removed, and nobody had room.
        InstanceRemoved = "instance_removed",
        /// It was taken off its instance in an emergency, and nobody had room.
        Emergency = "emergency",
        /// Its instance registered again with less room.
        RoomReduced = "room_reduced",
        /// It was moved on purpose, and nobody had room any more.
        PlannedMove = "planned_move",
        /// Its instance did not run it, and nobody else had room.
        NotRun = "not_run",
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
