//! Orders about alerts: acknowledgements and silences.

use super::collections::Records;
use super::planned::one_end;
use super::reading::{Record, Refused, Taken};
use super::request::request;
use super::rules::{flag, text};
use super::texts::{When, moment};
use super::why::{Why, why};
use crate::domain::alert::{AlertKind, MAX_MATCHERS, Matcher, MatcherFault};

request! {
    /// `POST /resilience/alerts/{id}/acknowledge`; the body may be left out.
    pub(in crate::http) struct AcknowledgeRequest {
        /// What the operator notes, at most 512 characters.
        note: Why = why(),
    }
}

request! {
    /// `POST /resilience/silences`: one of `until` and `for`.
    pub(in crate::http) struct SilenceRequest {
        /// Which alerts it applies to: 1 to 16 matchers, all of which must match.
        matchers: Vec<MatcherEntry> = Records { most: MAX_MATCHERS, compare: independent },
        /// When it ends: an RFC 3339 time.
        until: Option<When> = moment(),
        /// How long it lasts: seconds, or a text like `2h`.
        r#for: Option<When> = moment(),
        /// Why, 1 to 512 characters.
        reason: String = text(1..=512),
    }
    check useful_silence
}

request! {
    /// One condition of a silence.
    pub(in crate::http) struct MatcherEntry {
        /// `kind`, `instance` or `label:KEY`.
        name: String = text(1..=134),
        /// The text that is wanted, or a regular expression for all of it; up to 512 characters.
        value: String = text(0..=512),
        /// Whether the value is a regular expression.
        is_regex: Option<bool> = flag(),
    }
    check usable_matcher
}

fn independent(_: &[Taken<<MatcherEntry as Record>::Draft>]) -> Refused {
    Refused::default()
}

fn usable_matcher(draft: &<MatcherEntry as Record>::Draft) -> Refused {
    let mut refused = Refused::default();
    let Some(Ok(name)) = &draft.name else {
        return refused;
    };
    let matcher = Matcher {
        name: name.clone(),
        // A value that is not usable is refused by itself; any other one shows whether the name is known.
        value: match &draft.value {
            Some(Ok(value)) => value.clone(),
            _ => AlertKind::SystemHealth.as_str().to_owned(),
        },
        is_regex: matches!(draft.is_regex, Some(Ok(true))),
    };
    match matcher.check() {
        Ok(()) => {}
        Err(MatcherFault::UnknownName) => {
            refused.note("name", "must be `kind`, `instance` or `label:KEY`");
        }
        Err(MatcherFault::UnknownKind) => {
            let kinds: Vec<&str> = AlertKind::ALL.iter().map(|kind| kind.as_str()).collect();
            refused.note("value", format!("must be one of {}", kinds.join(", ")));
        }
        Err(MatcherFault::Expression(reason)) => {
            refused.note(
                "value",
                format!("is no usable regular expression: {reason}"),
            );
        }
    }
    refused
}

fn useful_silence(draft: &<SilenceRequest as Record>::Draft) -> Refused {
    let mut refused = Refused::default();
    if let Some(Ok(matchers)) = &draft.matchers {
        let mut all = matchers.iter().map(MatcherEntry::matcher);
        if matchers.is_empty() {
            refused.note("matchers", "must have at least one entry");
        } else if all.all(|matcher| matcher.matches_empty()) {
            refused.note(
                "matchers",
                "must not all match an empty text: they would silence everything",
            );
        }
    }
    refused.add("", one_end(&draft.until, &draft.r#for));
    refused
}

impl MatcherEntry {
    /// Returns the matcher.
    pub(in crate::http) fn matcher(&self) -> Matcher {
        Matcher {
            name: self.name.clone(),
            value: self.value.clone(),
            is_regex: self.is_regex.unwrap_or(false),
        }
    }
}
