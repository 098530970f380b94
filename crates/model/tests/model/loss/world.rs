//! The state of the model, and its steps.
//!
//! All times are ticks, and relative ("so long ago", "so much left"). A heartbeat is answered in the step in
//! which it is sent, or its answer is lost; `leaders` has late ones.

use std::time::Duration;

use orchestrator_domain::ids::{AssignmentVersion, Epoch, Term, Version};
use orchestrator_domain::leadership::{StartFreeze, WalTimeline, is_promoted};
use orchestrator_domain::time::Timestamp;

use super::database::{Database, Fleet, Placement, Process, Row};
use super::leader::Office;
use super::setting::{Mutation, Setting};
use super::steps::Step;

/// The lease, counted from the moment the heartbeat was sent.
pub(crate) const LEASE: u8 = 1;

/// What a leader adds to a lease. The clock of each worker is as slow as that allows.
pub(crate) const MARGIN: u8 = 1;

/// Beyond this the age of a proof makes no difference: no lease is granted.
pub(crate) const STALE: u8 = 1;

pub(crate) const WORKERS: usize = 2;

/// The most orchestrators of a setting.
pub(crate) const MOST: usize = 3;

/// A tick, where the rules of the program take a time.
pub(crate) fn ticks(count: u8) -> Duration {
    Duration::from_secs(u64::from(count))
}

/// Whether a leader still starts nothing, so many ticks after it took over.
pub(crate) fn is_frozen(since: u8) -> bool {
    let freeze = StartFreeze::after_loss(Timestamp::ZERO, ticks(LEASE), ticks(MARGIN));
    freeze.left(Timestamp::ZERO + ticks(since)).is_some()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Worker {
    pub(crate) version: AssignmentVersion,
    /// The epoch under which it was told to run the stream.
    pub(crate) set: Option<Epoch>,
    /// The highest epoch that it has heard of; it ignores lower ones.
    pub(crate) highest: Epoch,
    /// For how long it may run, as seen from outside.
    pub(crate) lease_left: u8,
}

impl Worker {
    pub(crate) fn runs(&self) -> bool {
        self.set.is_some() && self.lease_left > 0
    }
}

/// An orchestrator.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Orchestrator {
    /// Counts its processes.
    pub(crate) run: u8,
    /// The highest term that this process has seen; 0: none yet.
    pub(crate) seen: Term,
    /// What it has as a leader, as far as it knows.
    pub(crate) office: Option<Office>,
}

/// What is true, whoever knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Truth {
    /// What was acknowledged, and was not given up for lost by a mark in the row.
    pub(crate) promised: Fleet,
    /// The highest epoch that was assigned.
    pub(crate) highest_epoch: Epoch,
    /// The highest epoch under which the stream ran.
    pub(crate) passed_epoch: Epoch,
    pub(crate) highest_term: Term,
    /// How much is left of the longest lease from before the newest loss.
    pub(crate) from_before: u8,
    /// A term or an epoch was used a second time, or a lower one.
    pub(crate) has_returned: bool,
    /// The stream was started although a lease from before a loss was not over.
    pub(crate) was_too_early: bool,
    /// The stream was started under an epoch that had been followed by another one.
    pub(crate) was_passed: bool,
    /// A leader went on with a fleet that the database does not have.
    pub(crate) is_torn: bool,
    /// A leader has written lost changes again, and goes on.
    pub(crate) was_restored: bool,
    /// A term has started after a loss.
    pub(crate) was_lost: bool,
}

/// Whether a statement of a leader counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The term holds.
    Proven,
    /// The database was promoted since the term was taken: nothing is proven.
    Promoted,
    /// The database has another term.
    Deposed,
}

/// A change of the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The stream has no owner, and gets this one.
    Assign(usize),
    /// The owner is asked to release it.
    Move,
    /// The lease of the owner is over in the eyes of the leader: the other worker gets the stream.
    Fail,
}

/// What the leader hears of its transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Acknowledged,
    /// Nothing, although it was committed.
    SilentlyDone,
    /// Nothing, and it was not committed.
    SilentlyGone,
}

/// What a heartbeat says that the worker runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Report {
    /// Whether it names it; else it sends a digest.
    pub(crate) is_listed: bool,
    /// Whether the stream runs. One that was told may not have been started yet.
    pub(crate) runs: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) database: Database,
    pub(crate) timeline: u32,
    /// What the standby has, if it does not stream any more.
    pub(super) standby: Option<Database>,
    /// The term that the primary before goes on showing.
    pub(super) old: Option<Term>,
    pub(crate) orchestrators: Vec<Orchestrator>,
    pub(crate) workers: [Worker; WORKERS],
    pub(crate) truth: Truth,
    /// A broken rule: a statement proves a term although the database was promoted since.
    trusts_old_terms: bool,
    pub(super) promotions: u8,
    pub(crate) changes: u8,
    pub(super) doubts: u8,
    pub(super) take_overs: u8,
    pub(super) ends: u8,
}

impl World {
    /// Orchestrator 0 leads. The stream has no owner.
    pub(crate) fn beginning(setting: &Setting) -> Self {
        let fleet = Fleet {
            version: Version::default(),
            counter: Epoch::default(),
            placement: Placement {
                owner: None,
                epoch: Epoch::default(),
                is_releasing: false,
            },
            sets: [AssignmentVersion::new(1); WORKERS],
        };
        let row = Row {
            term: Term::default(),
            leader: Process { at: 0, run: 0 },
            after_loss: None,
        };
        let orchestrator = Orchestrator {
            run: 0,
            seen: Term::default(),
            office: None,
        };
        let worker = Worker {
            version: AssignmentVersion::new(1),
            set: None,
            highest: Epoch::default(),
            lease_left: 0,
        };
        let truth = Truth {
            promised: fleet,
            highest_epoch: Epoch::default(),
            passed_epoch: Epoch::default(),
            highest_term: Term::default(),
            from_before: 0,
            has_returned: false,
            was_too_early: false,
            was_passed: false,
            is_torn: false,
            was_restored: false,
            was_lost: false,
        };
        let mut world = Self {
            database: Database { row, fleet },
            timeline: 1,
            standby: None,
            old: None,
            orchestrators: vec![orchestrator; setting.orchestrators],
            workers: [worker; WORKERS],
            truth,
            trusts_old_terms: setting.mutation == Mutation::WritesUnderOldTerm,
            promotions: 0,
            changes: 0,
            doubts: 0,
            take_overs: 0,
            ends: 0,
        };
        world.take_over(0, setting.mutation);
        world.renew(0, setting.mutation);
        world.read_members(0);
        world.renew(0, setting.mutation);
        let office = world.orchestrators[0].office.as_mut();
        office
            .into_iter()
            .for_each(|office| office.lease_left = [0; WORKERS]);
        world
    }

    pub(crate) fn wal_timeline(&self) -> WalTimeline {
        WalTimeline::new(self.timeline)
    }

    /// How many workers run the stream.
    pub(crate) fn runners(&self) -> usize {
        self.workers.iter().filter(|worker| worker.runs()).count()
    }

    pub(crate) fn process(&self, at: usize) -> Process {
        let run = self.orchestrators[at].run;
        Process { at, run }
    }

    /// What a statement of a leader finds.
    pub(crate) fn standing(&self, at: usize) -> Standing {
        let Some(office) = &self.orchestrators[at].office else {
            return Standing::Deposed;
        };
        let row = &self.database.row;
        if (row.term, row.leader) != (office.term, self.process(at)) {
            Standing::Deposed
        } else if is_promoted(office.term, self.wal_timeline()) && !self.trusts_old_terms {
            Standing::Promoted
        } else {
            Standing::Proven
        }
    }

    pub(crate) fn take(&mut self, step: Step, setting: &Setting) {
        let mutation = setting.mutation;
        match step {
            Step::Tick => self.tick(),
            Step::Lag => self.standby = Some(self.database),
            Step::Promote => self.promote(),
            Step::Look(at) => self.orchestrators[at].seen = self.database.row.term,
            Step::LookAtOld(at) => {
                self.orchestrators[at].seen = self.old.unwrap_or_default();
            }
            Step::TakeOver(at) => {
                self.take_overs += 1;
                self.take_over(at, mutation);
            }
            Step::Renew(at) => self.renew(at, mutation),
            Step::ReadMembers(at) => self.read_members(at),
            Step::Change(at, kind, outcome) => {
                self.changes += 1;
                self.doubts += u8::from(outcome != Outcome::Acknowledged);
                self.change(at, kind, outcome);
            }
            Step::Settle(at) => self.settle(at),
            Step::Forget(at) => {
                if let Some(office) = &mut self.orchestrators[at].office {
                    office.kept.remove(0);
                }
            }
            Step::Beat {
                who,
                at,
                proves,
                report,
                is_heard,
            } => self.beat((who, at), proves, report, is_heard, mutation),
            Step::Decide(at, answer) => self.decide(at, answer, mutation),
            Step::Claim(at) => self.claim(at, mutation),
            Step::Write(at) => self.write(at, mutation),
            Step::End(at) => {
                self.ends += 1;
                self.end(at);
            }
        }
        if !self.may_be_promoted(setting) {
            self.tidy();
        }
    }

    /// Whether another standby is promoted.
    pub(super) fn may_be_promoted(&self, setting: &Setting) -> bool {
        self.promotions < setting.promotions
    }

    pub(super) fn tick(&mut self) {
        for worker in &mut self.workers {
            worker.lease_left = worker.lease_left.saturating_sub(1);
        }
        let left = &mut self.truth.from_before;
        *left = left.saturating_sub(1);
        for orchestrator in &mut self.orchestrators {
            let Some(office) = &mut orchestrator.office else {
                continue;
            };
            for left in &mut office.lease_left {
                *left = left.saturating_sub(1);
            }
            office.proof_age = (office.proof_age + 1).min(STALE);
            let since = office.frozen_for.map(|since| since + 1);
            office.frozen_for = since.filter(|since| is_frozen(*since));
        }
    }

    fn promote(&mut self) {
        self.promotions += 1;
        self.timeline += 1;
        self.old = Some(self.database.row.term);
        self.database = self.standby.take().unwrap_or(self.database);
    }

    /// Which processes the orchestrators are.
    pub(crate) fn runs(&self) -> [u8; MOST] {
        let mut runs = [0; MOST];
        for (run, orchestrator) in runs.iter_mut().zip(&self.orchestrators) {
            *run = orchestrator.run;
        }
        runs
    }

    /// The process ends. The next one remembers nothing.
    pub(crate) fn end(&mut self, at: usize) {
        self.orchestrators[at] = Orchestrator {
            run: self.orchestrators[at].run + 1,
            seen: Term::default(),
            office: None,
        };
    }

    /// A worker hears what it is to run, if that is told, and its lease.
    pub(crate) fn hear(
        &mut self,
        who: usize,
        told: Option<(AssignmentVersion, Option<Epoch>)>,
        lease: u8,
    ) {
        let worker = &mut self.workers[who];
        let ran = worker.runs();
        if let Some((version, set)) = told {
            worker.version = version;
            worker.set = set.filter(|epoch| *epoch >= worker.highest);
            worker.highest = worker.highest.max(set.unwrap_or_default());
        }
        if lease > 0 && worker.set.is_some() {
            worker.lease_left = worker.lease_left.max(lease + MARGIN);
        }
        if worker.set.is_none() {
            // A lease without a stream: the next set comes with a new one.
            worker.lease_left = 0;
        }
        let (Some(epoch), true) = (worker.set, worker.runs()) else {
            return;
        };
        let truth = &mut self.truth;
        if !ran {
            truth.was_too_early |= truth.from_before > 0;
            truth.was_passed |= epoch < truth.passed_epoch;
        }
        truth.passed_epoch = truth.passed_epoch.max(epoch);
    }
}
