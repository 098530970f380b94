//! What may happen next.

use orchestrator_domain::ids::Epoch;
use orchestrator_domain::leadership::is_promoted;

use super::leader::{Office, Phase};
use super::setting::Setting;
use super::world::{Kind, Orchestrator, Outcome, Report, Standing, WORKERS, World};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Tick,
    /// The standby of the database stops streaming: what is committed from here on is on the primary only.
    Lag,
    /// The standby becomes the primary.
    Promote,
    /// A standby of the orchestrators reads the row.
    Look(usize),
    /// The same, of the primary before.
    LookAtOld(usize),
    TakeOver(usize),
    Renew(usize),
    /// A leader reads which processes the orchestrators are.
    ReadMembers(usize),
    Change(usize, Kind, Outcome),
    /// A leader finds out what became of a change in doubt.
    Settle(usize),
    /// A leader forgets the oldest change that it keeps.
    Forget(usize),
    Beat {
        who: usize,
        at: usize,
        /// Whether the leader reaches the database meanwhile.
        proves: bool,
        report: Report,
        is_heard: bool,
    },
    /// A leader has found a promoted database, and asked the others, who answer or do not.
    Decide(usize, bool),
    /// It takes a new term there.
    Claim(usize),
    /// It writes one lost change again, or notices that it has written all.
    Write(usize),
    /// The process ends, and is started again.
    End(usize),
}

impl World {
    /// What may happen next.
    pub(crate) fn steps(&self, setting: &Setting) -> Vec<Step> {
        let mut steps = vec![Step::Tick];
        if self.promotions < setting.promotions {
            steps.push(Step::Promote);
            if self.standby.is_none() {
                steps.push(Step::Lag);
            }
        }
        for (at, orchestrator) in self.orchestrators.iter().enumerate() {
            if self.ends < setting.ends {
                steps.push(Step::End(at));
            }
            match &orchestrator.office {
                Some(office) => self.steps_of_leader(at, office, setting, &mut steps),
                None => self.steps_of_standby(at, orchestrator, setting, &mut steps),
            }
        }
        steps
    }

    fn steps_of_standby(
        &self,
        at: usize,
        orchestrator: &Orchestrator,
        setting: &Setting,
        steps: &mut Vec<Step>,
    ) {
        let (row, seen) = (&self.database.row, orchestrator.seen);
        if row.term > seen {
            steps.push(Step::Look(at));
        }
        if self.old.is_some_and(|old| old > seen) {
            steps.push(Step::LookAtOld(at));
        }
        // No orchestrator takes over below a term that it has seen.
        let went_back = row.term < seen && !is_promoted(seen, self.wal_timeline());
        if self.take_overs < setting.take_overs && !went_back {
            steps.push(Step::TakeOver(at));
        }
    }

    fn steps_of_leader(
        &self,
        at: usize,
        office: &Office,
        setting: &Setting,
        steps: &mut Vec<Step>,
    ) {
        let standing = self.standing(at);
        steps.push(Step::Renew(at));
        match office.phase {
            Phase::Leads => {}
            Phase::Decided(_) => steps.push(Step::Claim(at)),
            Phase::Restores { .. } => steps.push(Step::Write(at)),
        }
        let leads = office.phase == Phase::Leads;
        if leads && standing == Standing::Promoted {
            steps.extend([true, false].map(|answer| Step::Decide(at, answer)));
        }
        // Once it writes them again, it has collected them.
        if setting.forgets && leads && !office.kept.is_empty() {
            steps.push(Step::Forget(at));
        }
        let is_proven = leads && standing == Standing::Proven;
        if is_proven {
            if self.may_be_promoted(setting) && office.read != Some(self.runs()) {
                steps.push(Step::ReadMembers(at));
            }
            if office.doubt.is_some() {
                steps.push(Step::Settle(at));
            } else {
                self.changes_of(at, office, setting, steps);
            }
        }
        for who in 0..WORKERS {
            for report in self.reports(who, office) {
                for (proves, is_heard) in
                    [(true, true), (true, false), (false, true), (false, false)]
                {
                    if proves && !is_proven {
                        continue;
                    }
                    steps.push(Step::Beat {
                        who,
                        at,
                        proves,
                        report,
                        is_heard,
                    });
                }
            }
        }
    }

    /// What a worker may say that it runs, as far as the leader heeds it.
    fn reports(&self, who: usize, office: &Office) -> Vec<Report> {
        let mut reports = Vec::new();
        let (worker, fleet) = (&self.workers[who], &office.fleet);
        let is_concerned = fleet.placement.owner == Some(who) || worker.version != fleet.sets[who];
        if !is_concerned && worker.set.is_none() {
            return reports;
        }
        for is_listed in [true, false] {
            for runs in [true, false] {
                let is_heeded = is_listed || office.frozen_for.is_some();
                if is_heeded && (self.workers[who].runs() || !runs) {
                    reports.push(Report { is_listed, runs });
                }
            }
            if office.frozen_for.is_none() {
                reports.truncate(1);
            }
        }
        reports
    }

    fn changes_of(&self, at: usize, office: &Office, setting: &Setting, steps: &mut Vec<Step>) {
        if self.changes >= setting.changes {
            return;
        }
        let mut kinds = Vec::new();
        match office.fleet.placement.owner {
            // The workers are alike: the first one that gets the stream is worker 0.
            None if self.truth.highest_epoch == Epoch::default() => kinds.push(Kind::Assign(0)),
            None => kinds.extend((0..WORKERS).map(Kind::Assign)),
            Some(owner) => {
                if !office.fleet.placement.is_releasing {
                    kinds.push(Kind::Move);
                }
                if office.lease_left[owner] == 0 {
                    kinds.push(Kind::Fail);
                }
            }
        }
        for kind in kinds {
            steps.push(Step::Change(at, kind, Outcome::Acknowledged));
            if self.doubts < setting.doubts {
                steps.push(Step::Change(at, kind, Outcome::SilentlyDone));
                steps.push(Step::Change(at, kind, Outcome::SilentlyGone));
            }
        }
    }
}
