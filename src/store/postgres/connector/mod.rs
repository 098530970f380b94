//! Which server, and how to connect to it. The only place that knows the URL's password.

use std::fmt::{self, Display};
use std::path::PathBuf;
use std::time::Duration;

use diesel::sql_types::Text;
use diesel::{ConnectionError, QueryableByName};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use log::debug;
use tokio::net::UnixStream;
use tokio_postgres::config::{Host, SslMode, SslNegotiation, TargetSessionAttrs};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::obstacle::passes_by_itself;
use super::sqlstate::{Followed, FollowedTls, LastError, Plain};
use super::tls;
use super::url::{names_keepalives, take_ssl, unusable, verification};
use crate::store::error::StoreError;

/// The name of the connections in `pg_stat_activity`, unless the URL has another.
const APPLICATION_NAME: &str = "resilient-orchestrator";

/// After how long without traffic the operating system checks that the server is still there.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// The encoding in which a database keeps its texts.
#[derive(QueryableByName)]
struct Encoding {
    #[diesel(sql_type = Text)]
    encoding: String,
    #[diesel(sql_type = Text)]
    database: String,
}

/// A server and a database on it.
pub(super) struct Connector {
    config: Config,
    tls: Option<MakeRustlsConnect>,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("address", &self.address())
            .finish_non_exhaustive()
    }
}

impl Connector {
    /// Reads a `postgres://` URL. The driver knows all of it but the verifying `sslmode`s.
    pub(super) fn parse(url: &str) -> Result<Self, StoreError> {
        let (rest, ssl_mode, root_file) = take_ssl(url)?;
        let mut config: Config = rest.parse().map_err(|error: tokio_postgres::Error| {
            unusable(format!(
                "the database URL cannot be read: {}",
                whole_story(&error)
            ))
        })?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(unusable("the database URL names no host".to_owned()));
        }
        let verification = verification(ssl_mode.as_deref(), root_file.as_deref())?;
        config.ssl_mode(match verification {
            Some(_) => SslMode::Require,
            None => SslMode::Disable,
        });
        // A standby would hand out the fleet of an earlier moment.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        if config.get_application_name().is_none() {
            config.application_name(APPLICATION_NAME);
        }
        if !names_keepalives(&rest) {
            config.keepalives_idle(KEEPALIVE);
        }
        let tls = match verification {
            Some(verification) => Some(tls::connector(verification)?),
            None => None,
        };
        Ok(Self { config, tls })
    }

    /// The same, with connections that call themselves `label`.
    pub(super) fn named(mut self, label: String) -> Self {
        self.config.application_name(label);
        self
    }

    /// The same, with connections that are given up if a server does not answer for `limit`.
    pub(super) fn hurried(mut self, limit: Duration) -> Self {
        self.config.connect_timeout(limit);
        self.config.tcp_user_timeout(limit);
        self
    }

    /// Returns `host:port`, to be shown.
    pub(super) fn address(&self) -> String {
        let (host, port) = self.host_and_port();
        format!("{host}:{port}")
    }

    fn host_and_port(&self) -> (String, u16) {
        let host = match self.config.get_hosts().first() {
            Some(Host::Tcp(name)) => name.clone(),
            Some(Host::Unix(path)) => path.display().to_string(),
            None => self
                .config
                .get_hostaddrs()
                .first()
                .map(ToString::to_string)
                .unwrap_or_default(),
        };
        let port = self.config.get_ports().first().copied().unwrap_or(5432);
        (host, port)
    }

    /// Returns the error of a connection that could not be made.
    pub(super) fn unreachable(&self, error: &impl Display) -> StoreError {
        StoreError::Unavailable(format!(
            "cannot connect to PostgreSQL at {}: {error}",
            self.address()
        ))
    }

    /// Makes a connection for the pool. The server itself ends statements that take longer than
    /// `limit`, so a connection that was abandoned does not keep its locks for long.
    pub(super) async fn connect(
        &self,
        limit: Duration,
    ) -> Result<AsyncPgConnection, ConnectionError> {
        let mut connection = self.establish().await.map_err(|obstacle| match obstacle {
            Obstacle::Connect(error) => ConnectionError::BadConnection(whole_story(&error)),
            Obstacle::Socket(error) => ConnectionError::BadConnection(error.to_string()),
            Obstacle::Setup(error) => error,
        })?;
        let limit_ms = limit.as_millis().clamp(1, i32::MAX as u128);
        // A wait for a lock ends a little earlier, so that its error arrives before the call is
        // abandoned.
        let lock_ms = lock_limit(limit);
        connection
            .batch_execute(&format!(
                "SET statement_timeout = {limit_ms}; SET lock_timeout = {lock_ms}; \
                 SET idle_in_transaction_session_timeout = {limit_ms}; \
                 SET random_page_cost = 1.1"
            ))
            .await
            .map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok(connection)
    }

    /// Makes a connection on which migrations may take any time, once they have the lock.
    pub(super) async fn connect_for_migrations(
        &self,
        limit: Duration,
        lock: i64,
    ) -> Result<AsyncPgConnection, StoreError> {
        let prepared = async {
            let mut connection = self
                .establish()
                .await
                .map_err(|obstacle| obstacle.into_store_error(self))?;
            let lock_ms = lock_limit(limit);
            self.check_encoding(&mut connection).await?;
            connection
                .batch_execute(&format!(
                    "SET lock_timeout = {lock_ms}; SELECT pg_advisory_lock({lock})"
                ))
                .await?;
            Ok(connection)
        };
        tokio::time::timeout(limit, prepared)
            .await
            .unwrap_or_else(|_| Err(self.unreachable(&format!("no answer within {limit:?}"))))
    }

    /// Refuses a database with another encoding than UTF-8, because it can hold only some texts.
    /// Waiting does not help: the encoding of a database never changes.
    async fn check_encoding(&self, connection: &mut AsyncPgConnection) -> Result<(), StoreError> {
        let Encoding { encoding, database } = diesel::sql_query(
            "SELECT pg_encoding_to_char(encoding)::text AS encoding, datname::text AS database \
             FROM pg_database WHERE datname = current_database()",
        )
        .get_result(connection)
        .await?;
        if encoding == "UTF8" {
            return Ok(());
        }
        let (host, port) = self.host_and_port();
        Err(unusable(format!(
            "the database `{database}` has the encoding {encoding}, which cannot hold every text; \
             the orchestrator needs UTF8. Make another database with `createdb -h {host} -p {port} \
             -E UTF8 -T template0 --locale=C NEW_NAME` and put NEW_NAME into DATABASE_URL"
        )))
    }

    /// Makes a connection whose errors are recorded (`sqlstate.rs`), wherever the server is.
    async fn establish(&self) -> Result<AsyncPgConnection, Obstacle> {
        let last = LastError::default();
        let mut connection = if let Some(tls) = &self.tls {
            let tls = FollowedTls::new(tls.clone(), last.clone());
            let (client, driver) = self.config.connect(tls).await.map_err(Obstacle::Connect)?;
            AsyncPgConnection::try_from_client_and_connection(client, driver).await
        } else if let Some(path) = self.socket_path() {
            let socket = UnixStream::connect(&path).await.map_err(Obstacle::Socket)?;
            let socket = Followed::new(socket, last.clone());
            let (client, driver) = self
                .config
                .connect_raw(socket, NoTls)
                .await
                .map_err(Obstacle::Connect)?;
            tokio::spawn(async move {
                if let Err(error) = driver.await {
                    debug!(error:%; "a connection to PostgreSQL ended: {error}");
                }
            });
            check_writable(&client).await?;
            AsyncPgConnection::try_from(client).await
        } else if self.config.get_hosts().is_empty() {
            // The address has no host name, and the driver accepts no connector for it.
            let (client, driver) = self
                .config
                .connect(NoTls)
                .await
                .map_err(Obstacle::Connect)?;
            AsyncPgConnection::try_from_client_and_connection(client, driver).await
        } else {
            // The driver hands its socket over only for encryption.
            let mut config = self.config.clone();
            config.ssl_mode(SslMode::Require);
            config.ssl_negotiation(SslNegotiation::Direct);
            let plain = FollowedTls::new(Plain, last.clone());
            let (client, driver) = config.connect(plain).await.map_err(Obstacle::Connect)?;
            AsyncPgConnection::try_from_client_and_connection(client, driver).await
        }
        .map_err(Obstacle::Setup)?;
        connection.set_instrumentation(last);
        Ok(connection)
    }

    /// Returns the socket of a server on this machine, if that is the only way to it.
    fn socket_path(&self) -> Option<PathBuf> {
        let [Host::Unix(directory)] = self.config.get_hosts() else {
            return None;
        };
        let port = self.config.get_ports().first().copied().unwrap_or(5432);
        Some(directory.join(format!(".s.PGSQL.{port}")))
    }
}

/// Checks what the driver checks of every connection that it makes from the beginning.
async fn check_writable(client: &Client) -> Result<(), Obstacle> {
    let answer = client.simple_query("SHOW transaction_read_only").await;
    let is_read_only = answer
        .map_err(Obstacle::Connect)?
        .iter()
        .any(|message| matches!(message, SimpleQueryMessage::Row(row) if row.get(0) == Some("on")));
    if is_read_only {
        return Err(Obstacle::Socket(std::io::Error::new(
            std::io::ErrorKind::PermissionDenied,
            "the database does not allow writes",
        )));
    }
    Ok(())
}

/// Why a connection could not be made.
enum Obstacle {
    /// The driver could not connect.
    Connect(tokio_postgres::Error),
    /// The socket of a server on this machine could not be opened.
    Socket(std::io::Error),
    /// The connection was made, and could not be used.
    Setup(ConnectionError),
}

impl Obstacle {
    fn into_store_error(self, target: &Connector) -> StoreError {
        match self {
            Self::Connect(error) if passes_by_itself(&error) => {
                target.unreachable(&whole_story(&error))
            }
            Self::Connect(error) => {
                let (address, story) = (target.address(), whole_story(&error));
                let advice = advice(&error, target.config.get_dbname());
                unusable(format!(
                    "PostgreSQL at {address} refuses the connection: {story}{advice}"
                ))
            }
            Self::Socket(error) => target.unreachable(&error),
            Self::Setup(error) => target.unreachable(&error),
        }
    }
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

fn lock_limit(limit: Duration) -> u128 {
    limit.mul_f64(0.8).as_millis().clamp(1, i32::MAX as u128)
}

/// Returns an error with its causes, each once. The driver's texts name no password.
fn whole_story(error: &dyn std::error::Error) -> String {
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

#[cfg(test)]
mod tests;
