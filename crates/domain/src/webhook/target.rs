//! A receiver, and what it is to get.

use serde::{Deserialize, Serialize};

use super::format::Format;
use super::message::{Content, Message, Urgency};
use super::pattern::{TypePattern, event_kinds, wants, wants_alerts};
use super::secret::Secret;
use super::url::TargetUrl;
use crate::string_enum::string_enum;
use crate::time::WallTime;

/// The most targets: each may occupy one thread.
pub const MAX_TARGETS: usize = 64;

/// The longest name.
const MAX_NAME: usize = 64;

string_enum! {
    /// The place where a target is written down.
    Source {
        /// In the store, by an operator's call.
        Api = "api",
        /// In the file that `WEBHOOKS_FILE` names.
        File = "file",
    }
}

/// A receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Target {
    pub name: String,
    pub url: TargetUrl,
    pub format: Format,
    pub types: Vec<TypePattern>,
    /// Less urgent messages are left out; none: all are sent.
    pub min_severity: Option<Urgency>,
    pub enabled: bool,
    pub secret: Secret,
    /// The secret before this one, by which messages are signed too until a moment.
    pub previous: Option<PreviousSecret>,
    /// A part of each message id, so that two orchestrators never send one id for two messages.
    pub uid: String,
    /// Whether the receiver answered 410: nothing is sent until an operator saves the target again.
    pub gone: bool,
    pub source: Source,
}

/// A secret that was replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct PreviousSecret {
    pub secret: Secret,
    pub until: WallTime,
}

/// Checks a name: letters, digits, `-`, `_` and `.`.
///
/// # Errors
/// Returns the rule that it breaks.
pub fn check_name(name: &str) -> Result<(), String> {
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let begins_well = name.starts_with(|first: char| first.is_ascii_alphanumeric());
    if begins_well && name.len() <= MAX_NAME && name.bytes().all(is_known) {
        return Ok(());
    }
    Err(format!(
        "must have 1 to {MAX_NAME} letters, digits, `-`, `_` or `.`, and begin with a letter or digit"
    ))
}

/// Returns the text that is signed.
pub fn signed_content(id: &str, seconds: i64, body: &[u8]) -> Vec<u8> {
    let mut content = format!("{id}.{seconds}.").into_bytes();
    content.extend_from_slice(body);
    content
}

impl Target {
    /// Returns whether anything is sent.
    pub const fn is_active(&self) -> bool {
        self.enabled && !self.gone
    }

    /// Returns whether the target is to get a message. A test is for every target.
    pub fn wants(&self, message: &Message) -> bool {
        let has_form = match (&message.content, self.format) {
            (Content::Event(_), Format::Alertmanager) => false,
            (Content::Alert(_) | Content::Event(_) | Content::Test, _) => true,
        };
        let is_urgent = self.min_severity.is_none_or(|min| message.urgency() >= min);
        matches!(message.content, Content::Test)
            || has_form && is_urgent && wants(&self.types, &message.kind())
    }

    /// Returns the kinds of events that the target selects; Alertmanager has no form for events.
    pub fn event_kinds(&self) -> Vec<&'static str> {
        match self.format {
            Format::Alertmanager => Vec::new(),
            Format::Generic | Format::Slack => event_kinds(&self.types),
        }
    }

    /// Checks that the target can get anything.
    ///
    /// # Errors
    /// Returns the rule that its types break.
    pub fn check_types(&self) -> Result<(), String> {
        if self.format == Format::Alertmanager && !wants_alerts(&self.types) {
            return Err(
                "must select alerts: the format `alertmanager` has no form for events".to_owned(),
            );
        }
        Ok(())
    }

    /// Returns the secrets that sign a message now, the current one first.
    pub fn secrets(&self, now: WallTime) -> Vec<Secret> {
        let previous = self.previous.iter().filter(|previous| previous.until > now);
        let previous = previous.map(|previous| previous.secret.clone());
        std::iter::once(self.secret.clone())
            .chain(previous)
            .collect()
    }

    /// Returns the subject of the alert about the target.
    pub fn subject(&self) -> String {
        format!("webhook {}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhook::sample::target;

    #[test]
    fn names_are_plain() {
        for good in ["ops", "a", "team-1.prod_x", &"x".repeat(64)] {
            check_name(good).unwrap();
        }
        for bad in ["", "-a", ".a", "a b", "a/b", "ä", &"x".repeat(65)] {
            check_name(bad).unwrap_err();
        }
    }

    #[test]
    fn the_signature_covers_id_time_and_body() {
        assert_eq!(signed_content("msg_1", 1_700, b"{}"), b"msg_1.1700.{}");
    }

    #[test]
    fn two_secrets_sign_until_the_older_one_is_over() {
        let mut target = target(Format::Generic);
        let (now, older) = (
            WallTime::from_micros(5),
            Secret::from_bytes(vec![1; 24]).unwrap(),
        );
        assert_eq!(target.secrets(now).len(), 1);
        target.previous = Some(PreviousSecret {
            secret: older.clone(),
            until: WallTime::from_micros(6),
        });
        assert_eq!(target.secrets(now), [target.secret.clone(), older]);
        assert_eq!(target.secrets(WallTime::from_micros(6)).len(), 1);
    }

    #[test]
    fn alertmanager_takes_alerts_only() {
        let mut target = target(Format::Alertmanager);
        assert!(target.event_kinds().is_empty());
        target.check_types().unwrap();
        target.types = vec![TypePattern::parse("event.*").unwrap()];
        target.check_types().unwrap_err();
    }
}
