//! The PostgreSQL of a measurement: a server, and a standby that streams from it if one is promoted.

use tokio::runtime::Builder;

use super::members::{Failure, until};
use super::support::postgres::{Database, Server, connect};
use super::support::proxy::Proxy;

/// The servers, each behind a way that leads to the next one in its place.
#[derive(Debug)]
pub(super) struct Databases {
    servers: Vec<Server>,
    ways: Vec<Proxy>,
    primary: usize,
    database: Database,
}

impl Databases {
    /// One server with an empty database.
    pub(super) fn new() -> Self {
        let server = Server::start(&[], "");
        let database = block_on(server.database());
        Self {
            ways: vec![Proxy::in_front_of(server.port())],
            servers: vec![server],
            primary: 0,
            database,
        }
    }

    /// The port of the server that takes writes.
    pub(super) fn port(&self) -> u16 {
        self.servers[self.primary].port()
    }

    /// The URL of the database, at this port.
    pub(super) fn url_at(&self, port: u16) -> String {
        let name = self.database.name();
        format!("postgres://postgres@127.0.0.1:{port}/{name}")
    }

    /// The URL for members: the server, or the ways to both.
    pub(super) fn url(&self) -> String {
        let [first, second] = self.ways.as_slice() else {
            return self.url_at(self.port());
        };
        let (first, second) = (first.port(), second.port());
        let name = self.database.name();
        format!("postgres://postgres@127.0.0.1:{first},127.0.0.1:{second}/{name}")
    }

    /// Ends the server as a crash would.
    pub(super) fn crash(&self) {
        self.servers[self.primary].stop_immediate();
    }

    /// Starts it again; returns once it takes connections.
    pub(super) fn start_again(&self) {
        self.servers[self.primary].start_again();
    }

    /// Adds a standby, in the place of the server that ended last if there is one.
    pub(super) fn add_standby(&mut self) -> Result<(), Failure> {
        let standby = self.servers[self.primary].standby();
        match self.ways.get(1 - self.primary) {
            Some(way) => {
                way.redirect(standby.port());
                self.servers[1 - self.primary] = standby;
            }
            None => {
                self.ways.push(Proxy::in_front_of(standby.port()));
                self.servers.push(standby);
            }
        }
        until("the standby streams", || {
            (self.streams().ok()? == "1").then_some(())
        })
    }

    /// Waits until the standby has everything that was committed so far.
    pub(super) fn catch_up(&self) -> Result<(), Failure> {
        let written = value(self.port(), "SELECT pg_current_wal_lsn()::text")?;
        let sql = format!("SELECT (pg_last_wal_replay_lsn() >= '{written}'::pg_lsn)::text");
        until("the standby has everything", || {
            let has_all = value(self.standby().port(), &sql).ok()?;
            (has_all == "true").then_some(())
        })
    }

    /// Ends the stream: what is committed from now on is on the primary only.
    pub(super) fn stop_the_stream(&self) -> Result<(), Failure> {
        let port = self.standby().port();
        run(port, "ALTER SYSTEM SET primary_conninfo = ''")?;
        run(port, "SELECT pg_reload_conf()")?;
        until("the stream ends", || {
            (self.streams().ok()? == "0").then_some(())
        })
    }

    /// Makes the standby the primary; returns once it takes writes.
    pub(super) fn promote(&mut self) {
        self.standby().promote();
        self.primary = 1 - self.primary;
    }

    fn standby(&self) -> &Server {
        &self.servers[1 - self.primary]
    }

    fn streams(&self) -> Result<String, Failure> {
        value(
            self.port(),
            "SELECT count(*)::text FROM pg_stat_replication",
        )
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(work)
}

fn admin(port: u16) -> String {
    format!("postgres://postgres@127.0.0.1:{port}/postgres")
}

/// The text that a query finds.
fn value(port: u16, sql: &str) -> Result<String, Failure> {
    block_on(async {
        let client = connect(&admin(port)).await;
        Ok(client.query_one(sql, &[]).await?.try_get(0)?)
    })
}

fn run(port: u16, sql: &str) -> Result<(), Failure> {
    block_on(async { Ok(connect(&admin(port)).await.batch_execute(sql).await?) })
}
