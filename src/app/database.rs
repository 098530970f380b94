//! The database that the settings name, as the store's type.

use crate::config::DatabaseUrl;
use crate::store::Target;

/// Returns the database that a setting names. `config` has read and checked the text; it is not
/// read again.
pub(super) fn target(url: &DatabaseUrl) -> Target {
    match url {
        DatabaseUrl::Memory => Target::Memory,
        DatabaseUrl::Sqlite(path) => Target::Sqlite(path.clone()),
        DatabaseUrl::Postgres(url) => Target::Postgres(url.expose().to_owned()),
    }
}
