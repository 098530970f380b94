//! Which database the settings name, in the words of the store.

use crate::config::DatabaseUrl;
use crate::store::Target;

/// The database that a setting names. Its text was read and checked by `config`; nobody reads it
/// again.
pub(super) fn target(url: &DatabaseUrl) -> Target {
    match url {
        DatabaseUrl::Memory => Target::Memory,
        DatabaseUrl::Sqlite(path) => Target::Sqlite(path.clone()),
        DatabaseUrl::Postgres(url) => Target::Postgres(url.expose().to_owned()),
    }
}
