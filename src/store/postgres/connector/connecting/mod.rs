//! One connection to the server that takes writes: where, how, and what is refused.

use std::fmt::{self, Display};
use std::sync::Arc;
use std::time::Duration;

use diesel::sql_types::Text;
use diesel::{ConnectionError, QueryableByName};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use log::debug;
use tokio::net::UnixStream;
use tokio_postgres::config::{SslMode, SslNegotiation, TargetSessionAttrs};
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::history::{History, Use};
use super::obstacles::{self, Obstacle, Obstacles, whole_story};
use super::servers::{Server, Servers};
use crate::store::error::StoreError;
use crate::store::leadership::{Origin, OriginFound};
use crate::store::postgres::dialect::ORIGIN;
use crate::store::postgres::sqlstate::{Followed, FollowedTls, LastCodes, Plain};
use crate::store::postgres::tls;
use crate::store::postgres::url::{names_keepalives, take_ssl, unusable, verification};

/// The name of the connections in `pg_stat_activity`, unless the URL has another.
const APPLICATION_NAME: &str = "resilient-orchestrator";

/// After how long without traffic the operating system checks that the server is still there.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// A COMMIT that is answered is on the disk of the primary, and of a synchronous standby if one is named,
/// whatever the server's default is. A stronger default stays.
const WAIT_FOR_DISK: &str = "SELECT set_config('synchronous_commit', 'on', false) \
    WHERE current_setting('synchronous_commit') NOT IN ('on', 'remote_apply')";

/// The encoding in which a database keeps its texts.
#[derive(QueryableByName)]
struct Encoding {
    #[diesel(sql_type = Text)]
    encoding: String,
    #[diesel(sql_type = Text)]
    database: String,
}

/// The servers that may have a database, of which one takes writes.
pub(in crate::store::postgres) struct Connector {
    servers: Servers,
    tls: Option<MakeRustlsConnect>,
    history: Arc<History>,
    serves: Use,
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
    pub(in crate::store::postgres) fn parse(url: &str) -> Result<Self, StoreError> {
        let (rest, ssl_mode, root_file) = take_ssl(url)?;
        let mut config: Config = rest.parse().map_err(|error: tokio_postgres::Error| {
            unusable(format!(
                "the database URL cannot be read: {}",
                whole_story(&error)
            ))
        })?;
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
        let servers = Servers::of(&config);
        let servers = servers.map_err(|fault| unusable(format!("the database URL {fault}")))?;
        Ok(Self {
            servers,
            tls,
            history: Arc::default(),
            serves: Use::Leadership,
        })
    }

    /// The same, of a process that goes by this history.
    pub(in crate::store::postgres) fn going_by(self, history: Arc<History>, serves: Use) -> Self {
        Self {
            history,
            serves,
            ..self
        }
    }

    /// The same, with connections that call themselves `label`.
    pub(in crate::store::postgres) fn named(mut self, label: &str) -> Self {
        self.servers.change(|config| {
            config.application_name(label);
        });
        self
    }

    /// The same, with connections that are given up if a server does not answer for `limit`.
    pub(in crate::store::postgres) fn hurried(mut self, limit: Duration) -> Self {
        self.servers.change(|config| {
            config.connect_timeout(limit).tcp_user_timeout(limit);
        });
        self
    }

    /// Returns `host:port` of each server, to be shown.
    pub(in crate::store::postgres) fn address(&self) -> String {
        self.servers.to_string()
    }

    /// Returns the error of a connection that could not be made.
    pub(in crate::store::postgres) fn unreachable(&self, error: &impl Display) -> StoreError {
        obstacles::unreachable(&self.servers, error)
    }

    /// Makes a connection for the pool. The server itself ends statements that take longer than
    /// `limit`, so a connection that was abandoned does not keep its locks for long.
    pub(in crate::store::postgres) async fn connect(
        &self,
        limit: Duration,
    ) -> Result<AsyncPgConnection, ConnectionError> {
        let mut connection = self
            .establish(limit)
            .await
            .map_err(Obstacles::into_connection_error)?;
        let limit_ms = limit.as_millis().clamp(1, i32::MAX as u128);
        // A wait for a lock ends a little earlier, so that its error arrives before the call is
        // abandoned. Warnings are heeded (`sqlstate.rs`), whatever the server's default is.
        let lock_ms = lock_limit(limit);
        connection
            .batch_execute(&format!(
                "SET statement_timeout = {limit_ms}; SET lock_timeout = {lock_ms}; \
                 SET idle_in_transaction_session_timeout = {limit_ms}; \
                 SET random_page_cost = 1.1; SET client_min_messages = warning; {WAIT_FOR_DISK}"
            ))
            .await
            .map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok(connection)
    }

    /// Makes a connection on which migrations may take any time, once they have the lock.
    pub(in crate::store::postgres) async fn connect_for_migrations(
        &self,
        limit: Duration,
        lock: i64,
    ) -> Result<AsyncPgConnection, StoreError> {
        let prepared = async {
            let mut connection = self
                .establish(limit)
                .await
                .map_err(|obstacles| obstacles.into_store_error(&self.servers))?;
            let lock_ms = lock_limit(limit);
            self.check_encoding(&mut connection).await?;
            connection
                .batch_execute(&format!(
                    "SET lock_timeout = {lock_ms}; {WAIT_FOR_DISK}; SELECT pg_advisory_lock({lock})"
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
        let (host, port) = self.servers.newest();
        Err(unusable(format!(
            "the database `{database}` has the encoding {encoding}, which cannot hold every text; \
             the orchestrator needs UTF8. Make another database with `createdb -h {host} -p {port} \
             -E UTF8 -T template0 --locale=C NEW_NAME` and put NEW_NAME into DATABASE_URL"
        )))
    }

    /// Makes a connection to the server that takes writes, whose errors and warnings are recorded (`sqlstate.rs`).
    async fn establish(&self, limit: Duration) -> Result<AsyncPgConnection, Obstacles> {
        let established = self
            .servers
            .first_of(limit, |server| self.establish_at(server));
        established.await.map_err(Obstacles)
    }

    async fn establish_at(&self, server: &Server) -> Result<AsyncPgConnection, Obstacle> {
        let config = &server.config;
        let last = LastCodes::default();
        let mut connection = if let Some(tls) = &self.tls {
            let tls = FollowedTls::new(tls.clone(), last.clone());
            let (client, driver) = config.connect(tls).await.map_err(Obstacle::Connect)?;
            AsyncPgConnection::try_from_client_and_connection(client, driver).await
        } else if let Some(path) = server.socket_path() {
            let socket = UnixStream::connect(&path).await.map_err(Obstacle::Socket)?;
            let socket = Followed::new(socket, last.clone());
            let (client, driver) = config
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
        } else if config.get_hosts().is_empty() {
            // The address has no host name, and the driver accepts no connector for it.
            let (client, driver) = config.connect(NoTls).await.map_err(Obstacle::Connect)?;
            AsyncPgConnection::try_from_client_and_connection(client, driver).await
        } else {
            // The driver hands its socket over only for encryption.
            let mut config = config.clone();
            config.ssl_mode(SslMode::Require);
            config.ssl_negotiation(SslNegotiation::Direct);
            let plain = FollowedTls::new(Plain, last.clone());
            let (client, driver) = config.connect(plain).await.map_err(Obstacle::Connect)?;
            AsyncPgConnection::try_from_client_and_connection(client, driver).await
        }
        .map_err(Obstacle::Setup)?;
        connection.set_instrumentation(last);
        self.judge_history(&mut connection).await?;
        Ok(connection)
    }

    async fn judge_history(&self, connection: &mut AsyncPgConnection) -> Result<(), Obstacle> {
        let found: OriginFound = diesel::sql_query(format!("SELECT {ORIGIN}"))
            .get_result(connection)
            .await
            .map_err(|error| Obstacle::Setup(ConnectionError::CouldntSetupConfiguration(error)))?;
        let timeline = Origin::from(found).timeline;
        let judged = self
            .history
            .judge(timeline, self.servers.are_several(), self.serves);
        judged.map_err(|reason| Obstacle::Socket(std::io::Error::other(reason)))
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

fn lock_limit(limit: Duration) -> u128 {
    limit.mul_f64(0.8).as_millis().clamp(1, i32::MAX as u128)
}

#[cfg(test)]
mod tests;
