//! The migrations of this release, and the operations on them.

use std::collections::BTreeMap;

use diesel::backend::Backend;
use diesel::migration::{Migration, MigrationSource, MigrationVersion};
use diesel::pg::Pg;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::error::StoreError;
use super::failure::is_about_the_way;
use crate::domain::leadership::SchemaVersion;

pub(super) const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
pub(super) const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// Returns the newest migration of this release; both databases have the same ones.
pub fn known_schema() -> SchemaVersion {
    let carried: Result<Vec<Box<dyn Migration<Pg>>>, _> = POSTGRES.migrations();
    let newest = carried.ok().and_then(|carried| {
        let versions = carried.iter().map(|one| one.name().version().as_owned());
        versions.max()
    });
    newest.map_or_else(SchemaVersion::default, |newest| {
        SchemaVersion::new(newest.to_string())
    })
}

/// Brings a database up to this release; returns the names of the migrations that were applied.
pub(super) fn run_pending<DB: Backend>(
    database: &mut impl MigrationHarness<DB>,
    carried: &impl MigrationSource<DB>,
) -> Result<Vec<String>, StoreError> {
    let taken = run_all(database, carried);
    match taken {
        // A server that ends a connection gives its reason once; later errors only say that it is
        // gone.
        Err(StoreError::Unusable(reason)) => match database.applied_migrations() {
            Err(lost) if is_about_the_way(&*lost) => Err(StoreError::Unavailable(reason)),
            Err(_) | Ok(_) => Err(StoreError::Unusable(reason)),
        },
        other => other,
    }
}

fn run_all<DB: Backend>(
    database: &mut impl MigrationHarness<DB>,
    carried: &impl MigrationSource<DB>,
) -> Result<Vec<String>, StoreError> {
    let names = names(carried)?;
    refuse_newer(database, &names)?;
    let mut taken = Vec::new();
    for migration in carried.migrations().map_err(failed)? {
        let version = migration.name().version();
        let applied = database.applied_migrations().map_err(failed)?;
        if !applied.contains(&version.as_owned()) {
            database.run_migration(&*migration).map_err(failed)?;
            taken.push(migration.name().to_string());
        }
    }
    Ok(taken)
}

/// Reverts the last migration; returns its name, if there was one.
pub(super) fn revert_last<DB: Backend>(
    database: &mut impl MigrationHarness<DB>,
    carried: &impl MigrationSource<DB>,
) -> Result<Option<String>, StoreError> {
    let names = names(carried)?;
    refuse_newer(database, &names)?;
    let applied = database.applied_migrations().map_err(failed)?;
    let Some(last) = applied.into_iter().max() else {
        return Ok(None);
    };
    for migration in carried.migrations().map_err(failed)? {
        if migration.name().version() == last {
            database.revert_migration(&*migration).map_err(failed)?;
        }
    }
    Ok(names.get(&last).cloned())
}

/// Returns the names of this release's migrations, by version.
fn names<DB: Backend>(
    carried: &impl MigrationSource<DB>,
) -> Result<BTreeMap<MigrationVersion<'static>, String>, StoreError> {
    Ok(carried
        .migrations()
        .map_err(failed)?
        .iter()
        .map(|migration| {
            let name = migration.name();
            (name.version().as_owned(), name.to_string())
        })
        .collect())
}

/// Refuses a database that a newer release has changed, because its content may have another
/// meaning now.
fn refuse_newer<DB: Backend>(
    database: &mut impl MigrationHarness<DB>,
    names: &BTreeMap<MigrationVersion<'static>, String>,
) -> Result<(), StoreError> {
    let applied = database.applied_migrations().map_err(failed)?;
    match applied.iter().find(|version| !names.contains_key(version)) {
        Some(unknown) => Err(StoreError::Unusable(format!(
            "the database was written by a newer release: it has migration {unknown}, which this \
             release does not know"
        ))),
        None => Ok(()),
    }
}

fn failed(error: Box<dyn std::error::Error + Send + Sync>) -> StoreError {
    let reason = format!("the database cannot be brought up to date: {error}");
    if is_about_the_way(&*error) {
        StoreError::Unavailable(reason)
    } else {
        StoreError::Unusable(reason)
    }
}
