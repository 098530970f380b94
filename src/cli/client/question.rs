//! What a running orchestrator can be asked from the command line.

use std::ffi::OsString;

/// What is asked of a running orchestrator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Question {
    pub(in crate::cli) subject: Subject,
    /// The flag `--url`.
    pub(in crate::cli) url: Option<OsString>,
    /// Whether the answer is printed as JSON.
    pub(in crate::cli) json: bool,
}

/// What it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) enum Subject {
    /// How the fleet is.
    Status,
    /// The recoveries; what restricts them, by parameter.
    Incidents(Vec<(&'static str, String)>),
    /// One recovery with its steps, by its id.
    Incident(String),
    /// Whether the invariants hold.
    Consistency,
    /// Who leads, and who else is there.
    Cluster,
    /// That a standby takes over.
    TakeOver {
        /// Why.
        reason: String,
    },
    /// The recovery of an instance that has failed, now.
    Recover(String),
    /// The recovery of an instance whether it has failed or not.
    Emergency {
        /// Which one.
        id: String,
        /// Why.
        reason: String,
    },
}
