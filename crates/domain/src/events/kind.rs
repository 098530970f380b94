//! What an event is about.

use super::event::Event;
use crate::ids::{InstanceId, StreamId};

impl Event {
    /// Every kind as one word.
    pub const KINDS: &'static [&'static str] = &[
        "instance_registered",
        "instance_suspected",
        "instance_on_time",
        "instance_failed",
        "instance_returned",
        "instance_trusted",
        "instance_flapping",
        "instance_forgiven",
        "lease_agreed",
        "lease_withdrawn",
        "duplicate_identity",
        "streams_differ",
        "instance_removed",
        "mass_failure_held",
        "mass_failure_ended",
        "brake_ordered",
        "leader_handed_over",
        "alert_acknowledged",
        "silence_added",
        "silence_ended",
        "key_created",
        "key_revoked",
        "takeover_ordered",
        "step_down_ordered",
        "member_forgotten",
        "rebalance_begun",
        "emergency_recovered",
        "maintenance_ended",
        "instance_cordoned",
        "instance_uncordoned",
        "drain_started",
        "drain_ended",
        "maintenance_started",
        "roll_changed",
        "recovery_escalated",
        "recovery_ended",
        "stream_created",
        "stream_updated",
        "stream_deleted",
        "stream_assigned",
        "stream_released",
        "stream_returned",
        "returns_over",
        "stream_quarantined",
        "quarantine_retried",
        "quarantine_over",
        "stream_releasing",
        "handover_abandoned",
        "overlap_ended",
        "stream_orphaned",
        "stream_withdrawn",
        "streams_delivered",
    ];

    /// The names of the fields that are moments, as microseconds since 1970: answers and the log show
    /// them as RFC 3339.
    pub const MOMENTS: &'static [&'static str] = &[
        "at",
        "deadline_at",
        "ended_at",
        "held_at",
        "last_heartbeat",
        "ordered_at",
        "retry_at",
        "until",
    ];

    /// The kind as one word, as stored and counted.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::InstanceRegistered { .. } => "instance_registered",
            Self::InstanceSuspected { .. } => "instance_suspected",
            Self::InstanceOnTime { .. } => "instance_on_time",
            Self::InstanceFailed { .. } => "instance_failed",
            Self::InstanceReturned { .. } => "instance_returned",
            Self::InstanceTrusted { .. } => "instance_trusted",
            Self::InstanceFlapping { .. } => "instance_flapping",
            Self::InstanceForgiven { .. } => "instance_forgiven",
            Self::LeaseAgreed { .. } => "lease_agreed",
            Self::LeaseWithdrawn { .. } => "lease_withdrawn",
            Self::DuplicateIdentity { .. } => "duplicate_identity",
            Self::StreamsDiffer { .. } => "streams_differ",
            Self::InstanceRemoved { .. } => "instance_removed",
            Self::MassFailureHeld { .. } => "mass_failure_held",
            Self::MassFailureEnded { .. } => "mass_failure_ended",
            Self::BrakeOrdered { .. } => "brake_ordered",
            Self::LeaderHandedOver { .. } => "leader_handed_over",
            Self::AlertAcknowledged { .. } => "alert_acknowledged",
            Self::SilenceAdded { .. } => "silence_added",
            Self::SilenceEnded { .. } => "silence_ended",
            Self::KeyCreated { .. } => "key_created",
            Self::KeyRevoked { .. } => "key_revoked",
            Self::TakeoverOrdered { .. } => "takeover_ordered",
            Self::StepDownOrdered { .. } => "step_down_ordered",
            Self::MemberForgotten { .. } => "member_forgotten",
            Self::RebalanceBegun { .. } => "rebalance_begun",
            Self::EmergencyRecovered { .. } => "emergency_recovered",
            Self::MaintenanceEnded { .. } => "maintenance_ended",
            Self::InstanceCordoned { .. } => "instance_cordoned",
            Self::InstanceUncordoned { .. } => "instance_uncordoned",
            Self::DrainStarted { .. } => "drain_started",
            Self::DrainEnded { .. } => "drain_ended",
            Self::MaintenanceStarted { .. } => "maintenance_started",
            Self::RollChanged { .. } => "roll_changed",
            Self::RecoveryEscalated { .. } => "recovery_escalated",
            Self::RecoveryEnded { .. } => "recovery_ended",
            Self::StreamCreated { .. } => "stream_created",
            Self::StreamUpdated { .. } => "stream_updated",
            Self::StreamDeleted { .. } => "stream_deleted",
            Self::StreamAssigned { .. } => "stream_assigned",
            Self::StreamReleased { .. } => "stream_released",
            Self::StreamReturned { .. } => "stream_returned",
            Self::ReturnsOver { .. } => "returns_over",
            Self::StreamQuarantined { .. } => "stream_quarantined",
            Self::QuarantineRetried { .. } => "quarantine_retried",
            Self::QuarantineOver { .. } => "quarantine_over",
            Self::StreamReleasing { .. } => "stream_releasing",
            Self::HandoverAbandoned { .. } => "handover_abandoned",
            Self::OverlapEnded { .. } => "overlap_ended",
            Self::StreamOrphaned { .. } => "stream_orphaned",
            Self::StreamWithdrawn { .. } => "stream_withdrawn",
            Self::StreamsDelivered { .. } => "streams_delivered",
        }
    }

    /// The instance the event is about.
    pub const fn instance(&self) -> Option<&InstanceId> {
        match self {
            Self::InstanceRegistered { instance, .. }
            | Self::InstanceSuspected { instance, .. }
            | Self::InstanceOnTime { instance, .. }
            | Self::InstanceFailed { instance, .. }
            | Self::InstanceReturned { instance, .. }
            | Self::InstanceTrusted { instance, .. }
            | Self::InstanceFlapping { instance, .. }
            | Self::InstanceForgiven { instance, .. }
            | Self::LeaseAgreed { instance, .. }
            | Self::LeaseWithdrawn { instance, .. }
            | Self::DuplicateIdentity { instance, .. }
            | Self::StreamsDiffer { instance, .. }
            | Self::InstanceRemoved { instance, .. }
            | Self::EmergencyRecovered { instance, .. }
            | Self::MaintenanceEnded { instance, .. }
            | Self::InstanceCordoned { instance, .. }
            | Self::InstanceUncordoned { instance, .. }
            | Self::DrainStarted { instance, .. }
            | Self::DrainEnded { instance, .. }
            | Self::MaintenanceStarted { instance, .. }
            | Self::RecoveryEscalated { instance, .. }
            | Self::RecoveryEnded { instance, .. }
            | Self::StreamAssigned { instance, .. }
            | Self::StreamReleased { instance, .. }
            | Self::StreamReturned { instance, .. }
            | Self::QuarantineRetried { instance, .. }
            | Self::StreamReleasing { instance, .. }
            | Self::HandoverAbandoned { instance, .. }
            | Self::OverlapEnded { instance, .. }
            | Self::StreamWithdrawn { instance, .. }
            | Self::StreamsDelivered { instance, .. } => Some(instance),
            Self::StreamOrphaned { from, .. } => Some(from),
            Self::MassFailureHeld { .. }
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
            | Self::RollChanged { .. }
            | Self::StreamCreated { .. }
            | Self::StreamUpdated { .. }
            | Self::StreamDeleted { .. }
            | Self::StreamQuarantined { .. }
            | Self::QuarantineOver { .. }
            | Self::ReturnsOver { .. } => None,
        }
    }

    /// The stream the event is about.
    pub const fn stream(&self) -> Option<StreamId> {
        match self {
            Self::StreamCreated { stream }
            | Self::StreamUpdated { stream, .. }
            | Self::StreamDeleted { stream }
            | Self::StreamAssigned { stream, .. }
            | Self::StreamReleased { stream, .. }
            | Self::StreamReturned { stream, .. }
            | Self::ReturnsOver { stream, .. }
            | Self::StreamQuarantined { stream, .. }
            | Self::QuarantineRetried { stream, .. }
            | Self::QuarantineOver { stream, .. }
            | Self::StreamReleasing { stream, .. }
            | Self::HandoverAbandoned { stream, .. }
            | Self::OverlapEnded { stream, .. }
            | Self::StreamOrphaned { stream, .. }
            | Self::StreamWithdrawn { stream, .. } => Some(*stream),
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
            | Self::EmergencyRecovered { .. }
            | Self::MaintenanceEnded { .. }
            | Self::InstanceCordoned { .. }
            | Self::InstanceUncordoned { .. }
            | Self::DrainStarted { .. }
            | Self::DrainEnded { .. }
            | Self::MaintenanceStarted { .. }
            | Self::RollChanged { .. }
            | Self::RecoveryEscalated { .. }
            | Self::RecoveryEnded { .. }
            | Self::StreamsDelivered { .. } => None,
        }
    }
}
