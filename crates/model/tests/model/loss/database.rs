//! The database: the leadership row, the fleet, and who may change them.

use orchestrator_domain::ids::{AssignmentVersion, Epoch, Term, Version};
use orchestrator_domain::leadership::{
    Claim, ClaimRight, FleetMoment, LeadersWord, LeadershipRow, MemberSecret, NodeName,
    ReleaseCause, RowState, RunId, Succession, VERSION_JUMP, WalTimeline,
};
use orchestrator_domain::time::WallTime;

use super::setting::Mutation;
use super::world::WORKERS;

/// The row of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Placement {
    pub(crate) owner: Option<usize>,
    pub(crate) epoch: Epoch,
    /// Whether the owner is to release it.
    pub(crate) is_releasing: bool,
}

/// What is saved about the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Fleet {
    /// Counts the changes.
    pub(crate) version: Version,
    /// The last epoch that was assigned.
    pub(crate) counter: Epoch,
    pub(crate) placement: Placement,
    /// The version of the set of each worker.
    pub(crate) sets: [AssignmentVersion; WORKERS],
}

impl Fleet {
    /// What a worker is to run.
    pub(crate) fn epoch_to_run(&self, who: usize) -> Option<Epoch> {
        let Placement {
            owner,
            epoch,
            is_releasing,
        } = self.placement;
        (owner == Some(who) && !is_releasing).then_some(epoch)
    }

    /// What is there may be behind what was lost: nothing of it keeps its number.
    fn renumber(&mut self, mutation: Mutation) {
        if mutation != Mutation::VersionsNotMoved {
            for set in &mut self.sets {
                *set = AssignmentVersion::new(set.get() + VERSION_JUMP);
            }
        }
        if self.placement.owner.is_some() && mutation != Mutation::OldEpochsKept {
            self.counter = self.counter.next();
            self.placement.epoch = self.counter;
        }
    }

    /// Whether both say the same of the stream and of the workers.
    pub(crate) fn agrees_with(&self, other: &Self) -> bool {
        (self.placement, self.sets) == (other.placement, other.sets)
    }
}

/// A change of the fleet: an image of the rows that it touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Change {
    counter: Epoch,
    placement: Placement,
    sets: [Option<AssignmentVersion>; WORKERS],
}

impl Change {
    /// The image of what differs.
    pub(crate) fn between(before: &Fleet, after: &Fleet) -> Self {
        let mut sets = [None; WORKERS];
        for (who, image) in sets.iter_mut().enumerate() {
            *image = Some(after.sets[who]).filter(|set| *set != before.sets[who]);
        }
        Self {
            counter: after.counter,
            placement: after.placement,
            sets,
        }
    }

    /// The same, with another counter of epochs.
    pub(crate) fn with_counter(self, counter: Epoch) -> Self {
        Self { counter, ..self }
    }

    /// Whether the stream has this owner before the change, and another one after it.
    pub(crate) fn takes_from(&self, fleet: &Fleet, who: usize) -> bool {
        fleet.placement.owner == Some(who) && self.placement.owner != Some(who)
    }

    /// Writes the image.
    pub(crate) fn write(&self, fleet: &mut Fleet) {
        fleet.version = fleet.version.next();
        fleet.counter = self.counter;
        fleet.placement = self.placement;
        for (set, image) in fleet.sets.iter_mut().zip(self.sets) {
            *set = image.unwrap_or(*set);
        }
    }
}

/// One process of an orchestrator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Process {
    pub(crate) at: usize,
    /// Counts the processes of this orchestrator.
    pub(crate) run: u8,
}

impl Process {
    pub(crate) fn node(self) -> NodeName {
        NodeName::new(["a", "b", "c"][self.at])
    }

    pub(crate) fn run_id(self) -> RunId {
        RunId::new(i64::from(self.run))
    }
}

/// The leadership row. Its beat stands still: a claim may succeed at any moment, because safety does not rest
/// on when it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Row {
    pub(crate) term: Term,
    pub(crate) leader: Process,
    pub(crate) after_loss: Option<Version>,
}

/// A term that was taken.
pub(crate) struct Taken {
    /// What was found.
    pub(crate) moment: FleetMoment,
    pub(crate) fleet: Fleet,
    pub(crate) after_loss: Option<Version>,
}

/// A history that ends here. Its servers are one as long as none is promoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Database {
    pub(crate) row: Row,
    pub(crate) fleet: Fleet,
}

impl Database {
    fn found(&self) -> LeadershipRow {
        LeadershipRow {
            term: self.row.term,
            node: self.row.leader.node(),
            run: self.row.leader.run_id(),
            beat: 0,
            state: RowState::Held,
            successor: None,
            release_cause: ReleaseCause::Ended,
            address: String::new(),
            public_url: String::new(),
            secret: MemberSecret::default(),
            since: WallTime::default(),
            after_loss: self.row.after_loss,
            version: self.fleet.version,
        }
    }

    /// Carries out a claim of an orchestrator that the leader has admitted, on this timeline. `seen` is the term
    /// that it ends.
    pub(crate) fn take_over(
        &mut self,
        claimant: Process,
        seen: Term,
        (word, known): (LeadersWord, Version),
        timeline: WalTimeline,
        mutation: Mutation,
    ) -> Option<Taken> {
        let before = self.found();
        let claim = Claim {
            node: claimant.node(),
            run: claimant.run_id(),
            address: String::new(),
            public_url: String::new(),
            secret: MemberSecret::default(),
            since: WallTime::default(),
            seen_term: seen,
            seen_beat: before.beat,
            right: ClaimRight::Tables,
            word,
            known,
        };
        if !claim.may_take(&before, Some(before.term)) {
            return None;
        }
        let found = self.fleet.version;
        let moment = FleetMoment {
            timeline,
            term: before.term,
            version: found,
        };
        let succession = Succession::new(before, timeline).ok()?;
        let after_loss = succession.after_loss(&claim, found);
        if mutation != Mutation::EpochsNotMoved {
            self.fleet.counter = succession.next_epoch(self.fleet.counter).ok()?;
        }
        if succession.begins_after_loss(&claim, found) {
            self.fleet.renumber(mutation);
        }
        let term = match mutation {
            Mutation::TermWithoutTimeline => self.row.term.next(),
            _ => succession.term(),
        };
        self.row = Row {
            term,
            leader: claimant,
            after_loss,
        };
        Some(Taken {
            moment,
            fleet: self.fleet,
            after_loss,
        })
    }

    /// Saves a change, if term and version are those of the writer.
    pub(crate) fn save(&mut self, term: Term, version: Version, change: &Change) -> bool {
        let is_guarded = (self.row.term, self.fleet.version) == (term, version);
        if is_guarded {
            change.write(&mut self.fleet);
        }
        is_guarded
    }
}
