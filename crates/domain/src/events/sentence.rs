//! How an event reads in the log, and how loud it is.
//!
//! An event about a whole instance is worth a line. Events about single streams are details: a command may
//! have thousands of them, and the line of the command counts them (`movements.rs`).

use super::detail;
use super::event::{Event, RemovalReason};
use crate::ids::InstanceId;
use crate::incident::IncidentOutcome;
use crate::planned::{DrainState, RollState};
use crate::string_enum::string_enum;
use crate::wording::counted;

string_enum! {
    /// How loud an event is in the log, and in the list of events.
    EventSeverity {
        /// A detail.
        Debug = "debug",
        /// It is as it should be.
        Info = "info",
        /// An operator may want to know.
        Warning = "warning",
        /// An operator has to do something.
        Error = "error",
    }
}

impl Event {
    /// How loud it is in the log.
    pub const fn severity(&self) -> EventSeverity {
        match self {
            Self::InstanceRegistered { .. }
            | Self::InstanceOnTime { .. }
            | Self::InstanceReturned { .. }
            | Self::InstanceTrusted { .. }
            | Self::InstanceForgiven { .. }
            | Self::LeaseAgreed { .. }
            | Self::InstanceRemoved { orphaned: 0, .. }
            | Self::RebalanceBegun { .. }
            | Self::MaintenanceEnded { .. }
            | Self::InstanceCordoned { .. }
            | Self::InstanceUncordoned { .. }
            | Self::DrainStarted { .. }
            | Self::DrainEnded {
                state: DrainState::Drained | DrainState::Cancelled | DrainState::Draining,
                ..
            }
            | Self::MaintenanceStarted { .. }
            | Self::RollChanged {
                state: RollState::Running | RollState::Done | RollState::Cancelled,
                ..
            }
            | Self::RecoveryEnded {
                outcome: IncidentOutcome::Recovered,
                ..
            }
            | Self::RecoveryEnded {
                outcome: IncidentOutcome::Averted | IncidentOutcome::Interrupted,
                moved: 0,
                orphaned: 0,
                ..
            } => EventSeverity::Info,
            Self::InstanceSuspected { .. }
            | Self::InstanceFailed { .. }
            | Self::InstanceFlapping { .. }
            | Self::LeaseWithdrawn { .. }
            | Self::InstanceRemoved { .. }
            | Self::EmergencyRecovered { .. }
            | Self::DrainEnded { .. }
            | Self::RollChanged { .. }
            | Self::RecoveryEnded { .. } => EventSeverity::Warning,
            Self::RecoveryEscalated { .. } => EventSeverity::Error,
            // The alert is the line.
            Self::StreamsDiffer { .. }
            | Self::StreamReturned { .. }
            | Self::ReturnsOver { .. }
            | Self::StreamQuarantined { .. }
            | Self::QuarantineRetried { .. }
            | Self::QuarantineOver { .. }
            // The actor that did it has written the line already: it may be saved much later.
            | Self::DuplicateIdentity { .. }
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
            | Self::StreamCreated { .. }
            | Self::StreamUpdated { .. }
            | Self::StreamDeleted { .. }
            | Self::StreamAssigned { .. }
            | Self::StreamReleased { .. }
            | Self::StreamReleasing { .. }
            | Self::HandoverAbandoned { .. }
            | Self::OverlapEnded { .. }
            | Self::StreamOrphaned { .. }
            | Self::StreamWithdrawn { .. }
            | Self::StreamsDelivered { .. } => EventSeverity::Debug,
        }
    }

    /// What happened, in a sentence.
    pub fn sentence(&self) -> String {
        match self {
            Self::InstanceRegistered {
                instance,
                reregistration,
                ..
            } => {
                let again = if *reregistration { " again" } else { "" };
                format!("instance {instance} registered{again}")
            }
            Self::InstanceSuspected { instance, .. } => {
                format!("instance {instance} is late with its heartbeat")
            }
            Self::InstanceOnTime { instance, .. } => {
                format!("instance {instance} beats in time again")
            }
            Self::InstanceFailed {
                instance,
                cause,
                streams,
                ..
            } => format!(
                "instance {instance} has failed with {} ({cause})",
                counted(*streams)
            ),
            Self::InstanceReturned { instance, .. } => {
                format!("instance {instance} is back, on probation")
            }
            Self::InstanceTrusted { instance, .. } => {
                format!("instance {instance} has served its probation")
            }
            Self::InstanceFlapping {
                instance, flaps, ..
            } => format!(
                "instance {instance} failed on probation; its next one is longer ({flaps} flaps)"
            ),
            Self::InstanceForgiven {
                instance, flaps, ..
            } => format!("instance {instance} beats steadily; {flaps} flaps are left"),
            Self::LeaseAgreed {
                instance, leased, ..
            } => {
                let kind = if *leased { "leased" } else { "classic" };
                format!("instance {instance} is {kind}")
            }
            Self::LeaseWithdrawn {
                instance,
                cause,
                streams,
                reason,
                ..
            } => because(
                format!(
                    "the lease of {instance} is withdrawn ({cause}), with {} to move once it is over",
                    counted(*streams)
                ),
                reason,
            ),
            Self::InstanceRemoved {
                instance,
                reason,
                moved,
                orphaned,
                note,
                ..
            } => because(removed(instance, *reason, *moved, *orphaned), note),
            Self::RebalanceBegun {
                by,
                method,
                reason,
                moves,
                instances,
            } => format!(
                "balance ({method}, {reason}, ordered by the {by}): {} to move between {instances} instances",
                counted(*moves)
            ),
            Self::EmergencyRecovered {
                instance,
                status,
                streams,
                ..
            } => format!(
                "emergency: took {} from {instance}, which is {status} now",
                counted(*streams)
            ),
            Self::MaintenanceEnded {
                instance,
                status,
                by,
                reason,
                ..
            } => {
                let by = by.map_or_else(String::new, |by| format!(" ({by})"));
                because(
                    format!("the maintenance of {instance} has ended{by}, it is {status}"),
                    reason,
                )
            }
            Self::InstanceCordoned {
                instance,
                by,
                reason,
                ..
            } => because(format!("instance {instance} is cordoned ({by})"), reason),
            Self::InstanceUncordoned {
                instance,
                by,
                reason,
                ..
            } => because(format!("the cordon of {instance} has ended ({by})"), reason),
            Self::DrainStarted {
                instance,
                by,
                streams,
                reason,
                ..
            } => because(
                format!(
                    "instance {instance} drains, with {} ({by})",
                    counted(*streams)
                ),
                reason,
            ),
            Self::DrainEnded {
                instance,
                state: DrainState::Drained,
                takes_streams: true,
                by,
                reason,
                ..
            } => because(
                format!("instance {instance} takes streams again after its drain ({by})"),
                reason,
            ),
            Self::DrainEnded {
                instance,
                state,
                by,
                moved,
                left,
                reason,
                ..
            } => because(
                format!(
                    "the drain of {instance} is {state} ({by}): moved {}, {left} are left",
                    counted(*moved)
                ),
                reason,
            ),
            Self::RollChanged {
                roll,
                state,
                by,
                instances,
                reason,
            } => because(
                format!("roll {roll} of {instances} instances is {state} ({by})"),
                reason,
            ),
            Self::MaintenanceStarted {
                instance,
                by,
                streams,
                reason,
                ..
            } => because(
                format!(
                    "the silence of {instance} is expected for a while ({by}), with {} reserved for it",
                    counted(*streams)
                ),
                reason,
            ),
            Self::RecoveryEscalated {
                instance, attempts, ..
            } => format!(
                "the recovery of {instance} is an emergency after {attempts} failed attempts"
            ),
            Self::RecoveryEnded {
                instance,
                outcome,
                moved,
                orphaned,
                ..
            } => match outcome {
                IncidentOutcome::Recovered => format!("moved {} off {instance}", counted(*moved)),
                IncidentOutcome::RecoveredPartially => format!(
                    "moved {} off {instance}, {orphaned} wait for room ({outcome})",
                    counted(*moved)
                ),
                IncidentOutcome::Averted | IncidentOutcome::Interrupted
                    if *moved > 0 || *orphaned > 0 =>
                {
                    format!(
                        "the recovery of {instance} ended early ({outcome}); its worker had \
                         released {} to other owners, and {orphaned} without room",
                        counted(*moved)
                    )
                }
                IncidentOutcome::Averted | IncidentOutcome::Interrupted => {
                    format!("nothing was moved off {instance} ({outcome})")
                }
                IncidentOutcome::Failed => format!("the recovery of {instance} was given up"),
            },
            Self::StreamsDiffer { .. }
            | Self::StreamReturned { .. }
            | Self::ReturnsOver { .. }
            | Self::StreamQuarantined { .. }
            | Self::QuarantineRetried { .. }
            | Self::QuarantineOver { .. }
            | Self::DuplicateIdentity { .. }
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
            | Self::StreamCreated { .. }
            | Self::StreamUpdated { .. }
            | Self::StreamDeleted { .. }
            | Self::StreamAssigned { .. }
            | Self::StreamReleased { .. }
            | Self::StreamReleasing { .. }
            | Self::HandoverAbandoned { .. }
            | Self::OverlapEnded { .. }
            | Self::StreamOrphaned { .. }
            | Self::StreamWithdrawn { .. }
            | Self::StreamsDelivered { .. } => detail::sentence(self),
        }
    }
}

/// The sentence about a removal.
fn removed(instance: &InstanceId, rule: RemovalReason, moved: u32, orphaned: u32) -> String {
    let removed = format!("instance {instance} was removed ({rule})");
    match (moved, orphaned) {
        (0, 0) => removed,
        (moved, 0) => format!("{removed}; moved {} off it", counted(moved)),
        (moved, orphaned) => {
            let moved = counted(moved);
            format!("{removed}; moved {moved} off it, {orphaned} wait for room")
        }
    }
}

/// The sentence with its reason, if one was given.
fn because(sentence: String, reason: &Option<String>) -> String {
    match reason {
        Some(reason) => format!("{sentence}: {reason}"),
        None => sentence,
    }
}
