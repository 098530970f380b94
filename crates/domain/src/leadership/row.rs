//! The leadership row of the database, and the names of who stands in it.

use std::fmt;
use std::sync::Arc;

use crate::ids::{Term, Version};
use crate::time::WallTime;

/// The stable name of an orchestrator (`CLUSTER_NODE`): the same after a restart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName(Arc<str>);

impl NodeName {
    /// Wraps a checked name.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// The text of the setting.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One process of a node: a random number drawn at its start, from 1 to 2^53 - 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(i64);

impl RunId {
    /// Wraps the number.
    pub const fn new(number: i64) -> Self {
        Self(number)
    }

    /// The number itself.
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whether the leader of the row's term still claims it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RowState {
    /// The leader renews the row, or ended without a word.
    Held,
    /// The leader released the row: the successor may take it at once, or any orchestrator if there is
    /// none.
    Released,
}

impl RowState {
    /// The word for it in the database and in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Released => "released",
        }
    }
}

/// The leadership row as one read of it found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeadershipRow {
    /// The newest term.
    pub term: Term,
    /// The node that leads it.
    pub node: NodeName,
    /// The process that leads it.
    pub run: RunId,
    /// Counts the renewals of the term. A reader times its changes on a clock of its own.
    pub beat: i64,
    /// Whether the leader still claims the term.
    pub state: RowState,
    /// The node the leader gave the term to.
    pub successor: Option<NodeName>,
    /// Where the other orchestrators reach the leader.
    pub address: String,
    /// Where workers and people reach the leader.
    pub public_url: String,
    /// When the term was taken, on the leader's wall clock.
    pub since: WallTime,
    /// The version of the fleet at the moment of the read.
    pub version: Version,
}
