//! The settings of the database, and how its password stays out of logs.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::postgres::PostgresUrl;

/// The settings of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct DatabaseSettings {
    pub url: DatabaseUrl,
    /// The longest time one call may take.
    pub timeout: Duration,
    /// The longest time the load of the whole fleet may take.
    pub load_timeout: Duration,
    /// How long a start waits for a database that does not answer yet; `None`: without limit.
    pub wait: Option<Duration>,
    /// Connections kept open to PostgreSQL; the other two do not use it.
    pub pool_size: u32,
}

/// A database this program can use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// In memory: it ends with the process. For demos and tests.
    Memory,
    /// A file of the embedded database, relative to the working directory unless it starts with `/`.
    Sqlite(PathBuf),
    /// A PostgreSQL server, or several of which one takes writes.
    Postgres(PostgresUrl),
}

impl fmt::Display for DatabaseUrl {
    /// Shows the file of SQLite, scheme and hosts of PostgreSQL.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => formatter.write_str("memory:"),
            Self::Sqlite(path) => write!(formatter, "sqlite://{}", path.display()),
            Self::Postgres(url) => url.fmt(formatter),
        }
    }
}

impl DatabaseUrl {
    /// Returns the parts without effect, each as the end of a sentence that begins with the
    /// setting.
    pub(super) fn without_effect(&self) -> Vec<String> {
        match self {
            Self::Memory | Self::Sqlite(_) => Vec::new(),
            Self::Postgres(url) => url.without_effect(),
        }
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        const SCHEMES: &str = "write sqlite://FILE, postgres://USER:PASSWORD@HOST/NAME or memory:";
        if text
            .chars()
            .any(|letter| letter.is_control() || letter.is_whitespace())
        {
            return Err(
                "must not contain spaces or control characters: write %20 for a space \
                        in a password"
                    .to_owned(),
            );
        }
        if text.eq_ignore_ascii_case("memory:") {
            return Ok(Self::Memory);
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(format!("has no scheme: {SCHEMES}"));
        };
        match scheme.to_ascii_lowercase().as_str() {
            "sqlite" => parse_sqlite(rest),
            // The driver knows the schemes in lower case only.
            scheme @ ("postgres" | "postgresql") => {
                PostgresUrl::parse(scheme, rest).map(Self::Postgres)
            }
            "memory" => Err("has a scheme that stands alone: write memory:".to_owned()),
            _ => Err(format!("has a scheme that is not supported: {SCHEMES}")),
        }
    }
}

fn parse_sqlite(path: &str) -> Result<DatabaseUrl, String> {
    if path.is_empty() || path.ends_with('/') {
        return Err(
            "names no file: write sqlite://orchestrator.db, or sqlite:///var/lib/x.db for \
                    an absolute path"
                .to_owned(),
        );
    }
    if path == ":memory:" {
        return Err(
            "names a database that SQLite would not keep: write memory: for one that is not kept"
                .to_owned(),
        );
    }
    if path.contains('?') {
        return Err(
            "has options after its file name, which SQLite is not given here: leave out \
                    everything from the question mark on"
                .to_owned(),
        );
    }
    Ok(DatabaseUrl::Sqlite(Path::new(path).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::masked_url::masked_url;

    #[test]
    fn the_three_databases() {
        assert_eq!(DatabaseUrl::parse("memory:"), Ok(DatabaseUrl::Memory));
        assert_eq!(
            DatabaseUrl::parse("sqlite://a.db"),
            Ok(DatabaseUrl::Sqlite("a.db".into()))
        );
        assert_eq!(
            DatabaseUrl::parse("SQLITE:///var/lib/a.db"),
            Ok(DatabaseUrl::Sqlite("/var/lib/a.db".into()))
        );
        for (text, exposed) in [
            ("postgres://u:p%40@db:5432/x?sslmode=require", None),
            ("postgresql://db,db2:5433/x", None),
            ("postgres:///x?host=/run/postgresql", None),
            ("postgres://[::1]/x", None),
            ("Postgres://db/x", Some("postgres://db/x")),
        ] {
            let DatabaseUrl::Postgres(url) = DatabaseUrl::parse(text).unwrap() else {
                panic!("{text} is PostgreSQL")
            };
            assert_eq!(url.expose(), exposed.unwrap_or(text));
        }
    }

    #[test]
    fn refusals_say_why() {
        for (text, part) in [
            ("orchestrator.db", "no scheme"),
            ("sqlite:orchestrator.db", "no scheme"),
            ("mysql://db/x", "not supported"),
            ("sqlite://", "no file"),
            ("sqlite:///var/lib/", "no file"),
            ("sqlite://:memory:", "memory:"),
            ("sqlite://a.db?mode=ro", "options"),
            ("memory://", "stands alone"),
            ("postgres://", "no server"),
            ("postgres://a,,b/x", "empty host"),
            ("postgres://db:0/x", "port"),
            ("postgres://db:70000/x", "port"),
            ("postgres://u:p/w@db/x", "%2F"),
            ("postgres://u:p@w@db/x", "%40"),
            ("postgres://u:p#w@db/x", "%23"),
            ("postgres://u:1?w@db/x", "%3F"),
            ("postgres://u:p w@db/x", "spaces"),
        ] {
            let rule = DatabaseUrl::parse(text).unwrap_err();
            assert!(rule.contains(part), "{text}: {rule}");
        }
    }

    #[test]
    fn only_scheme_and_host_are_shown() {
        for (text, shown) in [
            (
                "postgres://user:secret@db.example:5432/x?password=secret",
                "postgres://db.example/…",
            ),
            ("postgres://user:secret@[::1]:5432/x", "postgres://[::1]/…"),
            ("postgres://user:secret@a:1,b/x", "postgres://a,b/…"),
            ("mysql://db", "mysql://db"),
            ("postgres://user:sec/ret@db/x", "postgres://(hidden)"),
            ("postgres://user:sec@ret@db/x", "postgres://(hidden)"),
            ("postgres://user:sec#ret@db/x", "postgres://(hidden)"),
            ("postgres://user:sec?ret@db/x", "postgres://(hidden)"),
            ("postgres://db/x?password=secr@t", "postgres://(hidden)"),
            ("host=db password=secret", "(hidden)"),
            ("user:secret@db://x", "(hidden)"),
        ] {
            assert_eq!(masked_url(text), shown, "{text}");
        }
        let url = DatabaseUrl::parse("postgres://user:secret@db/x").unwrap();
        assert!(
            !format!("{url:?} {url}").contains("secret"),
            "{url:?} {url}"
        );
    }
}
