//! How an event about one stream, or one that the log shows elsewhere, reads in a sentence.

use super::event::Event;
use crate::brake::Ending;
use crate::ids::{Epoch, InstanceId, StreamId};
use crate::time::WallTime;

/// How many streams a sentence names.
const NAMED: usize = 5;

/// Returns the sentence of an event that has no line of its own in the log.
pub(super) fn sentence(event: &Event) -> String {
    match event {
        Event::StreamsDiffer {
            instance,
            missing,
            surplus,
            ..
        } => {
            let count = |count: &Option<u32>| match count {
                Some(count) => count.to_string(),
                None => "some".to_owned(),
            };
            format!(
                "the worker of {instance} does not run {} of its streams and runs {} that it should \
                 not",
                count(missing),
                count(surplus)
            )
        }
        Event::DuplicateIdentity { instance, .. } => {
            format!("two processes use the name {instance}; the newer registration is served")
        }
        Event::MassFailureHeld {
            late,
            active,
            until,
            ..
        } => format!(
            "{late} of {active} instances are late at the same time; their recovery is held back until \
             {until}"
        ),
        Event::MassFailureEnded { ending, silent, .. } => format!(
            "the hold of a mass failure has ended ({}); {silent} silent instances are recovered",
            match ending {
                Ending::NobodySilent => "every instance sends heartbeats again",
                Ending::TimeOver => "its time was over",
                Ending::Released => "released by an operator",
            }
        ),
        Event::BrakeOrdered {
            action,
            until,
            reason,
            ..
        } => format!(
            "an operator gave the mass-failure brake the order `{}`, with the hold until {until}: \
             {reason}",
            action.as_str()
        ),
        Event::LeaderHandedOver {
            from,
            to,
            hears,
            leader_hears,
            serving,
            ..
        } => format!(
            "`{from}` handed the leadership over to `{to}`, which hears {hears} of {serving} instances; \
             `{from}` heard {leader_hears}"
        ),
        Event::AlertAcknowledged {
            alert,
            alert_kind,
            subject,
            by,
            note,
            ..
        } => {
            let note = note
                .as_ref()
                .map_or(String::new(), |note| format!(": {note}"));
            format!(
                "{} acknowledged alert {alert} ({alert_kind} of {subject}){note}",
                by.noun()
            )
        }
        Event::SilenceAdded {
            silence,
            matchers,
            until,
            by,
            reason,
            ..
        } => {
            format!(
                "{} silenced alerts with {} until {until} (silence {silence}): {reason}",
                by.noun(),
                matchers.join(" and ")
            )
        }
        Event::SilenceEnded { silence, by, .. } => {
            format!("{} ended silence {silence}", by.noun())
        }
        Event::KeyCreated { key, name, role } => {
            format!("an admin made key {key} (`{name}`), with the role `{role}`")
        }
        Event::KeyRevoked { key, name } => format!("an admin revoked key {key} (`{name}`)"),
        Event::TakeoverOrdered {
            node,
            from_term,
            to_term,
            reason,
        } => format!(
            "an operator ordered `{node}` to take over (term {from_term}, now {to_term}): {reason}"
        ),
        Event::StepDownOrdered {
            node,
            to,
            term,
            reason,
        } => format!("an operator ordered `{node}` (term {term}) to hand over to `{to}`: {reason}"),
        Event::MemberForgotten { node } => {
            format!("an operator had the orchestrator `{node}` forgotten")
        }
        Event::StreamCreated { stream } => format!("stream {stream} was created"),
        Event::StreamUpdated { stream, enabled } => {
            let state = if *enabled { "enabled" } else { "disabled" };
            format!("stream {stream} was changed; it is {state}")
        }
        Event::StreamDeleted { stream } => format!("stream {stream} was deleted"),
        Event::StreamAssigned {
            stream,
            instance,
            epoch,
            reason,
            from,
            from_epoch,
            ..
        } => {
            let from = from.as_ref().map_or_else(String::new, |from| {
                format!(" from {from}{}", under(*from_epoch))
            });
            let verb = if from.is_empty() {
                "was given"
            } else {
                "moved"
            };
            format!("stream {stream} {verb}{from} to {instance} under epoch {epoch} ({reason})")
        }
        Event::StreamReleased {
            stream,
            instance,
            epoch,
            reason,
        } => because(
            format!("{instance} released stream {stream} (epoch {epoch})"),
            reason.as_deref(),
        ),
        Event::StreamReturned {
            stream,
            instance,
            returns,
            reason,
            retry_at,
            ..
        } => because(
            format!(
                "{instance} gave stream {stream} back, {returns} times in a row now; it waits{}",
                until(*retry_at)
            ),
            reason.as_deref(),
        ),
        Event::ReturnsOver {
            stream, because, ..
        } => format!("that stream {stream} was given back is forgotten ({because})"),
        Event::StreamQuarantined {
            stream,
            failures,
            retry_at,
            ..
        } => format!(
            "stream {stream} is quarantined after its last {} owners failed; it waits{}",
            failures.len(),
            until(*retry_at)
        ),
        Event::QuarantineRetried { stream, instance } => {
            format!("quarantined stream {stream} is tried on {instance}")
        }
        Event::QuarantineOver {
            stream,
            because: end,
            reason,
            ..
        } => because(
            format!("the quarantine of stream {stream} has ended ({end})"),
            reason.as_deref(),
        ),
        Event::StreamReleasing {
            stream,
            instance,
            epoch,
            to,
            ..
        } => {
            let to = to
                .as_ref()
                .map_or_else(String::new, |to| format!(", for {to}"));
            format!("{instance} is asked to release stream {stream} (epoch {epoch}){to}")
        }
        Event::HandoverAbandoned {
            stream,
            instance,
            reason,
            ..
        } => format!("{instance} keeps stream {stream}, which was to move ({reason})"),
        Event::OverlapEnded {
            stream, instance, ..
        } => format!("stream {stream} is run by its new owner alone; {instance} has stopped it"),
        Event::StreamOrphaned {
            stream,
            from,
            epoch,
            reason,
            ..
        } => format!(
            "stream {stream} lost {from}{} and waits for room ({reason})",
            under(*epoch)
        ),
        Event::StreamWithdrawn {
            stream,
            instance,
            epoch,
        } => format!("stream {stream} was withdrawn from {instance} (epoch {epoch})"),
        Event::StreamsDelivered {
            instance,
            streams,
            epochs,
            ..
        } => delivered(instance, streams, epochs),
        // The log has a line for each of these (`sentence.rs`).
        Event::InstanceRegistered { .. }
        | Event::InstanceSuspected { .. }
        | Event::InstanceOnTime { .. }
        | Event::InstanceFailed { .. }
        | Event::InstanceReturned { .. }
        | Event::InstanceTrusted { .. }
        | Event::InstanceFlapping { .. }
        | Event::InstanceForgiven { .. }
        | Event::LeaseAgreed { .. }
        | Event::LeaseWithdrawn { .. }
        | Event::InstanceRemoved { .. }
        | Event::RebalanceBegun { .. }
        | Event::EmergencyRecovered { .. }
        | Event::MaintenanceEnded { .. }
        | Event::InstanceCordoned { .. }
        | Event::InstanceUncordoned { .. }
        | Event::DrainStarted { .. }
        | Event::DrainEnded { .. }
        | Event::MaintenanceStarted { .. }
        | Event::RollChanged { .. }
        | Event::RecoveryEscalated { .. }
        | Event::RecoveryEnded { .. } => event.kind().to_owned(),
    }
}

fn delivered(instance: &InstanceId, streams: &[StreamId], epochs: &[Epoch]) -> String {
    let named: Vec<String> = streams
        .iter()
        .enumerate()
        .take(NAMED)
        .map(|(place, stream)| format!("{stream}{}", under(epochs.get(place).copied())))
        .collect();
    let noun = if streams.len() == 1 {
        "stream"
    } else {
        "streams"
    };
    let more = match streams.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "the worker of {instance} knows of its {noun} {}{more}",
        named.join(", ")
    )
}

fn under(epoch: Option<Epoch>) -> String {
    epoch.map_or_else(String::new, |epoch| format!(" (epoch {epoch})"))
}

fn until(moment: Option<WallTime>) -> String {
    moment.map_or_else(String::new, |moment| format!(" until {moment}"))
}

fn because(sentence: String, reason: Option<&str>) -> String {
    match reason {
        Some(reason) => format!("{sentence}: {reason}"),
        None => sentence,
    }
}
