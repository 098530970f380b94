//! The database that holds the fleet.

use std::fmt;
use std::path::PathBuf;

use super::error::StoreError;
use crate::domain::masked_url::masked_url;

/// A database that holds the fleet.
#[derive(Clone, PartialEq, Eq)]
pub enum Target {
    /// The memory of the process, which ends with it.
    Memory,
    /// A file of SQLite, relative to the working directory or absolute.
    Sqlite(PathBuf),
    /// A PostgreSQL server: its URL, which may hold a password.
    Postgres(String),
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory:"),
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            Self::Postgres(url) => f.write_str(&masked_url(url)),
        }
    }
}

impl Target {
    /// Reads a URL: `memory:`, `sqlite://path` (relative to the working directory or absolute), or
    /// `postgres://user:password@host:port/name` (or `postgresql://`), with `sslmode` and
    /// `sslrootcert` as described at [`PostgresStore`](super::PostgresStore).
    ///
    /// # Errors
    /// `Unusable` if it names no database. The text contains neither a user name nor a password.
    pub fn parse(url: &str) -> Result<Self, StoreError> {
        let (scheme, rest) = url.split_once(':').unwrap_or(("", url));
        let path = rest.strip_prefix("//");
        match (scheme, path) {
            ("memory", _) => Ok(Self::Memory),
            // Other programs read these as parameters; here they would become odd file names.
            ("sqlite", Some(path)) if path.contains('?') => Err(StoreError::Unusable(
                "sqlite:// takes no options after a `?` in the database URL".to_owned(),
            )),
            ("sqlite", Some(":memory:")) => Err(StoreError::Unusable(
                "to keep nothing, write memory: as the database URL".to_owned(),
            )),
            ("sqlite", Some(path)) if !path.is_empty() => Ok(Self::Sqlite(path.into())),
            ("sqlite", _) => Err(StoreError::Unusable(
                "the database URL names no file: write sqlite://path/to/file.db".to_owned(),
            )),
            ("postgres" | "postgresql", Some(_)) => Ok(Self::Postgres(url.to_owned())),
            // Only the scheme is repeated: the rest may hold a password.
            _ => Err(StoreError::Unusable(format!(
                "the scheme `{scheme}` of the database URL is not supported: use sqlite://, \
                 postgres:// or memory:"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_chooses_the_store() {
        assert_eq!(Target::parse("memory:").unwrap(), Target::Memory);
        assert_eq!(
            Target::parse("sqlite://a/b.db").unwrap(),
            Target::Sqlite("a/b.db".into())
        );
        assert_eq!(
            Target::parse("sqlite:///a/b.db").unwrap(),
            Target::Sqlite("/a/b.db".into())
        );
        assert_eq!(
            Target::parse("postgres://u:p@h/d").unwrap(),
            Target::Postgres("postgres://u:p@h/d".to_owned())
        );
        assert_eq!(
            Target::parse("postgresql://h/d").unwrap(),
            Target::Postgres("postgresql://h/d".to_owned())
        );
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
            let StoreError::Unusable(text) = Target::parse(url).unwrap_err() else {
                panic!("another kind of error for {url}");
            };
            assert!(!text.contains("geheim"), "{text}");
        }
    }

    #[test]
    fn a_target_is_shown_without_its_password() {
        let target = Target::parse("postgres://u:geheim@h/d").unwrap();
        assert_eq!(format!("{target:?}"), "postgres://h/…");
    }
}
