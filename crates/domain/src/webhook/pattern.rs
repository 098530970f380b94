//! The types of messages that a target wants, as patterns with `*`.

use serde::{Deserialize, Serialize};

use crate::events::Event;

/// The types of messages about alerts.
const ALERT_TYPES: [&str; 2] = ["alert.opened", "alert.closed"];

/// The longest pattern.
const MAX_LENGTH: usize = 100;

/// A pattern such as `alert.*`; `*` stands for any characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TypePattern(String);

impl TypePattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// Returns the rule that it breaks: it must select a type that there is.
    pub fn parse(text: &str) -> Result<Self, String> {
        let pattern = Self(text.to_owned());
        if text.len() > MAX_LENGTH {
            return Err(format!("must have at most {MAX_LENGTH} characters"));
        }
        let selects_alerts = ALERT_TYPES.iter().any(|kind| pattern.matches(kind));
        if selects_alerts || pattern.event_kinds().next().is_some() {
            return Ok(pattern);
        }
        Err(
            "must select a type that there is: alert.opened, alert.closed or event.KIND, where `*` \
             stands for any characters"
                .to_owned(),
        )
    }

    /// Returns the default: alerts, and what happens to instances.
    pub fn defaults() -> Vec<Self> {
        ["alert.*", "event.instance_*"]
            .map(|text| Self(text.to_owned()))
            .to_vec()
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether the pattern selects a type.
    pub fn matches(&self, kind: &str) -> bool {
        let mut parts = self.0.split('*');
        let Some(mut rest) = kind.strip_prefix(parts.next().unwrap_or_default()) else {
            return false;
        };
        let mut parts: Vec<&str> = parts.collect();
        let Some(last) = parts.pop() else {
            return rest.is_empty();
        };
        for part in parts {
            match rest.find(part) {
                Some(place) => rest = &rest[place + part.len()..],
                None => return false,
            }
        }
        rest.ends_with(last)
    }

    /// Returns the kinds of events that the pattern selects.
    fn event_kinds(&self) -> impl Iterator<Item = &'static str> + '_ {
        let kinds = Event::KINDS.iter().copied();
        kinds.filter(|kind| self.matches(&format!("event.{kind}")))
    }
}

/// Returns whether one of the patterns selects a type.
pub fn wants(patterns: &[TypePattern], kind: &str) -> bool {
    patterns.iter().any(|pattern| pattern.matches(kind))
}

/// Returns the kinds of events that at least one of the patterns selects.
pub(super) fn event_kinds(patterns: &[TypePattern]) -> Vec<&'static str> {
    let kinds = Event::KINDS.iter().copied();
    kinds
        .filter(|kind| wants(patterns, &format!("event.{kind}")))
        .collect()
}

/// Returns whether at least one of the patterns selects messages about alerts.
pub(super) fn wants_alerts(patterns: &[TypePattern]) -> bool {
    ALERT_TYPES.iter().any(|kind| wants(patterns, kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, kind, expected) in [
            ("alert.*", "alert.opened", true),
            ("alert.*", "event.alert.x", false),
            ("alert.opened", "alert.opened", true),
            ("alert.opened", "alert.openedx", false),
            ("*", "event.drain_ended", true),
            ("event.*_failed", "event.instance_failed", true),
            ("event.*_failed", "event.instance_failed_x", false),
            ("event.*stance*", "event.instance_failed", true),
            ("*ed*ed", "event.instance_cordoned", false),
            ("*o*ed", "event.instance_cordoned", true),
            ("a*a", "a", false),
        ] {
            let pattern = TypePattern(pattern.to_owned());
            assert_eq!(pattern.matches(kind), expected, "{pattern:?} {kind}");
        }
    }

    #[test]
    fn a_pattern_must_select_something() {
        for good in ["alert.*", "*", "event.instance_*", "alert.closed"] {
            assert_eq!(TypePattern::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "alert", "event.instanc", "alerts.*", "event.no_such"] {
            TypePattern::parse(bad).unwrap_err();
        }
        let kinds = event_kinds(&TypePattern::defaults());
        assert!(kinds.contains(&"instance_failed") && !kinds.contains(&"stream_assigned"));
        assert!(wants_alerts(&TypePattern::defaults()));
        assert!(!wants_alerts(&[TypePattern("event.*".to_owned())]));
    }
}
