//! What a recovery would do with the streams of an instance.

use super::command::{Command, Rejection, known};
use super::dry_run::DryRun;
use super::recover::held;
use crate::fleet::{Draft, Evacuation, EvacuationCause, Scoring, evacuate};
use crate::ids::InstanceId;
use crate::instance::InstanceStatus;

/// Plans a recovery of an instance: where each of its streams would go. It is only ever tried: a recovery has an incident,
/// and waits for leases.
///
/// The plan is that of [`RecoverInstance`](super::RecoverInstance) on the fleet as it is now. It leaves out that a failure
/// may quarantine streams, and that the fleet may change while a lease is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanRecovery {
    id: InstanceId,
    cause: EvacuationCause,
    scoring: Scoring,
}

/// The plan of a recovery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveryPlan {
    /// The state of the instance before.
    pub status: InstanceStatus,
    /// How many streams it owns.
    pub streams: usize,
    /// Where they would go.
    pub evacuation: Evacuation,
}

impl PlanRecovery {
    /// Plans the recovery of a failed instance.
    pub const fn of_failure(id: InstanceId, scoring: Scoring) -> DryRun<Self> {
        DryRun(Self {
            id,
            cause: EvacuationCause::InstanceFailed,
            scoring,
        })
    }

    /// Plans the recovery of an instance that is taken out of use.
    pub const fn of_emergency(id: InstanceId, scoring: Scoring) -> DryRun<Self> {
        DryRun(Self {
            id,
            cause: EvacuationCause::Emergency,
            scoring,
        })
    }
}

impl Command for PlanRecovery {
    type Reply = RecoveryPlan;

    fn decide(&self, draft: &mut Draft<'_>) -> Result<RecoveryPlan, Rejection> {
        let instance = known(draft, &self.id)?;
        let after = match self.cause {
            EvacuationCause::Emergency => InstanceStatus::Maintenance,
            EvacuationCause::InstanceFailed | EvacuationCause::InstanceRemoved => {
                InstanceStatus::Failed
            }
        };
        if instance.status != after && !draft.set_status(&self.id, after) {
            return Err(Rejection::WrongStatus {
                instance: self.id.clone(),
                status: instance.status,
            });
        }
        Ok(RecoveryPlan {
            status: instance.status,
            streams: held(draft, &self.id),
            evacuation: evacuate(draft, &self.id, self.cause, &self.scoring),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::StreamId;
    use crate::sample;

    #[test]
    fn a_plan_names_where_each_stream_would_go_and_changes_nothing() {
        let mut ledger = sample::ledger();
        sample::run(&mut ledger, sample::streams(1..=4));
        sample::run(&mut ledger, sample::register("a", 4));
        sample::run(&mut ledger, sample::ask("a", 4));
        sample::run(&mut ledger, sample::register("b", 2));
        let version = ledger.saved().counter();
        let command = PlanRecovery::of_emergency("a".into(), Scoring::default());
        let plan = sample::run(&mut ledger, command);
        assert_eq!((plan.status, plan.streams), (InstanceStatus::Active, 4));
        let to_b = |id| (StreamId::new(id), InstanceId::from("b"));
        assert_eq!(plan.evacuation.moved, [to_b(1), to_b(2)]);
        assert_eq!(plan.evacuation.orphaned, sample::ids([3, 4]));
        let held = |id: &str| ledger.saved().instance(&id.into()).unwrap().held().len();
        assert_eq!((held("a"), held("b")), (4, 0));
        assert_eq!(ledger.saved().counter(), version);
    }
}
