//! How a stream goes from one worker to another while both are well.
//!
//! ```text
//!   exclusive:  Assigned(a) ──move──▶ Releasing(a) ──let go──▶ Assigned(b)
//!   overlap:    Assigned(a) ──move──▶ Overlapping(b, a runs it still) ──b confirms──▶ Assigned(b)
//! ```
//!
//! A stream that is *releasing* still belongs to its owner, under the same epoch, and is no longer
//! in the set the owner is told to run. It is let go of when the owner's worker shows that it has
//! followed (a heartbeat with the version that left it out, or `/streams/release`), when the
//! owner registers anew, and when its lease is over. In the same transaction it goes to whoever is
//! to have it, or to any other if that one has no room any more; without any, it is orphaned.
//!
//! A stream that is *overlapping* belongs to its new owner; the former one is told to go on until
//! the new one shows that it runs it, and then to stop.
//!
//! A stream whose owner does not run it, although it was told to twice, is let go of in the same
//! way: that it does not run it now is no promise that it will not begin to.
//!
//! What can go wrong: the owner never confirms although it beats (after a timeout the move is *given
//! up*, and the stream stays where it is: two runners are worse than a move that fails; that it was
//! given up is remembered, and is an alert, until the stream moves, a new move of it begins or
//! somebody says that it is to stay; a stream that was deleted or disabled stays releasing, and an
//! alert says so, `release_watch.rs`); the new owner of an overlap never confirms (both run it, and
//! an alert says so); the owner falls silent
//! (its recovery takes the stream along); the new owner falls silent (its recovery does); the
//! orchestrator ends (all of this is saved). An owner without a lease, a classic one, cannot
//! confirm: its streams are moved at once.

use super::ids::{AssignmentVersion, Epoch, InstanceId};
use super::reason::AssignReason;
use super::string_enum::string_enum;
use super::time::WallTime;

string_enum! {
    /// What comes first when a stream moves on purpose.
    Handoff {
        /// The old owner stops: never two runners.
        Exclusive = "exclusive",
        /// The new owner starts: never none, if it can be helped.
        Overlap = "overlap",
    }
}

impl Default for Handoff {
    /// Two runners are what this program exists to prevent.
    fn default() -> Self {
        Self::Exclusive
    }
}

/// A move under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Handover {
    /// The owner is to let go.
    Releasing {
        /// Who is to have the stream; none: whoever has room then.
        to: Option<InstanceId>,
        /// The owner's version that leaves the stream out: once the worker has it, it has let go.
        version: AssignmentVersion,
        /// Why the next one gets it, unless its owner fails or leaves meanwhile: planned, not run, or
        /// auto-assigned if it was deleted and made again: then it waits to be asked for.
        reason: AssignReason,
        /// Since when.
        since: WallTime,
    },
    /// The former owner runs it until the new one does.
    Overlapping {
        /// The former owner.
        from: InstanceId,
        /// Its epoch.
        epoch: Epoch,
        /// Since when.
        since: WallTime,
    },
    /// The owner did not let go in time and keeps the stream: the move was accepted and did not
    /// happen. Over when the stream moves, or an operator says that it is to stay.
    GivenUp {
        /// Since when.
        since: WallTime,
    },
}

string_enum! {
    /// A kind of move, as one word.
    HandoverKind {
        /// The owner is to let go.
        Releasing = "releasing",
        /// The former owner runs it until the new one does.
        Overlapping = "overlapping",
        /// The owner did not let go in time and keeps the stream.
        GivenUp = "given_up",
    }
}

impl Handover {
    /// Its kind.
    pub const fn kind(&self) -> HandoverKind {
        match self {
            Self::Releasing { .. } => HandoverKind::Releasing,
            Self::Overlapping { .. } => HandoverKind::Overlapping,
            Self::GivenUp { .. } => HandoverKind::GivenUp,
        }
    }

    /// Whether a move is under way: one that is given up is not.
    pub const fn is_under_way(&self) -> bool {
        match self {
            Self::Releasing { .. } | Self::Overlapping { .. } => true,
            Self::GivenUp { .. } => false,
        }
    }
}

string_enum! {
    /// Why a stream that was to be released stays with its owner.
    AbandonReason {
        /// The owner beat and did not let go of it in time.
        NotReleased = "not_released",
        /// Its move was called off: an operator wants it where it is, or its owner began a new
        /// life before its lease was over.
        CalledOff = "called_off",
    }
}

impl Default for AbandonReason {
    /// What the events of older versions tell of.
    fn default() -> Self {
        Self::NotReleased
    }
}
