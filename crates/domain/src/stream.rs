//! A unit of continuous work, and its place.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::constraints::Constraints;
use super::handover::{AfterRelease, Handover, HandoverMode};
use super::ids::{AssignmentVersion, Epoch, Incarnation, InstanceId, StreamId};
use super::quarantine::Suspicion;
use super::returns::Returns;
use super::stream_url::StreamUrl;
use super::string_enum::string_enum;
use super::time::WallTime;

pub use super::reason::{AssignReason, OrphanReason};

/// A stream of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Stream {
    pub id: StreamId,
    /// Unique among the streams.
    pub name: Arc<str>,
    /// Where its content is found; sent to the worker, never dialled.
    pub url: Option<StreamUrl>,
    /// Free-form labels.
    pub labels: BTreeMap<String, String>,
    /// The order of orphaned streams: higher before lower, default 0.
    pub priority: i32,
    /// What it costs its owner, 1 to 1,000, default 1.
    pub weight: u32,
    /// The conditions on its owner.
    pub constraints: Option<Box<Constraints>>,
    /// Whether it should run at all.
    pub enabled: bool,
    /// How a planned move hands it over.
    pub handoff: HandoverMode,
    /// When it was created.
    pub created_at: WallTime,
    /// Whether it was deleted: it is in no list any more, and is remembered, as a stream that its
    /// owner must release, until no worker runs it. A stream created again under its id waits for
    /// that.
    pub deleted: bool,
    /// Its returns, remembered until it runs steadily.
    pub returns: Option<Box<Returns>>,
    /// What speaks against it, remembered until one owner has kept it for long.
    pub suspicion: Option<Box<Suspicion>>,
}

impl Stream {
    /// Returns whether no instance may have it now, with or without a request, although it has no
    /// owner and is to run: the one rule of the lists from which streams are placed.
    pub fn is_withheld(&self) -> bool {
        self.is_paused() || self.is_quarantined()
    }

    /// Returns whether it waits because it was given back again and again.
    pub fn is_paused(&self) -> bool {
        self.returns
            .as_ref()
            .is_some_and(|returns| returns.is_paused())
    }

    /// Returns whether it is quarantined, or on trial if it has an owner.
    pub fn is_quarantined(&self) -> bool {
        self.suspicion
            .as_ref()
            .is_some_and(|suspicion| suspicion.quarantine.is_some())
    }

    /// Returns the state of the stream at a place, as one word.
    pub fn state_at(&self, place: &Place) -> StreamState {
        match place {
            Place::Unclaimed { .. } | Place::Orphaned { .. } if self.is_quarantined() => {
                StreamState::Quarantined
            }
            Place::Assigned(_)
            | Place::Unclaimed { .. }
            | Place::Orphaned { .. }
            | Place::Disabled => place.state(),
        }
    }

    /// Returns the labels that its owner must have, if any are required.
    pub fn requires(&self) -> Option<&BTreeMap<String, String>> {
        let requires = self
            .constraints
            .as_ref()
            .map(|constraints| &constraints.requires);
        requires.filter(|requires| !requires.is_empty())
    }

    /// Returns the group whose streams are kept apart.
    pub fn group(&self) -> Option<&Arc<str>> {
        self.constraints.as_ref()?.group.as_ref()
    }

    /// Returns the instance it belongs on.
    pub fn pinned(&self) -> Option<&InstanceId> {
        self.constraints.as_ref()?.pinned.as_ref()
    }

    /// Returns the instances that gave it back lately and are chosen last; the oldest return first.
    pub fn returned_by(&self) -> &[InstanceId] {
        self.returns
            .as_ref()
            .map_or(&[], |returns| &returns.workers)
    }
}

/// Where a stream is. Exactly one of these holds for each stream at any time (I3).
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Place {
    /// An instance runs it.
    Assigned(Assignment),
    /// It has no owner: it is new, or released. It is assigned on request, or to `auto_assign`
    /// instances.
    Unclaimed {
        /// The instance that released it: it is not assigned there without a request, unless the
        /// release counted as a return and its pause is over (`returns/mod.rs`).
        released_by: Option<InstanceId>,
        /// Since when it has no owner.
        since: WallTime,
    },
    /// It lost its instance, and is assigned to any instance with room.
    Orphaned {
        reason: OrphanReason,
        /// The instance it lost.
        from: InstanceId,
        /// Since when it has no owner.
        since: WallTime,
    },
    /// It should not run.
    Disabled,
}

impl Place {
    /// Returns the assignment, if an instance runs it.
    pub fn assignment(&self) -> Option<&Assignment> {
        match self {
            Self::Assigned(assignment) => Some(assignment),
            Self::Unclaimed { .. } | Self::Orphaned { .. } | Self::Disabled => None,
        }
    }

    /// Returns the place as one word. Whether the stream is quarantined there is known to the stream
    /// ([`Stream::state_at`]).
    pub fn state(&self) -> StreamState {
        match self {
            Self::Assigned(_) => StreamState::Assigned,
            Self::Unclaimed { .. } => StreamState::Unclaimed,
            Self::Orphaned { .. } => StreamState::Orphaned,
            Self::Disabled => StreamState::Disabled,
        }
    }
}

/// The ownership of a stream by an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Assignment {
    /// The owner.
    pub instance: InstanceId,
    /// The fencing token of this assignment.
    pub epoch: Epoch,
    pub reason: AssignReason,
    /// The incarnation of the owner that was notified of the stream, or confirmed it.
    pub delivered: Option<Incarnation>,
    /// The owner's assignment version that first contained the stream.
    pub version: AssignmentVersion,
    /// When the assignment was made.
    pub assigned_at: WallTime,
    /// The move that is under way, if one is.
    pub handover: Option<Handover>,
}

impl Assignment {
    /// Returns whether its owner has yet to confirm, in this incarnation, that it knows of the
    /// stream; for an overlapping one, that it runs the stream: getting it by a request confirms
    /// only the first.
    pub fn is_unconfirmed(&self, incarnation: Incarnation) -> bool {
        let is_told = self.delivered == Some(incarnation);
        !self.is_releasing() && (!is_told || self.former().is_some())
    }

    /// Returns whether its owner must release it.
    pub const fn is_releasing(&self) -> bool {
        matches!(self.handover, Some(Handover::Releasing { .. }))
    }

    /// Returns whether its owner must release it because it does not fit there any more.
    pub const fn is_shed(&self) -> bool {
        matches!(
            self.handover,
            Some(Handover::Releasing {
                then: AfterRelease::Shed,
                ..
            })
        )
    }

    /// Returns whether its owner runs it no more, if the owner's next life is that of another process: the first heartbeat of
    /// that life releases it.
    pub const fn is_of_an_earlier_life(&self) -> bool {
        match &self.handover {
            Some(Handover::Releasing { version, .. }) => version.get() == 0,
            Some(Handover::Overlapping { .. } | Handover::GivenUp { .. }) | None => false,
        }
    }

    /// Returns the instance that gets it once its owner has released it, if that is known.
    pub const fn promised_to(&self) -> Option<&InstanceId> {
        match &self.handover {
            Some(Handover::Releasing { then, .. }) => then.to(),
            Some(Handover::Overlapping { .. } | Handover::GivenUp { .. }) | None => None,
        }
    }

    /// Returns the instance that runs it beside its owner until that one does.
    pub const fn former(&self) -> Option<&InstanceId> {
        match &self.handover {
            Some(Handover::Overlapping { from, .. }) => Some(from),
            Some(Handover::Releasing { .. } | Handover::GivenUp { .. }) | None => None,
        }
    }

    /// Returns since when a move of it is given up because its owner did not release it.
    pub const fn given_up_since(&self) -> Option<WallTime> {
        match &self.handover {
            Some(Handover::GivenUp { since }) => Some(*since),
            Some(Handover::Releasing { .. } | Handover::Overlapping { .. }) | None => None,
        }
    }
}

/// A stream under the epoch of one of its assignments: its owner runs it under this epoch, and a
/// sink compares the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Holding {
    #[serde(rename = "stream_id")]
    pub stream: StreamId,
    /// The fencing token of the assignment.
    pub epoch: Epoch,
}

string_enum! {
    /// The place of a stream, as one word.
    StreamState {
        /// An instance runs it.
        Assigned = "assigned",
        /// New or released.
        Unclaimed = "unclaimed",
        /// Lost its instance.
        Orphaned = "orphaned",
        /// Not to be run.
        Disabled = "disabled",
        /// Without an owner, and kept away from the fleet, because its owners failed.
        Quarantined = "quarantined",
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
