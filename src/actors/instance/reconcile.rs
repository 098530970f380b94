//! Does its worker run what it is to run (`domain/reconciliation.rs`)? Asks for what the machine
//! wants.
//!
//! What is settled is an event, which opens the alert once it is saved; the alert is closed here.

use actix::prelude::*;
use log::debug;

use super::actor::InstanceActor;
use super::reconciler::is_judged;
use crate::actors::fleet::Execute;
use crate::actors::refusal::Refusal;
use crate::domain::alert::{AlertKind, differ};
use crate::domain::commands::{Difference, SettleDifference};
use crate::domain::fleet::Standing;
use crate::domain::heartbeat::Heartbeat;
use crate::domain::ids::AssignmentVersion;
use crate::domain::reconciliation::{Measure, Report, Settling};

impl InstanceActor {
    /// Judges what a heartbeat says; whether its answer is to say again what is to run.
    pub(super) fn reconcile(&mut self, heartbeat: &Heartbeat, ctx: &mut Context<Self>) -> bool {
        let Some(report) = Report::of(heartbeat).filter(|_| !self.entry.is_fenced()) else {
            return false;
        };
        let standing = self.entry.standing();
        self.forget_what_is_over(&standing);
        if !is_judged(standing.status) {
            return false;
        }
        let now = self.links.clock.now();
        let measure = self.reconciler.machine.heard(&report, &standing, now);
        self.clear_if_in_step();
        match measure {
            Measure::None => return false,
            Measure::Resync => {}
            Measure::Settle(settling) => self.settle(settling, heartbeat, &standing, ctx),
        }
        // Who names no version does not know what to do with changes.
        heartbeat.version.is_some()
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
        heartbeat: &Heartbeat,
        standing: &Standing,
        ctx: &mut Context<Self>,
    ) {
        if std::mem::replace(&mut self.reconciler.is_settling, true) {
            return;
        }
        let command = SettleDifference {
            id: self.entry.id().clone(),
            incarnation: standing.incarnation,
            running: heartbeat.running().cloned(),
            told: settling.told,
            is_new: settling.is_new,
        };
        let version = heartbeat.version;
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
                debug!(server_id = self.entry.id().as_str(); "a difference of the worker was not settled: {refusal}");
            }
        }
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
