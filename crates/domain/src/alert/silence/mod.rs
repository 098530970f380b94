//! Silences: which open alerts operators know about, until a moment.
//!
//! ```text
//!   (none) ──added──▶ active ──its end is reached, or it is ended──▶ expired
//! ```
//!
//! A silence has matchers and applies to an alert if all of them match; an alert about several instances is
//! silenced only if they match for each of them. As in Alertmanager, a regular expression matches the whole
//! value, a label that an instance does not have is an empty text, and a silence that would match anything
//! is refused. So is one without an end. A silenced alert is listed, counted and closed like any other; webhooks hold
//! it back.
//!
//! Regular expressions take time that is linear in the text, and are compiled once, within a limit of memory.

use std::collections::BTreeMap;
use std::fmt;

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use crate::alert::kind::{Alert, AlertKind};
use crate::ids::{InstanceId, SilenceId};
use crate::planned::Requester;
use crate::time::WallTime;

/// How many silences may be active.
pub const MAX_SILENCES: usize = 500;

/// How many matchers a silence may have.
pub const MAX_MATCHERS: usize = 16;

/// How many bytes a compiled expression may take.
const MAX_COMPILED: usize = 256 * 1_024;

/// The part of an alert that a matcher looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MatcherName {
    /// The kind of the alert.
    Kind,
    /// The instance it is about.
    Instance,
    /// A label of that instance, by its key.
    Label(String),
}

impl MatcherName {
    /// Returns the name as it is written: `kind`, `instance` or `label:KEY`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "kind" => Some(Self::Kind),
            "instance" => Some(Self::Instance),
            label => {
                let key = label.strip_prefix("label:").filter(|key| !key.is_empty())?;
                Some(Self::Label(key.to_owned()))
            }
        }
    }
}

impl fmt::Display for MatcherName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind => f.write_str("kind"),
            Self::Instance => f.write_str("instance"),
            Self::Label(key) => write!(f, "label:{key}"),
        }
    }
}

/// A condition of a silence, as it was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matcher {
    /// What it looks at.
    pub name: String,
    /// The text that is wanted, or the expression.
    pub value: String,
    /// Whether the value is a regular expression.
    pub is_regex: bool,
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.is_regex { "=~" } else { "=" };
        write!(f, "{}{sign}{}", self.name, self.value)
    }
}

/// The reason why a matcher cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MatcherFault {
    /// No part of an alert has this name.
    UnknownName,
    /// No kind of alert has this name.
    UnknownKind,
    /// The expression cannot be read, or is too large.
    Expression(String),
}

#[derive(Debug, Clone)]
enum Wanted {
    Text(String),
    Expression(Regex),
}

/// A matcher that is ready for use.
#[derive(Debug, Clone)]
struct Compiled {
    name: MatcherName,
    wanted: Wanted,
}

impl Compiled {
    fn of(matcher: &Matcher) -> Result<Self, MatcherFault> {
        let name = MatcherName::parse(&matcher.name).ok_or(MatcherFault::UnknownName)?;
        if !matcher.is_regex {
            if name == MatcherName::Kind && AlertKind::from_word(&matcher.value).is_none() {
                return Err(MatcherFault::UnknownKind);
            }
            let wanted = Wanted::Text(matcher.value.clone());
            return Ok(Self { name, wanted });
        }
        // Alone first: an expression that closes the group of the anchored one is not one itself.
        let build = |expression: &str| {
            let mut builder = RegexBuilder::new(expression);
            builder
                .size_limit(MAX_COMPILED)
                .dfa_size_limit(MAX_COMPILED);
            builder
                .build()
                .map_err(|error| MatcherFault::Expression(in_a_line(&error)))
        };
        build(&matcher.value)?;
        let wanted = Wanted::Expression(build(&format!("^(?:{})$", matcher.value))?);
        Ok(Self { name, wanted })
    }

    fn matches(&self, text: &str) -> bool {
        match &self.wanted {
            Wanted::Text(wanted) => wanted == text,
            Wanted::Expression(expression) => expression.is_match(text),
        }
    }
}

/// The last line of an error about an expression says what is wrong with it.
fn in_a_line(error: &regex::Error) -> String {
    let text = error.to_string();
    let line = text.lines().last().unwrap_or_default();
    line.trim_start_matches("error: ").to_owned()
}

/// A silence.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Silence {
    pub id: SilenceId,
    pub matchers: Vec<Matcher>,
    pub created_at: WallTime,
    pub by: Requester,
    /// When it expires.
    pub until: WallTime,
    pub reason: String,
}

impl Matcher {
    /// Checks that a matcher can be used.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn check(&self) -> Result<(), MatcherFault> {
        Compiled::of(self).map(|_| ())
    }

    /// Whether it matches an empty text: what alerts without an instance, and instances without the
    /// label, have.
    pub fn matches_empty(&self) -> bool {
        Compiled::of(self).is_ok_and(|compiled| compiled.matches(""))
    }
}

/// What silences are compared with: an open alert, and the labels of its instances as far as they are known.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Silenced<'a> {
    pub alert: &'a Alert,
    pub labels: &'a BTreeMap<InstanceId, BTreeMap<String, String>>,
}

impl Silenced<'_> {
    fn is_matched(&self, matcher: &Compiled) -> bool {
        let alert = self.alert;
        if matcher.name == MatcherName::Kind {
            return matcher.matches(alert.kind.as_str());
        }
        if alert.instances.is_empty() {
            return matcher.matches("");
        }
        alert.instances.iter().all(|id| match &matcher.name {
            MatcherName::Label(key) => {
                let label = self.labels.get(id).and_then(|labels| labels.get(key));
                matcher.matches(label.map_or("", String::as_str))
            }
            MatcherName::Instance | MatcherName::Kind => matcher.matches(id.as_str()),
        })
    }
}

/// The active silences. A copy is cheap enough to be compared elsewhere.
#[derive(Debug, Clone, Default)]
pub struct SilenceBook {
    active: BTreeMap<SilenceId, (Silence, Vec<Compiled>)>,
    newest: SilenceId,
}

impl SilenceBook {
    /// The silences as they were kept. One that cannot be used any more is left out and returned.
    pub fn restore(kept: impl IntoIterator<Item = Silence>, now: WallTime) -> (Self, Vec<Silence>) {
        let mut book = Self::default();
        let mut unusable = Vec::new();
        for silence in kept {
            book.newest = book.newest.max(silence.id);
            if silence.until > now && !book.add(silence.clone()) {
                unusable.push(silence);
            }
        }
        (book, unusable)
    }

    /// Gives out the key of the next silence.
    pub fn next_id(&mut self, now: WallTime) -> SilenceId {
        self.newest = self.newest.next().max(SilenceId::new(now.as_micros()));
        self.newest
    }

    /// Adds a silence. Returns whether all of its matchers can be used; otherwise nothing is added.
    pub fn add(&mut self, silence: Silence) -> bool {
        let compiled: Result<Vec<_>, _> = silence.matchers.iter().map(Compiled::of).collect();
        let Ok(compiled) = compiled else {
            return false;
        };
        self.active.insert(silence.id, (silence, compiled));
        true
    }

    /// Whether no more may be added.
    pub fn is_full(&self) -> bool {
        self.active.len() >= MAX_SILENCES
    }

    /// The active silence with this key.
    pub fn get(&self, id: SilenceId) -> Option<&Silence> {
        self.active.get(&id).map(|(silence, _)| silence)
    }

    /// Ends a silence.
    pub fn end(&mut self, id: SilenceId) -> Option<Silence> {
        self.active.remove(&id).map(|(silence, _)| silence)
    }

    /// Ends the silences whose end is reached. Returns them.
    pub fn expire(&mut self, now: WallTime) -> Vec<Silence> {
        let is_over =
            |(_, (silence, _)): &(&SilenceId, &(Silence, Vec<Compiled>))| silence.until <= now;
        let over: Vec<SilenceId> = self
            .active
            .iter()
            .filter(is_over)
            .map(|(id, _)| *id)
            .collect();
        over.into_iter().filter_map(|id| self.end(id)).collect()
    }

    /// The active silences, newest first.
    pub fn active(&self) -> impl Iterator<Item = &Silence> {
        self.active.values().rev().map(|(silence, _)| silence)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.active.is_empty()
    }

    /// Whether a silence looks at labels, so that they have to be known.
    pub fn needs_labels(&self) -> bool {
        let mut matchers = self.active.values().flat_map(|(_, matchers)| matchers);
        matchers.any(|matcher| matches!(matcher.name, MatcherName::Label(_)))
    }

    /// The silences that apply to an alert, oldest first; none if it is closed.
    pub fn silencing(&self, of: Silenced<'_>) -> Vec<SilenceId> {
        if !of.alert.is_open() {
            return Vec::new();
        }
        let applies = |(_, (_, matchers)): &(&SilenceId, &(Silence, Vec<Compiled>))| {
            matchers.iter().all(|matcher| of.is_matched(matcher))
        };
        self.active
            .iter()
            .filter(applies)
            .map(|(id, _)| *id)
            .collect()
    }
}

#[cfg(test)]
mod tests;
