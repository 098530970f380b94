//! What is to be done to the book, and what saved events mean for it.

use std::time::Duration;

use super::kind::{AlertKind, Severity, subject_of};
use crate::events::Event;
use crate::ids::{InstanceId, StreamId};
use crate::patterns::LostFacts;
use crate::quarantine::{OwnerFailure, OwnerFault};

/// What is to be done to the book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// An alert is to be open.
    Raise {
        /// What it is about.
        kind: AlertKind,
        /// How urgent it is.
        severity: Severity,
        /// Which instance or stream.
        subject: String,
        /// What happened.
        detail: String,
    },
    /// These instances are lost now, and no others.
    Lost(LostFacts),
    /// If an alert about an instance is open, this is how it is now.
    Reword {
        /// What it is about.
        kind: AlertKind,
        /// Which instance.
        subject: String,
        /// How it is.
        detail: String,
    },
    /// Alerts are over.
    Clear {
        /// What they were about.
        kinds: Vec<AlertKind>,
        /// Which instance or stream.
        subject: String,
    },
    /// The instance is gone: whatever is open about it is over.
    Forget {
        /// Which instance.
        subject: String,
    },
}

impl News {
    /// An alert of this kind is to be open, as urgent as its rule says.
    pub fn raise(kind: AlertKind, subject: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Raise {
            kind,
            severity: kind.rule().severity,
            subject: subject.into(),
            detail: detail.into(),
        }
    }

    /// The alert of this kind is over.
    pub fn clear(kind: AlertKind, subject: impl Into<String>) -> Self {
        Self::Clear {
            kinds: vec![kind],
            subject: subject.into(),
        }
    }
}

/// What an event means; most mean nothing.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a new event has no alert unless an arm here gives it one"
)]
pub fn news(event: &Event) -> Option<News> {
    match event {
        Event::InstanceFlapping {
            instance, flaps, ..
        } => Some(News::raise(
            AlertKind::Flapping,
            instance.as_str(),
            flapping(instance, *flaps),
        )),
        Event::InstanceForgiven {
            instance, flaps: 0, ..
        } => Some(News::Clear {
            kinds: vec![AlertKind::Flapping],
            subject: instance.as_str().to_owned(),
        }),
        Event::InstanceForgiven {
            instance, flaps, ..
        } => Some(News::Reword {
            kind: AlertKind::Flapping,
            subject: instance.as_str().to_owned(),
            detail: flapping(instance, *flaps),
        }),
        Event::StreamsDiffer {
            instance,
            missing,
            surplus,
            ..
        } => Some(News::raise(
            AlertKind::StreamsDiffer,
            instance.as_str(),
            differ(instance, missing.zip(*surplus)),
        )),
        Event::StreamReturned {
            stream,
            name,
            returns,
            workers,
            reason,
            ..
        } => Some(News::raise(
            AlertKind::StreamReturned,
            subject_of(*stream),
            returned(*stream, name, *returns, workers, reason.as_deref()),
        )),
        Event::ReturnsOver { stream, .. } => Some(News::Clear {
            kinds: vec![AlertKind::StreamReturned],
            subject: subject_of(*stream),
        }),
        Event::StreamQuarantined {
            stream,
            name,
            failures,
            suspects,
            ..
        } => Some(News::raise(
            AlertKind::StreamQuarantined,
            subject_of(*stream),
            quarantined(*stream, name, failures, *suspects),
        )),
        Event::QuarantineOver { stream, .. } => Some(News::Clear {
            kinds: vec![AlertKind::StreamQuarantined],
            subject: subject_of(*stream),
        }),
        // What found no room has an alert of its own.
        Event::RecoveryEnded { instance, .. } => Some(News::Clear {
            kinds: vec![AlertKind::RecoveryExhausted, AlertKind::EmergencyRecovery],
            subject: instance.as_str().to_owned(),
        }),
        Event::InstanceRemoved { instance, .. } => Some(News::Forget {
            subject: instance.as_str().to_owned(),
        }),
        _ => None,
    }
}

fn flapping(instance: &InstanceId, flaps: u32) -> String {
    format!(
        "Instance {instance} failed again while it was on probation ({flaps} not paid back yet); \
         its next probation is longer."
    )
}

/// How much what a worker runs differs from what it is to run: what is missing, and what is too much.
pub fn differ(instance: &InstanceId, counts: Option<(u32, u32)>) -> String {
    let how = match counts {
        Some((missing, surplus)) => format!(
            "does not run {missing} streams that it is to run, and runs {surplus} that it is not to"
        ),
        None => "runs other streams than it is to, as the digest it sends shows".to_owned(),
    };
    format!("Instance {instance} {how}, although it was told again.")
}

fn returned(
    stream: StreamId,
    name: &str,
    returns: u32,
    workers: &[InstanceId],
    reason: Option<&str>,
) -> String {
    let workers: Vec<&str> = workers.iter().map(InstanceId::as_str).collect();
    let because = match reason {
        Some(reason) => format!("The last reason given: {reason}"),
        None => "No reason was given.".to_owned(),
    };
    format!(
        "Stream {stream} (`{name}`) does not stay where it is started: it was given back {returns} \
         times in a row, lately by {}. It is tried again after a pause that grows with each return. \
         {because}",
        workers.join(", ")
    )
}

fn quarantined(stream: StreamId, name: &str, failures: &[OwnerFailure], suspects: u32) -> String {
    let evidence: Vec<String> = failures.iter().map(evidence).collect();
    let fellows = match suspects.saturating_sub(1) {
        0 => String::new(),
        1 => " One other stream had the same owners and is suspected with it.".to_owned(),
        others => {
            format!(" {others} other streams had the same owners and are suspected with it.")
        }
    };
    format!(
        "Stream {stream} (`{name}`) is quarantined, because its last owners failed with it: {}.\
         {fellows} It runs nowhere until it is retried alone, or released with POST \
         /streams/{stream}/release-quarantine.",
        evidence.join("; ")
    )
}

/// What one owner did, in a few words.
fn evidence(failure: &OwnerFailure) -> String {
    let OwnerFailure {
        server_id,
        what,
        owned_ms,
        reason,
        ..
    } = failure;
    let did = match what {
        OwnerFault::Failed => "failed",
        OwnerFault::GaveBack => "gave it back",
        OwnerFault::NotRun => "did not run it",
    };
    let seconds = Duration::from_millis(*owned_ms).as_secs_f64().round();
    match reason {
        Some(reason) => format!("{server_id} {did} after {seconds} s ({reason})"),
        None => format!("{server_id} {did} after {seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Incarnation;
    use crate::returns::ReturnsEnd;

    #[test]
    fn a_stream_given_back_again_and_again_is_named_with_its_workers_and_the_reason() {
        let returned = |reason: Option<&str>| Event::StreamReturned {
            stream: StreamId::new(7),
            name: "camera 7".into(),
            instance: "b".into(),
            returns: 3,
            workers: vec!["a".into(), "b".into()],
            reason: reason.map(Into::into),
            retry_at: None,
        };
        let Some(News::Raise {
            kind,
            subject,
            detail,
            ..
        }) = news(&returned(Some("no signal")))
        else {
            panic!("nobody is told");
        };
        assert_eq!(
            (kind, subject.as_str()),
            (AlertKind::StreamReturned, "stream 7")
        );
        for part in ["Stream 7", "`camera 7`", "3 times", "a, b", "no signal"] {
            assert!(detail.contains(part), "`{part}` is not in: {detail}");
        }
        assert!(matches!(
            news(&returned(None)),
            Some(News::Raise { detail, .. }) if detail.contains("No reason was given")
        ));
        let over = Event::ReturnsOver {
            stream: StreamId::new(7),
            returns: 3,
            because: ReturnsEnd::RanSteadily,
        };
        let cleared = News::Clear {
            kinds: vec![AlertKind::StreamReturned],
            subject,
        };
        assert_eq!(news(&over), Some(cleared));
    }

    #[test]
    fn flapping_is_over_when_all_of_it_is_paid_back() {
        let forgiven = |flaps| Event::InstanceForgiven {
            instance: "a".into(),
            incarnation: Incarnation::new(1),
            flaps,
        };
        let flapping = Event::InstanceFlapping {
            instance: "a".into(),
            incarnation: Incarnation::new(1),
            flaps: 2,
        };
        assert!(matches!(
            news(&flapping),
            Some(News::Raise { kind: AlertKind::Flapping, subject, .. }) if subject == "a"
        ));
        assert!(matches!(
            news(&forgiven(1)),
            Some(News::Reword { detail, .. }) if detail.contains("1 not paid back")
        ));
        let over = News::Clear {
            kinds: vec![AlertKind::Flapping],
            subject: "a".to_owned(),
        };
        assert_eq!(news(&forgiven(0)), Some(over));
    }
}
