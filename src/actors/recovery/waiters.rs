//! Those who wait for the recovery of one instance, and what they will be answered.

use tokio::sync::oneshot;

use crate::actors::refusal::Refusal;
use crate::domain::commands::Recovered;
use crate::domain::incident::{FailureCause, OrderReason, StepRecord, StepResult};
use crate::domain::instance::InstanceStatus;
use crate::domain::request::RequestContext;

/// How a recovery went.
pub(super) type RecoveryOutcome = Result<Recovered, Refusal>;

/// What an emergency recovery did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmergencyReport {
    /// What became of the streams.
    pub recovered: Recovered,
    /// The four steps, in order.
    pub steps: Vec<StepRecord>,
}

impl EmergencyReport {
    /// Whether none of the steps failed.
    pub fn is_success(&self) -> bool {
        self.steps
            .iter()
            .all(|step| step.result != StepResult::Failed)
    }
}

/// How an emergency recovery went.
pub(super) type EmergencyOutcome = Result<EmergencyReport, Refusal>;

/// A caller that ordered one, and its reason.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) reason: OrderReason,
    pub(super) answer: oneshot::Sender<EmergencyOutcome>,
}

/// What a forced recovery came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Forced {
    /// Its streams were moved.
    Moved(Recovered),
    /// It has failed and owns nothing: there was nothing left to do.
    NothingLeft,
    /// Its maintenance has ended, and this is its state now.
    Released(InstanceStatus),
    /// It has not failed: nothing was done.
    NotFailed(InstanceStatus),
    /// It is not registered.
    NotFound,
}

/// How a forced recovery went.
pub(super) type ForcedOutcome = Result<Forced, Refusal>;

/// The callers that wait for the recovery of one instance.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    pub(super) reports: Vec<oneshot::Sender<RecoveryOutcome>>,
    pub(super) forces: Vec<oneshot::Sender<ForcedOutcome>>,
    pub(super) emergencies: Vec<Order>,
    /// The newest request of them: attempts that are made for them name it.
    pub(super) request: Option<RequestContext>,
}

impl Waiters {
    /// What is to be begun for them if nothing is under way.
    pub(super) fn wanted(&self) -> Option<FailureCause> {
        if !self.emergencies.is_empty() {
            Some(FailureCause::Emergency)
        } else if !self.reports.is_empty() {
            Some(FailureCause::Reported)
        } else {
            None
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.wanted().is_none() && self.forces.is_empty()
    }
}
