//! How a stream goes from one worker to another while both are well.
//!
//! ```text
//!   exclusive:  Assigned(a) ──move──▶ Releasing(a) ──released──▶ Assigned(b)
//!   overlap:    Assigned(a) ──move──▶ Overlapping(b, a runs it still) ──b confirms──▶ Assigned(b)
//! ```
//!
//! A stream that is *releasing* still belongs to its owner, under the same epoch, and is no longer
//! in the set the owner is to run. It is released when the owner's worker shows that it has
//! followed (a heartbeat with the version that left it out, or `/streams/release`), with the first heartbeat
//! of the owner's next life, and when its lease is over. In the same transaction it goes to its
//! target, or to any other instance if that one has no room any more; without any, it is orphaned.
//!
//! A stream that is *overlapping* belongs to its new owner; the former one goes on until
//! the new one shows that it runs it, and then to stop.
//!
//! A stream whose owner does not run it, although it was sent twice, is released in the same
//! way: that it does not run it now is no promise that it will not begin to.
//!
//! What can go wrong: the owner never confirms although it beats (after a timeout the move is *given
//! up*, and the stream stays where it is: two runners are worse than a move that fails; that it was
//! given up is remembered, and is an alert, until the stream moves, a new move of it begins or
//! an operator orders that it stays; a stream that was deleted or disabled stays releasing, and an
//! alert says so, `release_watch.rs`); the new owner of an overlap never confirms (both run it, and
//! an alert says so); the owner falls silent
//! (its recovery takes the stream along); the new owner falls silent (its recovery does); the
//! orchestrator ends (all of this is saved). An owner without a lease, a classic one, cannot
//! confirm: its streams are moved at once.

use super::ids::{AssignmentVersion, Epoch, InstanceId};
use super::reason::{AssignReason, OrphanReason};
use super::string_enum::string_enum;
use super::time::WallTime;

string_enum! {
    /// What comes first when a stream moves on purpose.
    HandoverMode {
        /// The old owner stops: never two runners.
        Exclusive = "exclusive",
        /// The new owner starts: never none, if it can be helped.
        Overlap = "overlap",
    }
}

impl Default for HandoverMode {
    /// Two runners are what this program exists to prevent.
    fn default() -> Self {
        Self::Exclusive
    }
}

/// A move under way.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Handover {
    /// The owner is to release the stream.
    Releasing {
        /// What becomes of the stream then.
        then: AfterRelease,
        /// The owner's version that leaves the stream out: once the worker has it, it has released it.
        version: AssignmentVersion,
        since: WallTime,
    },
    /// The former owner runs it until the new one does.
    Overlapping {
        /// The former owner.
        from: InstanceId,
        /// Its epoch.
        epoch: Epoch,
        since: WallTime,
    },
    /// The owner did not release the stream in time and keeps it: the move was accepted and did not
    /// happen. Over when the stream moves, or an operator orders that it stays.
    GivenUp { since: WallTime },
}

/// What becomes of a stream once its owner has released it. If its owner fails or leaves meanwhile,
/// a stream that was to move moves for that reason instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AfterRelease {
    /// It gets another owner.
    MoveTo {
        /// The next owner; none: any instance that has room then.
        to: Option<InstanceId>,
        /// Why it moves.
        reason: MoveReason,
    },
    /// It was deleted and created again: it waits to be requested.
    Unclaim,
    /// It is disabled.
    Disable,
    /// It was deleted: its id is forgotten.
    Forget,
    /// Its owner registered anew, and it does not fit there any more: it waits for room elsewhere.
    Shed,
}

/// Why a stream moves away from an owner that is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MoveReason {
    /// It is moved on purpose.
    Planned,
    /// It is moved so that each instance has its fair share.
    Balance,
    /// Its owner does not run it although it was notified of it twice.
    NotRun,
}

impl AfterRelease {
    /// A planned move, to a certain instance or to any.
    pub const fn planned_move(to: Option<InstanceId>) -> Self {
        let reason = MoveReason::Planned;
        Self::MoveTo { to, reason }
    }

    /// The next owner, if it is known already.
    pub const fn to(&self) -> Option<&InstanceId> {
        match self {
            Self::MoveTo { to, .. } => to.as_ref(),
            Self::Unclaim | Self::Disable | Self::Forget | Self::Shed => None,
        }
    }

    /// Whether no instance gets the stream any more.
    pub const fn is_final(&self) -> bool {
        match self {
            Self::Disable | Self::Forget => true,
            Self::MoveTo { .. } | Self::Unclaim | Self::Shed => false,
        }
    }

    /// The reason as it is shown and stored. A stream that no instance gets is shown as a planned
    /// move: what happened to it is an event of its own.
    pub const fn shown_reason(&self) -> AssignReason {
        match self {
            Self::MoveTo { reason, .. } => reason.assign_reason(),
            Self::Unclaim => AssignReason::AutoAssigned,
            // It will be placed as a stream that waits for room.
            Self::Shed => AssignReason::RoomAppeared,
            Self::Disable | Self::Forget => AssignReason::PlannedMove,
        }
    }
}

impl MoveReason {
    /// Why the next owner has the stream.
    pub const fn assign_reason(self) -> AssignReason {
        match self {
            Self::Planned => AssignReason::PlannedMove,
            Self::Balance => AssignReason::Rebalance,
            Self::NotRun => AssignReason::NotRun,
        }
    }

    /// Why the stream waits for room if there is none.
    pub const fn orphan_reason(self) -> OrphanReason {
        match self {
            Self::Planned | Self::Balance => OrphanReason::PlannedMove,
            Self::NotRun => OrphanReason::NotRun,
        }
    }
}

/// How far a move has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MoveProgress {
    /// The stream runs at its new owner: its former owner, if it had one, cannot confirm a release.
    Moved,
    /// The owner was asked to release the stream.
    Releasing,
    /// The stream is assigned to its new owner; the former one goes on until the new one runs it.
    Overlapping,
    /// The stream is there already.
    Unchanged,
}

impl MoveProgress {
    /// Returns whether the move has begun and is not over.
    pub const fn is_under_way(self) -> bool {
        match self {
            Self::Releasing | Self::Overlapping => true,
            Self::Moved | Self::Unchanged => false,
        }
    }
}

string_enum! {
    /// A kind of move, as one word.
    HandoverKind {
        /// The owner is to release the stream.
        Releasing = "releasing",
        /// The former owner runs it until the new one does.
        Overlapping = "overlapping",
        /// The owner did not release the stream in time and keeps it.
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
        /// The owner sent heartbeats and did not release it in time.
        NotReleased = "not_released",
        /// Its move was called off: an operator wants it where it is, or its owner began a new
        /// life before its lease was over.
        CalledOff = "called_off",
    }
}

impl Default for AbandonReason {
    /// The reason in events of older versions, which had only this one.
    fn default() -> Self {
        Self::NotReleased
    }
}
