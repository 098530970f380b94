//! What is known of the differences between what one instance is to run and what it runs.

use crate::actors::alerts::Alerts;
use crate::actors::registry::Entry;
use crate::domain::ids::Incarnation;
use crate::domain::instance::InstanceStatus;
use crate::domain::reconciliation::{ReconciliationMachine, grace};
use crate::domain::settings::LivenessThresholds;

/// What is known of the differences of one instance.
#[derive(Debug)]
pub(super) struct Reconciler {
    pub(super) machine: ReconciliationMachine,
    /// The life it is about.
    pub(super) life: Incarnation,
    pub(super) is_settling: bool,
    /// Whether an alert may be open.
    pub(super) is_reported: bool,
    pub(super) alerts: Alerts,
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
