//! Whether a worker runs what it is to run (`domain/reconciliation.rs`): the part of an instance's
//! actor that asks for what the machine wants.

use std::sync::Arc;

use actix::prelude::*;
use log::debug;

use super::alerts::Alerts;
use super::fleet::{Execute, FleetActor, Refusal};
use super::registry::Entry;
use crate::domain::alert::AlertKind;
use crate::domain::commands::{Difference, SettleDifference};
use crate::domain::ids::{AssignmentVersion, InstanceId, StreamId};
use crate::domain::instance::InstanceStatus;
use crate::domain::queries::Standing;
use crate::domain::reconciliation::{Measure, ReconciliationMachine, Report, Settling, grace};
use crate::domain::settings::LivenessThresholds;
use crate::domain::time::Timestamp;

/// What a worker says it runs.
#[derive(Debug, Clone)]
pub struct Says {
    /// What the machine compares.
    pub report: Report,
    /// The streams themselves, ascending, if it named them.
    pub running: Option<Arc<[StreamId]>>,
}

/// Watches over one instance.
#[derive(Debug)]
pub(super) struct Reconciler {
    id: InstanceId,
    machine: ReconciliationMachine,
    /// Whose life the machine watches.
    life: crate::domain::ids::Incarnation,
    is_settling: bool,
    /// Whether an alert may be open.
    is_reported: bool,
    alerts: Alerts,
}

/// What is to be settled, and on what version of the worker's.
pub(super) struct Wanted {
    command: SettleDifference,
    version: Option<AssignmentVersion>,
}

impl Reconciler {
    /// Whatever the actor before this one has reported, it will not clear it any more.
    pub(super) fn new(entry: &Entry, thresholds: &LivenessThresholds, alerts: Alerts) -> Self {
        Self {
            id: entry.id().clone(),
            machine: ReconciliationMachine::new(grace(thresholds)),
            life: entry.standing().incarnation,
            is_settling: false,
            is_reported: true,
            alerts,
        }
    }

    /// A heartbeat was stamped. Says whether it is to be answered with a repair, and what is to be
    /// settled.
    pub(super) fn heard(
        &mut self,
        says: &Says,
        standing: &Standing,
        now: Timestamp,
    ) -> (bool, Option<Wanted>) {
        self.adopt(standing);
        let measure = self.machine.heard(&says.report, standing, now);
        self.clear_if_over();
        // Who names no version is answered without any changes.
        let may_tell = says.report.version.is_some();
        match measure {
            Measure::None => (false, None),
            Measure::TellAgain => (may_tell, None),
            Measure::Settle(_) if self.is_settling => (may_tell, None),
            Measure::Settle(settling) => {
                self.is_settling = true;
                (may_tell, Some(self.wanted(settling, says, standing)))
            }
        }
    }

    fn wanted(&self, settling: Settling, says: &Says, standing: &Standing) -> Wanted {
        Wanted {
            command: SettleDifference {
                id: self.id.clone(),
                incarnation: standing.incarnation,
                running: says.running.clone(),
                told: settling.told,
                is_new: settling.is_new,
            },
            version: says.report.version,
        }
    }

    /// Another life, or the end of its service, is the end of every difference.
    pub(super) fn adopt(&mut self, standing: &Standing) {
        let is_judged = match standing.status {
            InstanceStatus::Failed | InstanceStatus::Inactive => false,
            InstanceStatus::Active
            | InstanceStatus::Suspect
            | InstanceStatus::Recovering
            | InstanceStatus::Draining
            | InstanceStatus::Maintenance => true,
        };
        if !is_judged || self.life != standing.incarnation {
            self.life = standing.incarnation;
            self.machine.forget();
            self.clear_if_over();
        }
    }

    fn clear_if_over(&mut self) {
        if self.is_reported && self.machine.is_in_step() && !self.is_settling {
            self.is_reported = false;
            self.alerts
                .clear(AlertKind::StreamsDiffer, self.id.as_str());
        }
    }

    fn settled(
        &mut self,
        version: Option<AssignmentVersion>,
        outcome: Result<Difference, Refusal>,
        now: Timestamp,
    ) {
        self.is_settling = false;
        match outcome {
            Ok(difference) => {
                let differed = difference != Difference::None;
                self.is_reported |= differed;
                self.machine.settled(version, differed, now);
            }
            // The next heartbeat wants it again.
            Err(refusal) => {
                debug!(server_id = self.id.as_str(); "a difference was not settled: {refusal}");
            }
        }
        self.clear_if_over();
    }
}

/// An actor that has a reconciler.
pub(super) trait Reconciles: Actor<Context = Context<Self>> {
    fn reconciler(&mut self) -> &mut Reconciler;
    fn now(&self) -> Timestamp;

    fn settle(&mut self, wanted: Wanted, fleet: &Addr<FleetActor>, ctx: &mut Context<Self>) {
        let Wanted { command, version } = wanted;
        let answer = fleet.send(Execute(command));
        ctx.spawn(answer.into_actor(self).map(move |outcome, actor, _| {
            let now = actor.now();
            let outcome = outcome.unwrap_or(Err(Refusal::ShuttingDown));
            actor.reconciler().settled(version, outcome, now);
        }));
    }
}
