//! The leadership row and the members, as the tables of a database have them.

use std::collections::BTreeMap;

use crate::domain::ids::{Incarnation, InstanceId, Term, Version};
use crate::domain::leadership::{
    JudgingSettings, LeadershipRow, MemberSecret, NodeName, Reach, ReleaseCause, RowState, RunId,
    SchemaVersion,
};
use crate::domain::time::WallTime;

/// The leadership row without the term, which it shares with the fleet, and the members.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) node: NodeName,
    pub(super) run: RunId,
    pub(super) beat: i64,
    pub(super) state: RowState,
    pub(super) successor: Option<NodeName>,
    pub(super) release_cause: ReleaseCause,
    pub(super) address: String,
    pub(super) public_url: String,
    pub(super) secret: MemberSecret,
    pub(super) since: WallTime,
    pub(super) members: BTreeMap<NodeName, Membership>,
    /// When a life, or an instance whose worker names none, was heard by a member that does not reach the leader.
    pub(super) witnessed: BTreeMap<(InstanceId, Option<Incarnation>), WallTime>,
}

/// What a take-over goes by of a member.
#[derive(Debug, Clone)]
pub(super) struct Membership {
    pub(super) run: RunId,
    pub(super) admitted: Option<Term>,
    pub(super) address: String,
    pub(super) public_url: String,
    pub(super) release: String,
    pub(super) schema: SchemaVersion,
    pub(super) settings: JudgingSettings,
    pub(super) beat: i64,
    pub(super) reach: Reach,
}

impl Default for Seat {
    /// Released to any orchestrator, as in a new database.
    fn default() -> Self {
        Self {
            node: NodeName::new(""),
            run: RunId::new(0),
            beat: 0,
            state: RowState::Released,
            successor: None,
            release_cause: ReleaseCause::Ended,
            address: String::new(),
            public_url: String::new(),
            secret: MemberSecret::default(),
            since: WallTime::default(),
            members: BTreeMap::new(),
            witnessed: BTreeMap::new(),
        }
    }
}

impl Seat {
    /// Releases the row for the term that begins. The members stay, and so does their secret.
    pub(super) fn vacate(&mut self) {
        *self = Self {
            members: std::mem::take(&mut self.members),
            witnessed: std::mem::take(&mut self.witnessed),
            secret: std::mem::take(&mut self.secret),
            ..Self::default()
        };
    }

    pub(super) fn row(&self, term: Term, version: Version) -> LeadershipRow {
        LeadershipRow {
            term,
            node: self.node.clone(),
            run: self.run,
            beat: self.beat,
            state: self.state,
            successor: self.successor.clone(),
            release_cause: self.release_cause,
            address: self.address.clone(),
            public_url: self.public_url.clone(),
            secret: self.secret.clone(),
            since: self.since,
            after_loss: None,
            version,
        }
    }
}
