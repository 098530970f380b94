//! Who caused an event, and what led to it, as far as the event knows.

use super::event::{Event, RemovalReason};
use crate::brake::Ending;
use crate::ids::IncidentId;
use crate::incident::FailureCause;
use crate::instance::InstanceStatus;
use crate::planned::Requester;
use crate::quarantine::QuarantineEnd;
use crate::reason::AssignReason;
use crate::withdrawal::WithdrawalCause;

impl Event {
    /// Returns the incident that the event belongs to. Events of old versions know it only if they
    /// are about the recovery itself.
    pub const fn incident(&self) -> Option<IncidentId> {
        match self {
            Self::EmergencyRecovered { incident, .. }
            | Self::RecoveryEscalated { incident, .. }
            | Self::RecoveryEnded { incident, .. } => Some(*incident),
            Self::InstanceFailed { incident, .. }
            | Self::LeaseWithdrawn { incident, .. }
            | Self::StreamAssigned { incident, .. }
            | Self::StreamReleasing { incident, .. }
            | Self::StreamOrphaned { incident, .. } => *incident,
            Self::InstanceRegistered { .. }
            | Self::InstanceSuspected { .. }
            | Self::InstanceOnTime { .. }
            | Self::InstanceReturned { .. }
            | Self::InstanceTrusted { .. }
            | Self::InstanceFlapping { .. }
            | Self::InstanceForgiven { .. }
            | Self::LeaseAgreed { .. }
            | Self::DuplicateIdentity { .. }
            | Self::StreamsDiffer { .. }
            | Self::InstanceRemoved { .. }
            | Self::MassFailureHeld { .. }
            | Self::MassFailureEnded { .. }
            | Self::BrakeOrdered { .. }
            | Self::LeaderHandedOver { .. }
            | Self::AlertAcknowledged { .. }
            | Self::SilenceAdded { .. }
            | Self::SilenceEnded { .. }
            | Self::KeyCreated { .. }
            | Self::KeyRevoked { .. }
            | Self::TakeoverOrdered { .. }
            | Self::StepDownOrdered { .. }
            | Self::MemberForgotten { .. }
            | Self::RebalanceBegun { .. }
            | Self::MaintenanceEnded { .. }
            | Self::InstanceCordoned { .. }
            | Self::InstanceUncordoned { .. }
            | Self::DrainStarted { .. }
            | Self::DrainEnded { .. }
            | Self::RollChanged { .. }
            | Self::MaintenanceStarted { .. }
            | Self::StreamCreated { .. }
            | Self::StreamUpdated { .. }
            | Self::StreamDeleted { .. }
            | Self::StreamReleased { .. }
            | Self::StreamReturned { .. }
            | Self::ReturnsOver { .. }
            | Self::StreamQuarantined { .. }
            | Self::QuarantineRetried { .. }
            | Self::QuarantineOver { .. }
            | Self::HandoverAbandoned { .. }
            | Self::OverlapEnded { .. }
            | Self::StreamWithdrawn { .. }
            | Self::StreamsDelivered { .. } => None,
        }
    }

    /// Returns who caused the event: the caller of a command, or the program. What follows from an
    /// order without naming it (a move off an instance that an operator removed) is the program's.
    pub const fn actor(&self) -> Requester {
        match self {
            Self::RebalanceBegun { by, .. }
            | Self::InstanceCordoned { by, .. }
            | Self::InstanceUncordoned { by, .. }
            | Self::DrainStarted { by, .. }
            | Self::DrainEnded { by, .. }
            | Self::RollChanged { by, .. }
            | Self::MaintenanceStarted { by, .. }
            | Self::AlertAcknowledged { by, .. }
            | Self::SilenceAdded { by, .. }
            | Self::SilenceEnded { by, .. }
            | Self::LeaseWithdrawn { by: Some(by), .. }
            | Self::InstanceRemoved { by: Some(by), .. }
            | Self::MaintenanceEnded { by: Some(by), .. }
            | Self::QuarantineOver { by: Some(by), .. } => *by,
            Self::InstanceRegistered { .. }
            | Self::InstanceOnTime { .. }
            | Self::InstanceReturned { .. }
            | Self::LeaseAgreed { .. }
            | Self::StreamAssigned {
                reason: AssignReason::Requested,
                ..
            }
            | Self::StreamReleased { .. }
            | Self::StreamReturned { .. }
            | Self::StreamsDelivered { .. } => Requester::Worker,
            Self::InstanceFailed {
                cause: FailureCause::Reported | FailureCause::Forced | FailureCause::Emergency,
                ..
            }
            | Self::LeaseWithdrawn {
                cause: WithdrawalCause::Emergency | WithdrawalCause::Removal,
                ..
            }
            | Self::InstanceRemoved {
                reason: RemovalReason::Requested,
                ..
            }
            | Self::MassFailureEnded {
                ending: Ending::Released,
                ..
            }
            | Self::EmergencyRecovered {
                status: InstanceStatus::Maintenance,
                ..
            }
            | Self::BrakeOrdered { .. }
            | Self::KeyCreated { .. }
            | Self::KeyRevoked { .. }
            | Self::TakeoverOrdered { .. }
            | Self::StepDownOrdered { .. }
            | Self::MemberForgotten { .. }
            | Self::MaintenanceEnded { .. }
            | Self::StreamCreated { .. }
            | Self::StreamUpdated { .. }
            | Self::StreamDeleted { .. }
            | Self::StreamAssigned {
                reason: AssignReason::PlannedMove,
                ..
            }
            | Self::QuarantineOver {
                because: QuarantineEnd::ByHand,
                ..
            }
            | Self::StreamReleasing {
                reason: Some(AssignReason::PlannedMove),
                incident: None,
                ..
            }
            | Self::StreamWithdrawn { .. } => Requester::Operator,
            Self::InstanceSuspected { .. }
            | Self::LeaderHandedOver { .. }
            | Self::InstanceFailed { .. }
            | Self::InstanceTrusted { .. }
            | Self::InstanceFlapping { .. }
            | Self::InstanceForgiven { .. }
            | Self::LeaseWithdrawn { .. }
            | Self::DuplicateIdentity { .. }
            | Self::StreamsDiffer { .. }
            | Self::InstanceRemoved { .. }
            | Self::MassFailureHeld { .. }
            | Self::MassFailureEnded { .. }
            | Self::EmergencyRecovered { .. }
            | Self::RecoveryEscalated { .. }
            | Self::RecoveryEnded { .. }
            | Self::StreamAssigned { .. }
            | Self::ReturnsOver { .. }
            | Self::StreamQuarantined { .. }
            | Self::QuarantineRetried { .. }
            | Self::QuarantineOver { .. }
            | Self::StreamReleasing { .. }
            | Self::HandoverAbandoned { .. }
            | Self::OverlapEnded { .. }
            | Self::StreamOrphaned { .. } => Requester::Program,
        }
    }

    /// Returns the caller that caused the event; `None` for the program itself, which causes nearly all.
    pub fn caller(&self) -> Option<Requester> {
        Some(self.actor()).filter(|actor| *actor != Requester::Program)
    }

    /// Returns what led to the event: its own field of that name, else the incident or the roll it belongs
    /// to, else the rule that it followed, else who caused it.
    pub fn cause(&self) -> String {
        if let Self::InstanceFailed { cause, .. } = self {
            return cause.to_string();
        }
        if let Self::LeaseWithdrawn { cause, .. } = self {
            return cause.to_string();
        }
        if let Some(incident) = self.incident() {
            return format!("incident {incident}");
        }
        match self {
            Self::RollChanged { roll, .. } => format!("roll {roll}"),
            Self::InstanceRemoved { reason, .. } => reason.to_string(),
            Self::RebalanceBegun { reason, .. } => reason.to_string(),
            Self::StreamAssigned { reason, .. } => reason.to_string(),
            Self::StreamReleasing {
                reason: Some(reason),
                ..
            } => reason.to_string(),
            Self::StreamOrphaned { reason, .. } => reason.to_string(),
            Self::HandoverAbandoned { reason, .. } => reason.to_string(),
            Self::ReturnsOver { because, .. } => because.to_string(),
            Self::QuarantineOver { because, .. } => because.to_string(),
            Self::InstanceRegistered { .. }
            | Self::InstanceSuspected { .. }
            | Self::InstanceOnTime { .. }
            | Self::InstanceFailed { .. }
            | Self::InstanceReturned { .. }
            | Self::InstanceTrusted { .. }
            | Self::InstanceFlapping { .. }
            | Self::InstanceForgiven { .. }
            | Self::LeaseAgreed { .. }
            | Self::LeaseWithdrawn { .. }
            | Self::DuplicateIdentity { .. }
            | Self::StreamsDiffer { .. }
            | Self::MassFailureHeld { .. }
            | Self::MassFailureEnded { .. }
            | Self::BrakeOrdered { .. }
            | Self::LeaderHandedOver { .. }
            | Self::AlertAcknowledged { .. }
            | Self::SilenceAdded { .. }
            | Self::SilenceEnded { .. }
            | Self::KeyCreated { .. }
            | Self::KeyRevoked { .. }
            | Self::TakeoverOrdered { .. }
            | Self::StepDownOrdered { .. }
            | Self::MemberForgotten { .. }
            | Self::EmergencyRecovered { .. }
            | Self::MaintenanceEnded { .. }
            | Self::InstanceCordoned { .. }
            | Self::InstanceUncordoned { .. }
            | Self::DrainStarted { .. }
            | Self::DrainEnded { .. }
            | Self::MaintenanceStarted { .. }
            | Self::RecoveryEscalated { .. }
            | Self::RecoveryEnded { .. }
            | Self::StreamCreated { .. }
            | Self::StreamUpdated { .. }
            | Self::StreamDeleted { .. }
            | Self::StreamReleased { .. }
            | Self::StreamReturned { .. }
            | Self::StreamQuarantined { .. }
            | Self::QuarantineRetried { .. }
            | Self::StreamReleasing { .. }
            | Self::OverlapEnded { .. }
            | Self::StreamWithdrawn { .. }
            | Self::StreamsDelivered { .. } => self.actor().to_string(),
        }
    }
}
