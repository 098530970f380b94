//! The faults of a configuration, and what to do about each.

use std::fmt;

use super::origin::Origin;

/// Every fault, found in one pass, so that five mistakes do not need five starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(Vec<Problem>);

impl ConfigErrors {
    pub(super) fn new(problems: Vec<Problem>) -> Self {
        Self(problems)
    }

    /// Returns the problems in the order they were found; never empty.
    pub fn problems(&self) -> &[Problem] {
        &self.0
    }
}

impl fmt::Display for ConfigErrors {
    /// Writes one problem per line.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(formatter, "{separator}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// One fault. Prints as one line, without secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Problem {
    /// A value that its setting does not accept.
    Value {
        /// The setting.
        name: &'static str,
        origin: Origin,
        /// The value as it may be shown.
        shown: String,
        /// The accepted values, as the end of a sentence that begins with the setting.
        rule: String,
    },
    /// Values that are valid one by one and contradict each other.
    Rule {
        /// The rule, and why it is one.
        rule: String,
        /// Every value involved, and its origin.
        values: String,
        /// What to change.
        remedy: String,
    },
    /// Values that contradict each other, in a sentence that names both and what to do.
    Contradiction { sentence: String },
    /// A `.env` that cannot be used.
    DotEnv {
        /// The file and, where known, the line.
        place: String,
        /// The fault, without the line's text, which may hold a password.
        reason: String,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value {
                name,
                origin,
                shown,
                rule,
            } => {
                write!(
                    formatter,
                    "{name} ({}) is {shown}: it {rule}.",
                    origin.describe(name)
                )
            }
            Self::Rule {
                rule,
                values,
                remedy,
            } => {
                write!(formatter, "{rule}, but {values}. {remedy}.")
            }
            Self::Contradiction { sentence } => formatter.write_str(sentence),
            Self::DotEnv { place, reason } => write!(formatter, "{place}: {reason}."),
        }
    }
}

/// A setting that may not do what it looks like. Prints as one sentence, without secrets; shown by
/// `config check` and logged at the start.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Warning {
    /// A variable that no program reads.
    Unknown(UnknownVariable),
    /// A setting, or a part of its value, that has no effect.
    NoEffect {
        /// The setting.
        name: &'static str,
        origin: Origin,
        /// The part without effect, as the end of a sentence that begins with the setting.
        reason: String,
    },
    /// A setting with two lines in one `.env`.
    Repeated {
        name: String,
        file: String,
        /// The line that does not count.
        first: usize,
        /// The line that counts.
        last: usize,
    },
    /// A `.env` that was passed over.
    DotEnv { place: String, reason: String },
    /// Every program that reaches the address may give orders.
    Exposed { address: String },
    /// Keys of callers cross the network without encryption.
    KeysInCleartext { address: String },
}

impl Warning {
    /// Returns the variable that the warning concerns, if it concerns one.
    pub fn variable(&self) -> Option<&str> {
        match self {
            Self::Unknown(UnknownVariable { name, .. }) | Self::Repeated { name, .. } => Some(name),
            Self::NoEffect { name, .. } => Some(name),
            Self::DotEnv { .. } => None,
            Self::Exposed { .. } => Some("AUTH"),
            Self::KeysInCleartext { .. } => Some("TLS_CERT"),
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(unknown) => unknown.fmt(formatter),
            Self::NoEffect {
                name,
                origin,
                reason,
            } => write!(formatter, "{name} ({}) {reason}.", origin.describe(name)),
            Self::Repeated {
                name,
                file,
                first,
                last,
            } => write!(
                formatter,
                "{name} is set in lines {first} and {last} of {file}; line {last} counts."
            ),
            Self::DotEnv { place, reason } => {
                write!(formatter, "{place} {reason}; it was passed over.")
            }
            Self::Exposed { address } => write!(
                formatter,
                "AUTH is off and BIND_ADDRESS is {address}: every machine that reaches this address can give orders \
                 to the fleet. Set AUTH=on unless only trusted machines do."
            ),
            Self::KeysInCleartext { address } => write!(
                formatter,
                "AUTH is on, BIND_ADDRESS is {address}, and TLS_CERT is not set: keys of callers cross the network without \
                 encryption, and a listener can act with them. Set TLS_CERT and TLS_KEY, or let a proxy speak TLS and name the \
                 proxy in TRUSTED_PROXIES."
            ),
        }
    }
}

/// A variable that this program does not read and whose name resembles a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct UnknownVariable {
    /// The variable as it is set.
    pub name: String,
    pub origin: Origin,
    /// The setting it resembles most.
    pub suggestion: &'static str,
}

impl fmt::Display for UnknownVariable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            origin,
            suggestion,
        } = self;
        write!(
            formatter,
            "{name} ({}) is not a setting and has no effect; did you mean {suggestion}?",
            origin.describe(name)
        )
    }
}
