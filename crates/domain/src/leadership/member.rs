//! Another orchestrator, as its row in the database describes it.

use std::fmt;
use std::sync::Arc;

use super::judging::JudgingSettings;
use super::row::{NodeName, RunId};

/// The newest migration that a release knows, or that a database has. Versions are compared as texts of
/// one length; the empty one is of a release that did not write it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SchemaVersion(Arc<str>);

impl SchemaVersion {
    /// Wraps the text.
    pub fn new(version: impl Into<Arc<str>>) -> Self {
        Self(version.into())
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a release that knows this version must not lead a database of `database`.
    pub fn is_too_old_for(&self, database: &Self) -> bool {
        !self.0.is_empty() && self < database
    }
}

impl Default for SchemaVersion {
    fn default() -> Self {
        Self::new("")
    }
}

impl fmt::Display for SchemaVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How far an orchestrator that does not lead reaches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reach {
    /// Whether it reaches the leader.
    pub reaches_leader: bool,
    /// How many instances it heard and answered by itself within a window of its own clock, because it did not
    /// reach the leader. Heartbeats that it carried are the leader's.
    pub hears: u64,
}

/// A row of `members`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberRow {
    /// Its stable name.
    pub node: NodeName,
    /// Its process.
    pub run: RunId,
    /// Where other orchestrators reach it.
    pub address: String,
    /// Where workers and people reach it.
    pub public_url: String,
    /// The version of its program.
    pub release: String,
    /// The newest migration that it knows.
    pub schema: SchemaVersion,
    /// The settings by which it judges.
    pub settings: JudgingSettings,
    /// Counts the times it wrote its row.
    pub beat: i64,
    /// Whether the row admits it to the current term.
    pub is_admitted: bool,
    /// How far it reached when it wrote the row.
    pub reach: Reach,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_too_old_for_a_database_with_a_migration_that_it_does_not_know() {
        let table = [
            ("20261130110000", "20261130110000", false),
            ("20261130110000", "20261130130000", true),
            ("20261130130000", "20261130110000", false),
            ("", "20261130110000", false),
        ];
        for (own, database, is_too_old) in table {
            let own = SchemaVersion::new(own);
            let database = SchemaVersion::new(database);
            assert_eq!(
                own.is_too_old_for(&database),
                is_too_old,
                "{own} {database}"
            );
        }
    }
}
