//! The plan: which streams move, from where to where, and why.

use crate::handover::MoveProgress;
use crate::ids::{InstanceId, StreamId};
use crate::string_enum::string_enum;

string_enum! {
    /// Why a stream moves.
    BalanceReason {
        /// Its instance holds more than its share.
        AboveShare = "above_fair_share",
        /// Its new instance holds less than its share.
        BelowShare = "below_fair_share",
        /// It makes room for a stream that only its instance can take.
        MakesRoom = "makes_room",
    }
}

/// The move of one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct BalanceMove {
    pub stream: StreamId,
    pub from: InstanceId,
    pub to: InstanceId,
    pub reason: BalanceReason,
}

/// The moves, in the order in which they should begin: a move that makes room stands before the one
/// that needs it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BalancePlan {
    /// The moves; each stream once.
    pub moves: Vec<BalanceMove>,
}

/// What became of a move when it was to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MoveState {
    /// It has begun.
    Begun(MoveProgress),
    /// Too many moves are under way.
    Waiting,
    /// Its target has no room, or not yet.
    NoRoom,
    /// The stream is not where it was, or must not go where it should.
    Dropped,
}
