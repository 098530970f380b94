//! What is sent: its type, its urgency and its facts.

use serde::{Deserialize, Serialize};

use crate::alert::{Alert, AlertKind, AlertRule, Severity};
use crate::events::EventSeverity;
use crate::ids::{AlertId, InstanceId};
use crate::string_enum::string_enum;
use crate::time::WallTime;

string_enum! {
    /// How urgent a message is.
    Urgency {
        /// A detail.
        Debug = "debug",
        /// It is as it should be.
        Info = "info",
        /// An operator may want to know.
        Warning = "warning",
        /// An operator has to do something.
        Critical = "critical",
    }
}

impl From<EventSeverity> for Urgency {
    fn from(severity: EventSeverity) -> Self {
        match severity {
            EventSeverity::Debug => Self::Debug,
            EventSeverity::Info => Self::Info,
            EventSeverity::Warning => Self::Warning,
            EventSeverity::Error => Self::Critical,
        }
    }
}

impl From<Severity> for Urgency {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Warning => Self::Warning,
            Severity::Critical => Self::Critical,
        }
    }
}

/// A message. Its id is the same in every try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The header `webhook-id`.
    pub id: String,
    /// When it happened.
    pub at: WallTime,
    /// What happened.
    pub content: Content,
}

impl Message {
    /// Returns the header `traceparent`, if the request that led to it had one.
    pub fn traceparent(&self) -> Option<&str> {
        match &self.content {
            Content::Event(notice) => notice.traceparent.as_deref(),
            // An alert has no single request that led to it.
            Content::Alert(_) | Content::Test => None,
        }
    }

    /// Returns the alert it is about.
    pub const fn alert(&self) -> Option<AlertId> {
        match &self.content {
            Content::Alert(notice) => Some(AlertId::new(notice.id)),
            Content::Event(_) | Content::Test => None,
        }
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// An alert was opened, became critical, or was closed.
    Alert(AlertNotice),
    /// An event was saved.
    Event(EventNotice),
    /// An operator tries the target.
    Test,
}

/// An alert, as it was when it was announced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct AlertNotice {
    pub id: i64,
    pub kind: String,
    pub severity: Severity,
    pub subject: String,
    /// The instances it is about.
    #[serde(default)]
    pub instances: Vec<InstanceId>,
    pub detail: String,
    pub opened_at: WallTime,
    pub closed_at: Option<WallTime>,
    /// Whether it was announced before as a warning.
    pub escalated: bool,
}

impl AlertNotice {
    /// Copies an alert.
    pub fn of(alert: &Alert) -> Self {
        Self {
            id: alert.id.get(),
            kind: alert.kind.as_str().to_owned(),
            severity: alert.severity,
            subject: alert.subject.clone(),
            instances: alert.instances.clone(),
            detail: alert.detail.clone(),
            opened_at: alert.opened_at,
            closed_at: alert.closed_at,
            escalated: false,
        }
    }

    /// Returns the instance that is its subject, if it is about one.
    pub fn instance(&self) -> Option<&InstanceId> {
        match &*self.instances {
            [only] if only.as_str() == self.subject => Some(only),
            _ => None,
        }
    }

    /// Returns what is always true of alerts of this kind; `None` if the kind is one of an earlier release.
    pub fn rule(&self) -> Option<&'static AlertRule> {
        AlertKind::from_word(&self.kind).map(AlertKind::rule)
    }
}

/// An event, as lists of events show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct EventNotice {
    pub sequence: i64,
    pub kind: String,
    pub severity: EventSeverity,
    /// The event in one sentence.
    pub detail: String,
    /// The event as a JSON object.
    pub object: String,
    /// The place in a trace of the request that led to the event, if its caller named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

impl Message {
    /// Returns the id of the message about an event.
    pub fn event_id(uid: &str, sequence: i64) -> String {
        format!("msg_{uid}_event_{sequence}")
    }

    /// Returns its type.
    pub fn kind(&self) -> String {
        match &self.content {
            Content::Alert(alert) if alert.closed_at.is_some() => "alert.closed".to_owned(),
            Content::Alert(_) => "alert.opened".to_owned(),
            Content::Event(event) => format!("event.{}", event.kind),
            Content::Test => "webhook.test".to_owned(),
        }
    }

    /// Returns how urgent it is.
    pub fn urgency(&self) -> Urgency {
        match &self.content {
            Content::Alert(alert) => alert.severity.into(),
            Content::Event(event) => event.severity.into(),
            Content::Test => Urgency::Info,
        }
    }
}
