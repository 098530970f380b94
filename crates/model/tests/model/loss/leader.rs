//! What a leader does: changes, leases, and how it lives through a promotion. The decisions are those of the
//! program.

use std::sync::LazyLock;

use orchestrator_domain::digest::StreamsDigest;
use orchestrator_domain::fleet::Standing as Facts;
use orchestrator_domain::heartbeat::{Heartbeat, ReportedStreams};
use orchestrator_domain::heartbeat_outcome::Question;
use orchestrator_domain::ids::{Incarnation, InstanceId, StreamId, Term, Version};
use orchestrator_domain::instance::InstanceStatus;
use orchestrator_domain::leadership::{LeadersWord, RecentChanges};
use orchestrator_domain::lease::{Grant, WorkerSet, told};
use orchestrator_domain::time::Timestamp;

use super::database::{Change, Fleet, Placement};
use super::setting::Mutation;
use super::world::{
    Kind, LEASE, MARGIN, MOST, Orchestrator, Outcome, Report, Standing, WORKERS, World, ticks,
};

/// Where a leader is after a promotion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Phase {
    Leads,
    /// It knows what it says with its claim.
    Decided(LeadersWord),
    /// It has a new term, and writes again what the database lacks after `found`.
    Restores {
        found: Version,
        /// The version that the database has by now.
        reached: Version,
    },
}

/// What a leader has in memory.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Office {
    /// The term it believes to lead.
    pub(crate) term: Term,
    /// What was acknowledged.
    pub(crate) fleet: Fleet,
    /// The newest changes, by the version that each led to.
    pub(crate) kept: Vec<(Version, Change)>,
    /// The change whose outcome is unknown.
    pub(crate) doubt: Option<Change>,
    /// How long the lease of each worker lasts, margin included, as far as it knows.
    pub(crate) lease_left: [u8; WORKERS],
    /// How long ago its newest proof was sent.
    pub(crate) proof_age: u8,
    /// For how long it has started nothing after a loss; none: it starts streams.
    pub(crate) frozen_for: Option<u8>,
    /// Whether it has to remove the mark of a loss.
    pub(crate) is_marked: bool,
    /// The processes of the others that it knew before a renewal that succeeded.
    pub(crate) members: Option<[u8; MOST]>,
    /// The processes of the others, as it read them last.
    pub(crate) read: Option<[u8; MOST]>,
    pub(crate) phase: Phase,
}

impl Office {
    /// The changes that it keeps, as the program does.
    pub(super) fn recent(&self) -> RecentChanges<Change> {
        let mut recent = RecentChanges::default();
        for (version, change) in &self.kept {
            recent.note(*version, Timestamp::ZERO, 1, *change);
        }
        recent
    }

    fn facts(&self, who: usize) -> Facts {
        let to_run = self.fleet.epoch_to_run(who).map(|_| STREAM);
        Facts {
            incarnation: Incarnation::new(1),
            status: InstanceStatus::Active,
            flaps: 0,
            assignment_version: self.fleet.sets[who],
            held: 0,
            owned: 0,
            undelivered: 0,
            unconfirmed: 0,
            leased: true,
            lease: ticks(LEASE),
            silence_expected: false,
            withdrawn: None,
            releasing: 0,
            lingering: 0,
            exclusive: 0,
            to_run: 0,
            digest: StreamsDigest::of(to_run),
            processors: None,
        }
    }

    /// The lease that is reported to a worker with the newest set, in ticks.
    fn lease(&self) -> u8 {
        let granted = Grant {
            lease: ticks(LEASE),
            stop_after: ticks(LEASE),
        };
        let told = told(Some(granted), WorkerSet::Current, ticks(self.proof_age));
        let whole = told.map_or(0, |grant| grant.lease.as_secs());
        u8::try_from(whole).unwrap_or(u8::MAX)
    }
}

const STREAM: StreamId = StreamId::new(1);

impl World {
    pub(super) fn office(&mut self, at: usize) -> Option<&mut Office> {
        self.orchestrators[at].office.as_mut()
    }

    /// Safe at any moment: nothing here depends on how the leader before it is.
    pub(super) fn take_over(&mut self, at: usize, mutation: Mutation) {
        let (claimant, timeline) = (self.process(at), self.wal_timeline());
        let seen = self.database.row.term;
        let word = (LeadersWord::Nothing, Version::default());
        let taken = self
            .database
            .take_over(claimant, seen, word, timeline, mutation);
        let Some(taken) = taken else {
            return;
        };
        self.note_term(LeadersWord::Nothing, taken.after_loss.is_some());
        let is_frozen = taken.after_loss.is_some() && mutation != Mutation::StartsAtOnce;
        self.orchestrators[at] = Orchestrator {
            run: claimant.run,
            seen: self.database.row.term,
            office: Some(Office {
                term: self.database.row.term,
                fleet: taken.fleet,
                kept: Vec::new(),
                doubt: None,
                lease_left: [LEASE + MARGIN; WORKERS],
                proof_age: 0,
                frozen_for: is_frozen.then_some(0),
                is_marked: taken.after_loss.is_some(),
                members: None,
                read: None,
                phase: Phase::Leads,
            }),
        };
    }

    /// A term was taken.
    pub(super) fn note_term(&mut self, word: LeadersWord, is_marked: bool) {
        let (term, truth) = (self.database.row.term, &mut self.truth);
        truth.has_returned |= term <= truth.highest_term;
        truth.highest_term = truth.highest_term.max(term);
        if is_marked && word == LeadersWord::Nothing {
            truth.was_lost = true;
            truth.promised = self.database.fleet;
            let left = self.workers.iter().map(|worker| worker.lease_left);
            truth.from_before = left.max().unwrap_or_default();
        }
    }

    pub(super) fn renew(&mut self, at: usize, mutation: Mutation) {
        match self.standing(at) {
            Standing::Deposed => self.end(at),
            Standing::Promoted => {}
            Standing::Proven => {
                if mutation == Mutation::WritesUnderOldTerm {
                    self.write_under_old_term(at);
                }
                let Some(office) = self.orchestrators[at].office.as_mut() else {
                    return;
                };
                if office.phase != Phase::Leads {
                    return;
                }
                office.proof_age = 0;
                office.members = office.read;
                if office.is_marked && office.frozen_for.is_none() {
                    office.is_marked = false;
                    self.database.row.after_loss = None;
                }
            }
        }
    }

    /// Each saved change is a proof of the old term.
    fn write_under_old_term(&mut self, at: usize) {
        let found = self.database.fleet.version;
        let Some(office) = self.orchestrators[at].office.as_mut() else {
            return;
        };
        for change in office.recent().after(found) {
            change.write(&mut self.database.fleet);
        }
        office.proof_age = 0;
    }

    pub(super) fn read_members(&mut self, at: usize) {
        let runs = self.runs();
        if let Some(office) = self.office(at) {
            office.read = Some(runs);
        }
    }

    /// A change in a transaction that term and version guard. Nothing is saved on a promoted database before
    /// the leader has a term there.
    pub(super) fn change(&mut self, at: usize, kind: Kind, outcome: Outcome) {
        let Some(office) = self.orchestrators[at].office.as_mut() else {
            return;
        };
        let (term, before) = (office.term, office.fleet);
        let mut after = before;
        after.apply(kind);
        let change = Change::between(&before, &after);
        let is_saved =
            outcome == Outcome::SilentlyGone || self.database.save(term, before.version, &change);
        if !is_saved {
            return;
        }
        if outcome == Outcome::Acknowledged {
            office.proof_age = 0;
            self.acknowledge(at, &change);
        } else {
            office.doubt = Some(change);
        }
    }

    pub(super) fn acknowledge(&mut self, at: usize, change: &Change) {
        let Some(office) = self.orchestrators[at].office.as_mut() else {
            return;
        };
        let before = office.fleet.placement.epoch;
        change.write(&mut office.fleet);
        office.kept.push((office.fleet.version, *change));
        let (epoch, truth) = (office.fleet.placement.epoch, &mut self.truth);
        if epoch != before {
            truth.has_returned |= epoch <= truth.highest_epoch;
            truth.highest_epoch = truth.highest_epoch.max(epoch);
        }
        truth.promised = office.fleet;
    }

    /// Waits for the change in doubt, or defeats it.
    pub(super) fn settle(&mut self, at: usize) {
        let Some(office) = self.orchestrators[at].office.as_mut() else {
            return;
        };
        let Some(change) = office.doubt.take() else {
            return;
        };
        office.proof_age = 0;
        if self.database.fleet.version == office.fleet.version.next() {
            self.acknowledge(at, &change);
            return;
        }
        // By two, so that both outcomes leave different versions.
        let defeated = office.fleet.version.next().next();
        office.fleet.version = defeated;
        self.database.fleet.version = defeated;
        self.truth.promised.version = defeated;
    }

    /// A leader answers a heartbeat. `proves` says that it proves its term after the heartbeat came.
    pub(super) fn beat(
        &mut self,
        (who, at): (usize, usize),
        proves: bool,
        report: Report,
        is_heard: bool,
        mutation: Mutation,
    ) {
        let worker = self.workers[who];
        let Some(office) = self.orchestrators[at].office.as_mut() else {
            return;
        };
        if proves {
            office.proof_age = 0;
        }
        let is_frozen = office.frozen_for.is_some();
        let Placement {
            owner,
            is_releasing,
            ..
        } = office.fleet.placement;
        let confirms = owner == Some(who) && is_releasing;
        let is_newest = worker.version == office.fleet.sets[who];
        if confirms && is_newest && !is_frozen && proves && office.doubt.is_none() {
            self.change(at, Kind::Fail, Outcome::Acknowledged);
        }
        let Some(office) = self.orchestrators[at].office.as_mut() else {
            return;
        };
        let runs = worker.set.filter(|_| report.runs).map(|_| STREAM);
        let digest = StreamsDigest::of(runs);
        let streams = if report.is_listed {
            ReportedStreams::listed(Vec::from_iter(runs))
        } else {
            ReportedStreams::counted(digest, u64::from(runs.is_some()))
        };
        let heartbeat = Heartbeat {
            version: Some(worker.version),
            streams: Some(streams),
            resuming: worker.lease_left == 0,
            ..Heartbeat::of(instance(who))
        };
        let facts = office.facts(who);
        let question = if is_frozen {
            Question::after_loss(&heartbeat, &facts)
        } else {
            Question::of(&heartbeat, &facts, false, office.term, true)
        };
        if question == Question::Frozen || (question.needs_proof() && !proves) {
            return;
        }
        let to_run = office.fleet.epoch_to_run(who);
        let told = match question {
            Question::Changes(_) | Question::Again(_) => Some((office.fleet.sets[who], to_run)),
            Question::Surviving(_) => {
                let is_told = report.is_listed || mutation != Mutation::TellsNothingAfterLoss;
                is_told.then_some((worker.version, to_run.filter(|_| report.runs)))
            }
            Question::None | Question::Confirmation | Question::Frozen => None,
        };
        let lease = office.lease();
        // Before a stream is taken from an owner whose lease is over, it is saved that it gets no other lease.
        let is_fenced = office
            .doubt
            .is_some_and(|change| change.takes_from(&office.fleet, who));
        if is_fenced {
            return;
        }
        let Some(office) = self.orchestrators[at].office.as_mut() else {
            return;
        };
        if lease > 0 {
            office.lease_left[who] = LEASE + MARGIN;
        }
        if is_heard {
            self.hear(who, told, lease);
        }
    }
}

impl Fleet {
    fn apply(&mut self, kind: Kind) {
        self.version = self.version.next();
        let Placement {
            owner,
            is_releasing,
            ..
        } = self.placement;
        match (kind, owner) {
            (Kind::Assign(who), _) => self.give_to(who),
            (Kind::Move, Some(owner)) => {
                self.placement.is_releasing = true;
                self.sets[owner] = self.sets[owner].next();
            }
            (Kind::Fail, Some(owner)) => {
                if !is_releasing {
                    self.sets[owner] = self.sets[owner].next();
                }
                self.give_to((owner + 1) % WORKERS);
            }
            (Kind::Move | Kind::Fail, None) => {}
        }
    }

    fn give_to(&mut self, who: usize) {
        self.counter = self.counter.next();
        self.placement = Placement {
            owner: Some(who),
            epoch: self.counter,
            is_releasing: false,
        };
        self.sets[who] = self.sets[who].next();
    }
}

fn instance(who: usize) -> InstanceId {
    static NAMES: LazyLock<[InstanceId; WORKERS]> = LazyLock::new(|| ["w1".into(), "w2".into()]);
    NAMES[who].clone()
}
