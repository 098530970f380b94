//! From the text of a database URL to a store that is ready for use.

use std::sync::Arc;
use std::time::Duration;

use super::contract::Store;
use super::error::StoreError;
use super::memory::MemoryStore;
use super::postgres;
use super::postgres::PostgresStore;
use super::sqlite;
use super::sqlite::SqliteStore;

/// What kind of store a URL asks for.
#[derive(Debug, PartialEq, Eq)]
enum Kind<'u> {
    Memory,
    Sqlite(&'u str),
    Postgres,
}

/// Opens the store that `url` names, brings its tables up to this release and returns it.
///
/// - `memory:` keeps nothing beyond the process;
/// - `sqlite://path`, relative to the working directory or absolute;
/// - `postgres://user:password@host:port/name` (or `postgresql://`), with `sslmode` and
///   `sslrootcert` as described at [`PostgresStore`].
///
/// Every later call is bounded by `timeout`; `pool_size` is the number of connections, which
/// only PostgreSQL has more than two of.
///
/// # Errors
/// `Unavailable` if the server cannot be reached, `InUse` if another process has the file,
/// `Unusable` if the URL, the file or the content of the database cannot be used. No text contains a user name or a password.
pub async fn open(
    url: &str,
    timeout: Duration,
    pool_size: usize,
) -> Result<Arc<dyn Store>, StoreError> {
    open_for("in a program of its own", url, timeout, pool_size).await
}

/// As [`open`]. `owner` says what this process does with the database, for a second process that
/// is refused because of it: `at 127.0.0.1:8001`.
///
/// # Errors
/// As [`open`].
pub async fn open_for(
    owner: &str,
    url: &str,
    timeout: Duration,
    pool_size: usize,
) -> Result<Arc<dyn Store>, StoreError> {
    Ok(match kind(url)? {
        Kind::Memory => Arc::new(MemoryStore::new()),
        Kind::Sqlite(path) => Arc::new(SqliteStore::open(path, timeout, owner).await?),
        Kind::Postgres => Arc::new(PostgresStore::open(url, timeout, pool_size).await?),
    })
}

/// Brings the tables of the database that `url` names up to this release; returns the names of
/// the migrations that were missing.
///
/// # Errors
/// As [`open`].
pub async fn migrate(url: &str, timeout: Duration) -> Result<Vec<String>, StoreError> {
    match kind(url)? {
        Kind::Memory => Ok(Vec::new()),
        Kind::Sqlite(path) => sqlite::migrate(path, timeout).await,
        Kind::Postgres => postgres::migrate(url, timeout).await,
    }
}

/// Takes back the last migration of the database that `url` names, with everything in its tables;
/// returns its name, none if there is none left.
///
/// # Errors
/// As [`open`].
pub async fn revert_last(url: &str, timeout: Duration) -> Result<Option<String>, StoreError> {
    match kind(url)? {
        Kind::Memory => Ok(None),
        Kind::Sqlite(path) => sqlite::revert_last(path, timeout).await,
        Kind::Postgres => postgres::revert_last(url, timeout).await,
    }
}

fn kind(url: &str) -> Result<Kind<'_>, StoreError> {
    let (scheme, rest) = url.split_once(':').unwrap_or(("", url));
    let path = rest.strip_prefix("//");
    match (scheme, path) {
        ("memory", _) => Ok(Kind::Memory),
        // Elsewhere these mean something; here they would become odd file names.
        ("sqlite", Some(path)) if path.contains('?') => Err(StoreError::Unusable(
            "sqlite:// takes no options after a `?` in the database URL".to_owned(),
        )),
        ("sqlite", Some(":memory:")) => Err(StoreError::Unusable(
            "to keep nothing, write memory: as the database URL".to_owned(),
        )),
        ("sqlite", Some(path)) if !path.is_empty() => Ok(Kind::Sqlite(path)),
        ("sqlite", _) => Err(StoreError::Unusable(
            "the database URL names no file: write sqlite://path/to/file.db".to_owned(),
        )),
        ("postgres" | "postgresql", Some(_)) => Ok(Kind::Postgres),
        // Nothing but the scheme is repeated: the rest may hold a password.
        _ => Err(StoreError::Unusable(format!(
            "the scheme `{scheme}` of the database URL is not supported: use sqlite://, \
             postgres:// or memory:"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_chooses_the_store() {
        assert_eq!(kind("memory:").unwrap(), Kind::Memory);
        assert_eq!(kind("sqlite://a/b.db").unwrap(), Kind::Sqlite("a/b.db"));
        assert_eq!(kind("sqlite:///a/b.db").unwrap(), Kind::Sqlite("/a/b.db"));
        assert_eq!(kind("postgres://u:p@h/d").unwrap(), Kind::Postgres);
        assert_eq!(kind("postgresql://h/d").unwrap(), Kind::Postgres);
    }

    #[test]
    fn what_is_refused_is_refused_without_repeating_the_password() {
        for url in [
            "mysql://root:geheim@h/d",
            "geheim",
            "sqlite://",
            "sqlite:x",
            "sqlite://:memory:",
            "sqlite://a.db?mode=rwc",
        ] {
            let StoreError::Unusable(text) = kind(url).unwrap_err() else {
                panic!("another kind of error for {url}");
            };
            assert!(!text.contains("geheim"), "{text}");
        }
    }
}
