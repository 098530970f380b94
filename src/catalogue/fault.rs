//! What is wrong with a file, and in which line.

use std::fmt;

/// A mistake in a file. Its reason repeats no value, because a value may be a URL with a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The line, from 1; of a row that has several lines the first.
    pub(crate) line: u64,
    /// The fault and its remedy, to be read after the number of the line.
    pub(crate) reason: String,
    /// Whether the rest of the file cannot be read.
    pub(crate) ends_the_file: bool,
}

impl Fault {
    /// Creates the fault of one row; the rows behind it can be read.
    pub(crate) fn of_row(line: u64, reason: impl Into<String>) -> Self {
        Self {
            line,
            reason: reason.into(),
            ends_the_file: false,
        }
    }

    /// Creates the fault of the file, found in a line.
    pub(crate) fn of_file(line: u64, reason: impl Into<String>) -> Self {
        Self {
            line,
            reason: reason.into(),
            ends_the_file: true,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} {}", self.line, self.reason)
    }
}
