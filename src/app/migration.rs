//! Migrates the schema of the database without serving.

use log::info;

use super::database::target;
use super::start_error::StartError;
use crate::config::Config;

/// The direction of a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MigrationDirection {
    /// Applies every pending migration.
    Up,
    /// Reverts the newest applied migration, with the data it added.
    DownOne,
}

/// Migrates the database of `config`.
///
/// # Errors
///
/// Returns why it could not.
pub fn migrate(config: Config, direction: MigrationDirection) -> Result<(), StartError> {
    let runner = actix::System::new();
    let (target, timeout) = (target(&config.database.url), config.database.timeout);
    runner.block_on(async {
        match direction {
            MigrationDirection::Up => {
                let applied = target.migrate(timeout).await?;
                for name in &applied {
                    info!("applied {name}");
                }
                info!("the database is up to date ({} applied)", applied.len());
            }
            MigrationDirection::DownOne => match target.revert_last(timeout).await? {
                Some(name) => info!("reverted {name}"),
                None => info!("there is nothing to revert"),
            },
        }
        Ok(())
    })
}
