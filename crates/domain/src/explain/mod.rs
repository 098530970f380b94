//! Why a stream is where it is: the reasons of a placement, kept as the planner had them.
//!
//! A [`Placed`] is made when a command assigns a stream: the instance that was chosen with its score,
//! the next best ones, and the best of those that a hard rule excluded. All streams that one command
//! gives to one instance share it ([`Placing`]), because the first of them decided what the others
//! found. It is no part of the fleet in memory: no decision looks back at it. The store keeps it for
//! as long as one of the assignments lasts, and finds it by the owner and the epoch.

use serde::{Deserialize, Serialize};

use super::ids::{Epoch, InstanceId};
use super::placement::{Exclusion, Facts, PlacementPolicy, Strain};
use super::reason::AssignReason;
use super::time::WallTime;

/// How many candidates a placement keeps.
pub const MOST_PLACED: usize = 5;

/// How many candidates an answer about the present shows.
pub const MOST_NOW: usize = 20;

/// The facts that the score of a candidate is computed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownScore {
    /// The weight of the streams it owns, and of those promised to it.
    pub held: u32,
    /// Its limit: its capacity, or else how many streams it may own.
    pub limit: u32,
    /// How many streams it owns or is promised.
    pub streams: u32,
    /// The strain of its machine.
    pub strain: Strain,
    /// The policy that it was scored by: under `load_aware`, that is `balanced` for an instance of
    /// unknown strain. Not known of placements from before this was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PlacementPolicy>,
}

impl ShownScore {
    /// Returns what the score of an instance is computed from under the policy in force.
    pub const fn of(facts: Facts, policy: PlacementPolicy) -> Self {
        Self {
            held: facts.load.held,
            limit: facts.load.max,
            streams: facts.streams,
            strain: facts.strain,
            policy: Some(policy.applied(facts.strain)),
        }
    }
}

/// An instance that could have got a stream, or could not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The instance.
    pub server_id: InstanceId,
    /// Whether it got the stream.
    pub chosen: bool,
    /// Its place among those that could have it, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<u32>,
    /// What it was compared by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<ShownScore>,
    /// The first hard rule by which it could not have the stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excluded_by: Option<Exclusion>,
}

/// The reasons of one placement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// When it was decided.
    pub at: WallTime,
    /// Why the stream was assigned.
    pub reason: AssignReason,
    /// At most [`MOST_PLACED`]: the best ones, then some that were excluded; the chosen one is always
    /// among them.
    pub candidates: Vec<Candidate>,
}

/// The placements of one command on one instance, as they are saved: they have the epochs from the
/// first to the last.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Placing {
    pub instance: InstanceId,
    pub first: Epoch,
    pub last: Epoch,
    pub placed: Placed,
}

impl Placing {
    /// Returns whether it has the reasons of an assignment.
    pub fn covers(&self, instance: &InstanceId, epoch: Epoch) -> bool {
        self.instance == *instance && self.first <= epoch && epoch <= self.last
    }
}

/// Keeps the best of many candidates: those that could have the stream in their order, then those that
/// were excluded; the chosen one is always among them. A candidate that is excluded takes at most half
/// of the places that others could fill.
pub fn most(open: Vec<Candidate>, excluded: Vec<Candidate>, most: usize) -> Vec<Candidate> {
    let for_excluded = excluded.len().min(most / 2);
    let for_open = open.len().min(most - for_excluded);
    let chosen = open.iter().position(|candidate| candidate.chosen);
    let mut kept = open;
    if let Some(at) = chosen.filter(|at| *at >= for_open) {
        kept.swap(for_open.saturating_sub(1), at);
    }
    kept.truncate(for_open);
    let free = most - kept.len();
    kept.extend(excluded.into_iter().take(free));
    kept
}
