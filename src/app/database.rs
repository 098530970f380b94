//! Which database the settings name, in the words of the store.

use crate::config::DatabaseUrl;

/// The URL with its password, as the driver needs it; never to be shown.
pub(super) fn database_url(url: &DatabaseUrl) -> String {
    match url {
        DatabaseUrl::Memory => "memory:".to_owned(),
        DatabaseUrl::Sqlite(path) => format!("sqlite://{}", path.display()),
        DatabaseUrl::Postgres(url) => url.expose().to_owned(),
    }
}
