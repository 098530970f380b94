//! Does its worker run what it is to run (`domain/reconciliation.rs`)? Asks for what the machine
//! wants.
//!
//! What is settled is an event, which opens the alert once it is saved; the alert is closed here.

use std::sync::Arc;

use actix::prelude::*;
use log::debug;

use super::{Beat, InstanceActor};
use crate::actors::alerts::Alerts;
use crate::actors::fleet::Execute;
use crate::actors::refusal::Refusal;
use crate::actors::registry::Entry;
use crate::domain::alert::{AlertKind, differ};
use crate::domain::commands::{Difference, SettleDifference};
use crate::domain::digest::StreamsDigest;
use crate::domain::fleet::Standing;
use crate::domain::ids::{AssignmentVersion, Incarnation, StreamId};
use crate::domain::instance::InstanceStatus;
use crate::domain::reconciliation::{Measure, ReconciliationMachine, Report, Settling, grace};
use crate::domain::settings::LivenessThresholds;

/// What a worker says it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Says {
    /// Their digest.
    pub digest: StreamsDigest,
    /// How many they are.
    pub count: u64,
    /// The streams themselves, ascending, if it named them.
    pub running: Option<Arc<[StreamId]>>,
}

/// What is known of the differences of one instance.
#[derive(Debug)]
pub(super) struct Reconciler {
    machine: ReconciliationMachine,
    /// The life it is about.
    life: Incarnation,
    is_settling: bool,
    /// Whether an alert may be open.
    is_reported: bool,
    alerts: Alerts,
}

impl Reconciler {
    /// What the actor before this one reported, that one will not take back.
    pub(super) fn new(entry: &Entry, thresholds: &LivenessThresholds, alerts: Alerts) -> Self {
        Self {
            machine: ReconciliationMachine::new(grace(thresholds)),
            life: entry.standing().incarnation,
            is_settling: false,
            is_reported: true,
            alerts,
        }
    }
}

impl InstanceActor {
    /// Judges what a heartbeat says; whether its answer is to say again what is to run.
    pub(super) fn reconcile(&mut self, beat: &Beat, ctx: &mut Context<Self>) -> bool {
        let Some(says) = beat.says.as_ref().filter(|_| !self.entry.is_fenced()) else {
            return false;
        };
        let standing = self.entry.standing();
        self.forget_what_is_over(&standing);
        if !is_judged(standing.status) {
            return false;
        }
        let Some(report) = beat.report() else {
            return false;
        };
        let now = self.links.clock.now();
        let measure = self.reconciler.machine.heard(&report, &standing, now);
        self.clear_if_in_step();
        match measure {
            Measure::None => return false,
            Measure::TellAgain => {}
            Measure::Settle(settling) => self.settle(settling, &report, says, &standing, ctx),
        }
        // Who names no version does not know what to do with changes.
        beat.version.is_some()
    }

    /// Another life, or the end of its service, is the end of every difference.
    pub(super) fn forget_what_is_over(&mut self, standing: &Standing) {
        let reconciler = &mut self.reconciler;
        let is_over = reconciler.life != standing.incarnation || !is_judged(standing.status);
        if is_over {
            reconciler.life = standing.incarnation;
            reconciler.machine.forget();
            self.clear_if_in_step();
        }
        self.adopt_releases(standing, is_over);
    }

    /// Another alert reports the difference from now on.
    pub(super) fn forget_difference(&mut self) {
        self.reconciler.machine.forget();
        self.clear_if_in_step();
    }

    fn clear_if_in_step(&mut self) {
        let reconciler = &mut self.reconciler;
        let is_over = reconciler.machine.is_in_step() && !reconciler.is_settling;
        if is_over && std::mem::take(&mut reconciler.is_reported) {
            let id = self.entry.id().as_str();
            reconciler.alerts.clear(AlertKind::StreamsDiffer, id);
        }
    }

    fn settle(
        &mut self,
        settling: Settling,
        report: &Report,
        says: &Says,
        standing: &Standing,
        ctx: &mut Context<Self>,
    ) {
        if std::mem::replace(&mut self.reconciler.is_settling, true) {
            return;
        }
        let command = SettleDifference {
            id: self.entry.id().clone(),
            incarnation: standing.incarnation,
            running: says.running.clone(),
            told: settling.told,
            is_new: settling.is_new,
        };
        let version = report.version;
        let answer = self.links.fleet.send(Execute(command));
        ctx.spawn(answer.into_actor(self).map(move |outcome, actor, _| {
            actor.settled(version, outcome.unwrap_or(Err(Refusal::ShuttingDown)));
        }));
    }

    /// The alert was opened with the first numbers; these are the newest.
    fn reword(&self, difference: Difference) {
        let id = self.entry.id();
        let counts = match difference {
            Difference::None => return,
            Difference::Counted {
                missing, surplus, ..
            } => Some((count(missing), count(surplus))),
            Difference::Uncounted => None,
        };
        let alerts = &self.reconciler.alerts;
        alerts.reword(AlertKind::StreamsDiffer, id.as_str(), differ(id, counts));
    }

    fn settled(
        &mut self,
        version: Option<AssignmentVersion>,
        outcome: Result<Difference, Refusal>,
    ) {
        self.reconciler.is_settling = false;
        match outcome {
            Ok(difference) => {
                let (differs, now) = (difference != Difference::None, self.links.clock.now());
                self.reconciler.is_reported |= differs;
                self.reword(difference);
                self.reconciler.machine.settled(version, differs, now);
                if differs {
                    self.difference_is_reported();
                }
            }
            // The next heartbeat wants it again.
            Err(refusal) => {
                debug!(server_id = self.entry.id().as_str(); "not settled: {refusal}");
            }
        }
    }
}

/// One that failed is told by its return what it is to drop; others in which nothing is run are
/// told to run nothing.
pub(super) const fn is_judged(status: InstanceStatus) -> bool {
    match status {
        InstanceStatus::Failed | InstanceStatus::Inactive => false,
        InstanceStatus::Active
        | InstanceStatus::Suspect
        | InstanceStatus::Recovering
        | InstanceStatus::Draining
        | InstanceStatus::Maintenance => true,
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
