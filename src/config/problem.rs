//! What can be wrong with a configuration, said so that it can be put right.

use std::fmt;

use super::origin::Origin;

/// Everything that is wrong, found in one go: nobody should have to start a program five times to
/// learn of five mistakes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(Vec<Problem>);

impl ConfigErrors {
    pub(super) fn new(problems: Vec<Problem>) -> Self {
        Self(problems)
    }

    /// The problems in the order they were found; never empty.
    pub fn problems(&self) -> &[Problem] {
        &self.0
    }
}

impl fmt::Display for ConfigErrors {
    /// One problem per line.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(formatter, "{separator}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// One thing that is wrong. Prints as one line, without secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// A value that is no value of its setting.
    Value {
        /// The setting.
        name: &'static str,
        /// Who set it.
        origin: Origin,
        /// The value as it may be shown.
        shown: String,
        /// What a value must be, as the end of a sentence that begins with the setting.
        rule: String,
    },
    /// Values that are fine one by one and do not go together.
    Rule {
        /// The rule, and why it is one.
        rule: String,
        /// Every value involved, and where it comes from.
        values: String,
        /// What to change.
        remedy: String,
    },
    /// A `.env` that cannot be used.
    DotEnv {
        /// The file and, where known, the line.
        place: String,
        /// What is wrong there, without the line's text: it may hold a password.
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
            Self::DotEnv { place, reason } => write!(formatter, "{place}: {reason}."),
        }
    }
}

/// Something that is no mistake for certain, but does not do what it looks like. Prints as one
/// sentence, without secrets; shown by `config check` and logged at the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// A variable nobody reads.
    Unknown(UnknownVariable),
    /// A setting, or a part of its value, that has no effect.
    NoEffect {
        /// The setting.
        name: &'static str,
        /// Who set it.
        origin: Origin,
        /// What has no effect, as the end of a sentence that begins with the setting.
        reason: String,
    },
    /// A setting with two lines in one `.env`.
    Repeated {
        /// The setting.
        name: String,
        /// The file.
        file: String,
        /// The line that does not count.
        first: usize,
        /// The line that does.
        last: usize,
    },
    /// A `.env` that was passed over.
    DotEnv {
        /// The file.
        place: String,
        /// Why.
        reason: String,
    },
}

impl Warning {
    /// The variable it is about, if it is about one.
    pub fn variable(&self) -> Option<&str> {
        match self {
            Self::Unknown(UnknownVariable { name, .. }) | Self::Repeated { name, .. } => Some(name),
            Self::NoEffect { name, .. } => Some(name),
            Self::DotEnv { .. } => None,
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
        }
    }
}

/// A variable nobody reads that looks as if it was meant to be one of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownVariable {
    /// The variable as it is set.
    pub name: String,
    /// Who set it.
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
