//! Composition root.

use std::fmt;

use crate::config::Config;

/// Which way the schema of the database is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MigrationDirection {
    /// Everything that is pending is applied.
    Up,
    /// The newest applied migration is reverted, with the data it added.
    DownOne,
}

/// Why the program could not start or had to end: one sentence for the operator.
#[derive(Debug)]
pub struct StartError(String);

impl fmt::Display for StartError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for StartError {}

/// Serves until the process is asked to end.
///
/// # Errors
///
/// What kept it from serving.
pub fn serve(config: Config) -> Result<(), StartError> {
    Err(StartError(format!(
        "Serving on {} is not there yet.",
        config.server.bind_address
    )))
}

/// Migrates the database of `config`.
///
/// # Errors
///
/// What kept it from doing so.
pub fn migrate(config: Config, direction: MigrationDirection) -> Result<(), StartError> {
    Err(StartError(format!(
        "Migrating {} {direction:?} is not there yet.",
        config.database.url
    )))
}
