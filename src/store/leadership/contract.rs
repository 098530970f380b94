//! What every leadership row can do: the trait that an orchestrator knows.

use std::fmt;

use async_trait::async_trait;

use crate::domain::ids::{Epoch, Term, Version};
use crate::domain::leadership::{
    AdmissionStep, Claim, FleetMoment, JudgingSettings, LeadershipRow, Life, MemberRow, NodeName,
    Reach, ReleaseCause, Replication, RunId, SchemaVersion, WalTimeline, Witness,
};
use crate::domain::time::WallTime;
use crate::store::error::StoreError;
use crate::store::guard::Guard;

/// Which history of which database answered.
///
/// A promoted standby goes on with a new timeline, and may lack the end of the old one. Databases
/// without a write-ahead log of several servers answer zeros.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Origin {
    /// The identifier that the database got when it was made.
    pub system: i64,
    /// The timeline of its write-ahead log.
    pub timeline: WalTimeline,
}

/// What one read of the row found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// The row.
    pub row: LeadershipRow,
    /// Who answered.
    pub origin: Origin,
    /// The newest migration that the database has.
    pub schema: SchemaVersion,
}

impl Look {
    /// The moment of the fleet that was found.
    pub fn moment(&self) -> FleetMoment {
        FleetMoment {
            timeline: self.origin.timeline,
            term: self.row.term,
            version: self.row.version,
        }
    }
}

/// An orchestrator on this database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its stable name.
    pub node: NodeName,
    /// Its process.
    pub run: RunId,
    /// Where the other orchestrators reach it.
    pub address: String,
    /// Where workers and people reach it.
    pub public_url: String,
    /// The release it runs.
    pub release: String,
    /// The newest migration that it knows.
    pub schema: SchemaVersion,
    /// The settings by which it judges.
    pub settings: JudgingSettings,
    /// The version of the fleet that it has read ahead.
    pub prepared: Option<Version>,
    /// How far it reaches.
    pub reach: Reach,
    /// The version of what members say to each other.
    pub protocol: i64,
    /// When it said so.
    pub seen_at: WallTime,
}

/// A term that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// For the first fleet transaction of the claimant.
    pub guard: Guard,
    /// What the take-over found and left; `None` if it was carried out before, and this call only found
    /// that it was.
    pub fleet: Option<TakenFleet>,
    /// If the term starts after a loss: the highest version that was known before, 0 for none.
    pub after_loss: Option<Version>,
}

/// The fleet at a take-over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TakenFleet {
    /// Its moment right before. The take-over changes the term, and no instance or stream.
    pub moment: FleetMoment,
    /// The last epoch that counts as used from now on.
    pub counter: Epoch,
}

/// What became of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TakeOver {
    /// The claimant leads.
    Won(Taken),
    /// It does not, and nothing has changed: this is the row. If it is the row that was seen, the
    /// claimant had no right to it, or a newer process of its node has joined.
    Lost(LeadershipRow),
}

/// What became of a renewal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renewal {
    /// The term held when the renewal was carried out.
    Proven {
        /// The version of the fleet then.
        version: Version,
        /// Who answered.
        origin: Origin,
    },
    /// The term does not hold, or is released: this is the row.
    Deposed(LeadershipRow),
}

/// What became of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Release {
    /// The term is released. The row has this beat until a take-over.
    Released {
        /// The beat.
        beat: i64,
    },
    /// The term is another's: this is the row.
    Deposed(LeadershipRow),
}

/// The leadership row of a database, as one orchestrator sees it.
///
/// Every call is bounded in time by the adapter. A call that runs out of it is `Unavailable` if it
/// changed nothing, `InDoubt` if it may have been carried out.
#[async_trait]
pub trait Leadership: Send + Sync + fmt::Debug + 'static {
    /// Reads the row; `None` if the database has lost it.
    ///
    /// # Errors
    /// If the database cannot be reached. That says nothing about the leader.
    async fn look(&self) -> Result<Option<Look>, StoreError>;

    /// Writes which process of a node is the newest. An older process of the node takes no term from
    /// then on. A node that was admitted stays admitted.
    ///
    /// # Errors
    /// If the database cannot be reached. Repeating is harmless.
    async fn join(&self, member: &Member) -> Result<(), StoreError>;

    /// Takes the term, if the row is still the one that was seen and the claimant may. The terms of
    /// the row and of the fleet change together, and admitted members stay admitted.
    ///
    /// # Errors
    /// `InDoubt` if the claimant may lead now. The same claim may be repeated until it is answered:
    /// `Won` if it was carried out before.
    async fn take_over(&self, claim: &Claim) -> Result<TakeOver, StoreError>;

    /// Proves that the term holds: no take-over was committed before this call was sent.
    ///
    /// # Errors
    /// If the database cannot be reached. That proves nothing.
    async fn renew(&self, term: Term, run: RunId) -> Result<Renewal, StoreError>;

    /// Reads the rows of all members.
    ///
    /// # Errors
    /// If the database cannot be reached.
    async fn members(&self) -> Result<Vec<MemberRow>, StoreError>;

    /// Reads what the primary says of its standbys. A database of one process has none.
    ///
    /// # Errors
    /// If the database cannot be reached.
    async fn replication(&self) -> Result<Replication, StoreError> {
        Ok(Replication::default())
    }

    /// Writes, together with a renewal, that a member may or may not take over; returns whether the
    /// term held. The beat moves, so a claim that saw the row before fails.
    ///
    /// # Errors
    /// `InDoubt` if it may be written. Repeating is harmless.
    async fn admit(&self, term: Term, run: RunId, step: &AdmissionStep)
    -> Result<bool, StoreError>;

    /// Deletes the row of a member, together with a renewal, if the row still has this run and beat;
    /// returns whether it is gone and the term held. The beat of the leadership row moves, so a claim that
    /// saw the row before fails.
    ///
    /// # Errors
    /// `InDoubt` if it may be deleted. Repeating is harmless.
    async fn forget(&self, term: Term, run: RunId, member: &MemberRow) -> Result<bool, StoreError>;

    /// Removes the mark of a term that starts after a loss, together with a renewal; returns whether the term
    /// held.
    ///
    /// # Errors
    /// `InDoubt` if it may be removed. Repeating is harmless.
    async fn end_loss(&self, term: Term, run: RunId) -> Result<bool, StoreError>;

    /// Writes heartbeats that `node` heard for a leader that it does not reach, in one statement. Of each life the
    /// newest stays. Instances that are not registered are passed over. Each instance is named once.
    ///
    /// # Errors
    /// If the database cannot be reached. Repeating is harmless, with the ages of the repetition.
    async fn witness(&self, node: &NodeName, beats: &[Witness]) -> Result<(), StoreError>;

    /// Reads what members heard of these lives, in one statement: what named the life or none, with its age by the
    /// clock of the database. Rows from the future are left out.
    ///
    /// # Errors
    /// If the database cannot be reached.
    async fn witnessed(&self, lives: &[Life]) -> Result<Vec<Witness>, StoreError>;

    /// Releases the term, to `successor` or to any orchestrator, and says why.
    ///
    /// # Errors
    /// `InDoubt` if it may be given up. Repeating is harmless.
    async fn release(
        &self,
        term: Term,
        run: RunId,
        successor: Option<&NodeName>,
        cause: ReleaseCause,
    ) -> Result<Release, StoreError>;
}
