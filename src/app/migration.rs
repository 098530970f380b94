//! Moving the schema of the database without serving.

use log::info;

use super::database::target;
use super::start_error::StartError;
use crate::config::Config;

/// Which way the schema of the database is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MigrationDirection {
    /// Everything that is pending is applied.
    Up,
    /// The newest applied migration is reverted, with the data it added.
    DownOne,
}

/// Migrates the database of `config`.
///
/// # Errors
///
/// What kept it from doing so.
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
