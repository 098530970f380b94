//! Alerts that belong together.
//!
//! One cause opens one alert where that can be known (`cause.rs`). What is left are alerts of different kinds
//! about the same thing: an instance that has failed and does not release its streams, a fleet without room whose
//! streams wait. They share the key of their cause, by which a list can show them together. The key stays the same
//! when such an alert closes and another one opens.

use super::cause::DATABASE;
use super::kind::{Alert, AlertKind};

/// What alerts that belong together are about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertCause {
    /// The key, such as `instance:worker-1`.
    pub key: String,
    /// The same in words.
    pub text: String,
}

impl AlertCause {
    fn new(key: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            text: text.into(),
        }
    }
}

impl Alert {
    /// Returns what this alert and others like it are about.
    pub fn cause(&self) -> AlertCause {
        let subject = &self.subject;
        let about = |what: &str, words: String| AlertCause::new(format!("{what}:{subject}"), words);
        match self.kind {
            AlertKind::InstanceFailed
            | AlertKind::RecoveryExhausted
            | AlertKind::EmergencyRecovery
            | AlertKind::Flapping
            | AlertKind::InstanceQuarantined
            | AlertKind::DuplicateIdentity
            | AlertKind::StreamsDiffer
            | AlertKind::RunsWhatWasTaken
            | AlertKind::ReleaseRefused
            | AlertKind::OverlapUnfinished
            | AlertKind::HandoverAbandoned => match self.instances.as_slice() {
                [one] if one.as_str() == subject => {
                    about("instance", format!("Instance `{subject}` is in trouble."))
                }
                [] => about("instance", format!("Instance `{subject}` is in trouble.")),
                several => about(
                    "instances",
                    format!("{} instances are lost that share {subject}.", several.len()),
                ),
            },
            AlertKind::StreamReturned | AlertKind::StreamQuarantined => {
                let key = subject.replacen(' ', ":", 1);
                AlertCause::new(key, format!("No instance can run {subject}."))
            }
            AlertKind::StreamsOrphaned
            | AlertKind::StreamsWaitingLong
            | AlertKind::NoRoomForFailure => {
                AlertCause::new("room", "The fleet has not enough room for its streams.")
            }
            AlertKind::ReplicationIsAsynchronous | AlertKind::DatabaseWentBack => AlertCause::new(
                "replication",
                "A fail-over of the database loses changes, or may.",
            ),
            AlertKind::StoreUnavailable | AlertKind::LeaderUnproven | AlertKind::Failsafe => {
                AlertCause::new(DATABASE, "The database does not answer in time.")
            }
            AlertKind::MassFailure | AlertKind::SystemHealth => {
                AlertCause::new("fleet", "Much of the fleet is affected at once.")
            }
            AlertKind::MemberAway | AlertKind::SettingsDiffer | AlertKind::ReleasesDiffer => {
                AlertCause::new(
                    "cluster",
                    "The orchestrators on this database are not alike, or not all there.",
                )
            }
            AlertKind::AuthFailures => {
                AlertCause::new("access", "Callers try keys that are not good.")
            }
            AlertKind::ClockStepped => {
                AlertCause::new("clock", "The clock of the orchestrator's machine jumped.")
            }
            AlertKind::BreakerForced => about(
                "breaker",
                format!("An operator holds the breaker `{subject}`."),
            ),
            AlertKind::InvariantBroken => about(
                "invariant",
                format!("The invariant {subject} does not hold."),
            ),
            AlertKind::CertificateExpiring => about(
                "certificate",
                format!("The certificate of {subject} is about to expire."),
            ),
            AlertKind::WebhookFailing => about(
                "webhook",
                format!("The receiver of {subject} does not accept messages."),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::{FLEET, Severity, subject_of};
    use crate::ids::{AlertId, StreamId};
    use crate::time::WallTime;

    fn cause(kind: AlertKind, subject: &str, instances: &[&str]) -> AlertCause {
        let alert = Alert {
            id: AlertId::new(1),
            kind,
            severity: Severity::Warning,
            subject: subject.to_owned(),
            instances: instances.iter().map(|id| (*id).into()).collect(),
            detail: String::new(),
            opened_at: WallTime::default(),
            closed_at: None,
            repeats: 0,
            acknowledged: None,
        };
        alert.cause()
    }

    #[test]
    fn alerts_about_one_thing_share_a_key() {
        let key = |kind, subject: &str, instances: &[&str]| cause(kind, subject, instances).key;
        let failed = key(AlertKind::InstanceFailed, "a", &["a"]);
        assert_eq!(failed, "instance:a");
        assert_eq!(key(AlertKind::ReleaseRefused, "a", &[]), failed);
        let rack = cause(AlertKind::InstanceFailed, "label rack=7", &["a", "b"]);
        assert_eq!(rack.key, "instances:label rack=7");
        assert!(rack.text.starts_with("2 instances"));
        let waiting = key(AlertKind::StreamsWaitingLong, FLEET, &[]);
        assert_eq!(waiting, key(AlertKind::NoRoomForFailure, FLEET, &[]));
        assert_ne!(waiting, key(AlertKind::MassFailure, FLEET, &[]));
        let stream = subject_of(StreamId::new(7));
        assert_eq!(key(AlertKind::StreamReturned, &stream, &[]), "stream:7");
        let database = key(AlertKind::StoreUnavailable, "database", &[]);
        assert_eq!(database, key(AlertKind::LeaderUnproven, "node-1", &[]));
        assert_eq!(database, key(AlertKind::Failsafe, "node-1", &[]));
    }

    #[test]
    fn each_kind_has_a_key_and_a_sentence() {
        for kind in AlertKind::ALL {
            let cause = cause(*kind, "x", &[]);
            assert!(!cause.key.is_empty(), "{kind}");
            assert!(cause.text.ends_with('.'), "{kind}");
        }
    }
}
