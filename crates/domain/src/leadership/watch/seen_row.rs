//! What the observer remembers of the row that it saw last.

use std::time::Duration;

use crate::leadership::proof::SteadyTime;
use crate::leadership::row::{LeadershipRow, NodeName, RowState, RunId};

/// Looks without a beat after which the leader's address is asked, and the fleet read ahead.
pub(super) const LOOKS_BEFORE_ASKING: u32 = 2;

/// What is known of the process behind the row's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Neighbour {
    NotAsked,
    Asked,
    Gone,
    Silent,
    Lives(RunId),
}

/// A row, and what the looks since it was first seen have shown.
#[derive(Debug, Clone)]
pub(super) struct SeenRow {
    pub(super) row: LeadershipRow,
    /// How long term and beat were the same, as far as looks were answered in time.
    pub(super) unchanged: Duration,
    /// Up to when that is counted; none: the last look failed or was late.
    pub(super) counted_to: Option<SteadyTime>,
    /// Looks that found the same beat.
    pub(super) looks: u32,
    /// Changes of the beat under the same term and run.
    pub(super) beats: u32,
    pub(super) neighbour: Neighbour,
}

impl SeenRow {
    pub(super) fn new(row: &LeadershipRow, answered: SteadyTime, is_late: bool) -> Self {
        Self {
            row: row.clone(),
            unchanged: Duration::ZERO,
            counted_to: (!is_late).then_some(answered),
            looks: 0,
            beats: 0,
            neighbour: Neighbour::NotAsked,
        }
    }

    /// Whether another node than `node` holds the row and has let two looks pass without a renewal.
    pub(super) fn is_silent_of_another(&self, node: &NodeName) -> bool {
        self.row.state == RowState::Held
            && self.row.node != *node
            && self.looks >= LOOKS_BEFORE_ASKING
    }
}
