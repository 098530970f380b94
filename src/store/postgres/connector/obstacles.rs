//! Why connections could not be made, in words, and whether a later try may succeed.

use std::fmt::Display;

use diesel::ConnectionError;
use tokio_postgres::error::SqlState;

use super::servers::Servers;
use crate::store::error::StoreError;
use crate::store::postgres::obstacle::passes_by_itself;
use crate::store::postgres::url::unusable;

/// Why a connection could not be made.
pub(super) enum Obstacle {
    /// The driver could not connect.
    Connect(tokio_postgres::Error),
    /// The socket of a server on this machine could not be opened.
    Socket(std::io::Error),
    /// The connection was made, and could not be used.
    Setup(ConnectionError),
}

impl Obstacle {
    fn story(&self) -> String {
        match self {
            Self::Connect(error) => whole_story(error),
            Self::Socket(error) => error.to_string(),
            Self::Setup(error) => error.to_string(),
        }
    }

    /// Returns whether a later try may succeed although nothing is changed.
    fn passes(&self) -> bool {
        match self {
            Self::Connect(error) => passes_by_itself(error),
            Self::Socket(_) | Self::Setup(_) => true,
        }
    }

    fn advice(&self, database: Option<&str>) -> String {
        match self {
            Self::Connect(error) => advice(error, database),
            Self::Socket(_) | Self::Setup(_) => String::new(),
        }
    }
}

/// Why no server could be connected to, each with its name if there are several.
pub(super) struct Obstacles(pub(super) Vec<(Option<String>, Obstacle)>);

impl Obstacles {
    fn story(&self) -> String {
        let stories = self.0.iter().map(|(server, obstacle)| match server {
            Some(server) => format!("{server}: {}", obstacle.story()),
            None => obstacle.story(),
        });
        stories.collect::<Vec<String>>().join("; ")
    }

    pub(super) fn into_connection_error(mut self) -> ConnectionError {
        let story = self.story();
        match self.0.pop() {
            Some((None, Obstacle::Setup(error))) => error,
            Some(_) | None => ConnectionError::BadConnection(story),
        }
    }

    /// The error of a start. If one of several servers may still become the one that takes writes, the start
    /// waits for it.
    pub(super) fn into_store_error(self, servers: &Servers) -> StoreError {
        let story = self.story();
        if self.0.iter().any(|(_, obstacle)| obstacle.passes()) {
            return unreachable(servers, &story);
        }
        let database = servers.database();
        let advices = self.0.iter().map(|(_, obstacle)| obstacle.advice(database));
        let advice = advices.reduce(|first, _| first);
        unusable(format!(
            "PostgreSQL at {servers} refuses the connection: {story}{}",
            advice.unwrap_or_default()
        ))
    }
}

/// Returns the error of a connection that could not be made.
pub(super) fn unreachable(servers: &Servers, error: &impl Display) -> StoreError {
    StoreError::Unavailable(format!(
        "cannot connect to PostgreSQL at {servers}: {error}"
    ))
}

/// Returns what to do about a refusal, if that is known.
fn advice(error: &tokio_postgres::Error, database: Option<&str>) -> String {
    match (error.code(), database) {
        (Some(&SqlState::INVALID_CATALOG_NAME), Some(name)) => format!(
            "; create the database (createdb --template=template0 --encoding=UTF8 {name}), or \
             correct DATABASE_URL"
        ),
        (
            Some(
                &SqlState::INVALID_PASSWORD
                | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION
                | &SqlState::INVALID_CATALOG_NAME,
            ),
            _,
        ) => "; correct DATABASE_URL, or what the server allows".to_owned(),
        _ => String::new(),
    }
}

/// Returns an error with its causes, each once. The driver's texts name no password.
pub(super) fn whole_story(error: &dyn std::error::Error) -> String {
    let mut story = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !story.contains(&text) {
            story = format!("{story}: {text}");
        }
        cause = error.source();
    }
    story
}
