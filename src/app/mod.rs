//! The composition root: the only place that knows every concrete type, and the order in which
//! things start and stop.
//!
//! Start: the port first (a second orchestrator on the same machine must not take the term away
//! from the first before it finds the port taken), with HTTP that answers 503, then the database
//! (`app/starting.rs`), then the actors, then every route. Stop: the deadlines stop, requests that
//! were sent before are answered, then the port accepts no connection, requests in progress are
//! finished, transactions in progress and the last heartbeats are saved, within ten seconds whatever
//! hangs. `app/signals.rs` has the signals, `app/hearing.rs` stops the deadlines while no heartbeat
//! can arrive.

mod hearing;
mod signals;
mod starting;

use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::time::Duration;

use actix::Arbiter;
use actix_web::dev::ServerHandle;
use log::{error, info, warn};
use prometheus_client::registry::Registry as MetricsRegistry;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;

use crate::actors::clean_up::Retention;
use crate::actors::fatal::Fatal;
use crate::actors::orchestrator::Orchestrator;
use crate::actors::start::{Loaded, Placement, SystemSettings, start};
use crate::actors::telemetry::Telemetry;
use crate::config::{Config, DatabaseUrl};
use crate::http::{
    self, AppState, ClientLimits, Gate, HttpSettings, Phase, Readiness, RequestLimits,
};
use crate::store::{self, StoreError};
use hearing::Hearing;
use signals::Signals;
use starting::Starting;

/// How long connections and requests are still taken at the shutdown: what was sent before it was
/// asked for is answered.
const LAST_CALL: Duration = Duration::from_millis(250);

/// How long requests that are under way may take at the shutdown.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// How long an answer that was given has to leave the process.
const WRITE_GRACE: Duration = Duration::from_millis(50);

/// How long requests and transactions that are under way may take at the shutdown.
const FINISH_LIMIT: Duration = Duration::from_secs(8);

/// How long the last heartbeats may take to be saved after that.
const FLUSH_LIMIT: Duration = Duration::from_secs(1);

/// How long all of the shutdown may take; closing the database gets what is left of it.
const STOP_LIMIT: Duration = Duration::from_millis(9_500);

/// Which way the schema of the database is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MigrationDirection {
    /// Everything that is pending is applied.
    Up,
    /// The newest applied migration is reverted, with the data it added.
    DownOne,
}

/// Why the program could not start or had to end: one sentence for the operator.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {reason}")]
    Address {
        /// As configured.
        address: String,
        /// What the system said, with what to do about it.
        reason: String,
    },
    /// The database cannot be used.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The process could not be set up.
    #[error("the system refused to {what}: {reason}")]
    System {
        /// What it refused.
        what: &'static str,
        /// What it said.
        reason: std::io::Error,
    },
    /// It was asked to end, and the database took too long.
    #[error(
        "the database could not be closed before the shutdown; nothing is lost, but a file of \
         SQLite is complete only together with its -wal until the next start"
    )]
    NotClosed,
    /// The database did not answer for as long as a start may wait.
    #[error("{error}; gave up after {} s (DATABASE_WAIT)", waited.as_secs())]
    WaitedInVain {
        /// For how long.
        waited: Duration,
        /// What the last try met.
        error: StoreError,
    },
    /// It ran, and had to end.
    #[error("{0}")]
    Fatal(#[from] Fatal),
    /// It was told to end while it was ending.
    #[error(
        "{0} during the stop: ended at once; what was under way is saved or not, and the next start \
         loads what is saved"
    )]
    EndedAtOnce(&'static str),
}

/// Serves until the process is asked to end.
///
/// # Errors
///
/// What kept it from serving, or made it end.
pub fn serve(config: Config) -> Result<(), StartError> {
    allow_many_connections();
    std::panic::set_hook(Box::new(|panic| error!("a bug: {panic}")));
    let runner = actix::System::new();
    let outcome = runner.block_on(async {
        let mut signals = Signals::watch()?;
        let starting = Starting::bind(&config)?;
        let loaded = tokio::select! {
            loaded = starting.load(&config) => loaded?,
            name = signals.asked_to_end() => {
                info!("{name}: shutting down before the fleet was loaded");
                starting.stop().await;
                return Ok(());
            }
        };
        let mut server = Server::of(starting, loaded, &config);
        let address = server.address();
        info!(address:%; "ready on http://{address}");
        let outcome = tokio::select! {
            name = signals.asked_to_end() => {
                info!("{name}: shutting down");
                Ok(())
            }
            fatal = server.failed() => Err(fatal.into()),
        };
        tokio::select! {
            stopped = server.stop() => {
                if outcome.is_err()
                    && let Err(error) = &stopped
                {
                    error!("{error}");
                }
                outcome.and(stopped)
            }
            name = signals.asked_to_end() => outcome.and(Err(StartError::EndedAtOnce(name))),
        }
    });
    // Dropping the runtime would wait for a database call that hangs; the process ends instead.
    std::mem::forget(runner);
    outcome
}

/// Each worker keeps a connection or two, and systems allow few open files unless asked for more:
/// 1,024 is common, far below what may be asked for.
fn allow_many_connections() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        let current = limit.current.unwrap_or(u64::MAX);
        warn!(error:%; "could not raise the open-file limit above {current} (RLIMIT_NOFILE): {error}");
    }
}

/// Migrates the database of `config`.
///
/// # Errors
///
/// What kept it from doing so.
pub fn migrate(config: Config, direction: MigrationDirection) -> Result<(), StartError> {
    let runner = actix::System::new();
    let (url, timeout) = (database_url(&config.database.url), config.database.timeout);
    runner.block_on(async {
        match direction {
            MigrationDirection::Up => {
                let applied = store::migrate(&url, timeout).await?;
                for name in &applied {
                    info!("applied {name}");
                }
                info!("the database is up to date ({} applied)", applied.len());
            }
            MigrationDirection::DownOne => match store::revert_last(&url, timeout).await? {
                Some(name) => info!("reverted {name}"),
                None => info!("there is nothing to revert"),
            },
        }
        Ok(())
    })
}

/// A running orchestrator: for `serve`, and for programs that embed one.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    orchestrator: Orchestrator,
    hearing: Hearing,
    readiness: Readiness,
    gate: Gate,
    http: ServerHandle,
    serving: JoinHandle<std::io::Result<()>>,
    fatalities: UnboundedReceiver<Fatal>,
    arbiters: [Arbiter; 2],
}

impl Server {
    /// Starts everything; returns once it serves. Must be called within an actix system.
    ///
    /// # Errors
    ///
    /// What kept it from serving.
    pub async fn start(config: &Config) -> Result<Self, StartError> {
        let starting = Starting::bind(config)?;
        let loaded = starting.load(config).await?;
        Ok(Self::of(starting, loaded, config))
    }

    /// Brings the actors to life, and opens the gate.
    fn of(starting: Starting, loaded: Loaded, config: &Config) -> Self {
        let Starting {
            address,
            clock,
            gate,
            http,
            serving,
        } = starting;
        let arbiters = [Arbiter::new(), Arbiter::new()];
        let placement = Placement::Apart {
            heartbeats: arbiters[0].handle(),
            fleet: arbiters[1].handle(),
        };
        let mut metrics = MetricsRegistry::default();
        let telemetry = Telemetry::new(&mut metrics);
        let settings = system_settings(config);
        let (orchestrator, fatalities) =
            start(loaded, &settings, clock.clone(), telemetry, &placement);
        let readiness = Readiness::new();
        readiness.set(true);
        gate.set(Phase::Serving(AppState::new(
            orchestrator.clone(),
            http_settings(config),
            readiness.clone(),
            metrics,
        )));
        Self {
            address,
            orchestrator,
            hearing: Hearing::begin(clock),
            readiness,
            gate,
            http,
            serving,
            fatalities,
            arbiters,
        }
    }

    /// Where it is reached.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The system behind it.
    pub fn orchestrator(&self) -> &Orchestrator {
        &self.orchestrator
    }

    /// Waits until it cannot go on.
    pub async fn failed(&mut self) -> Fatal {
        let fatal = tokio::select! {
            // No sender is left if the actors are gone.
            fatal = self.fatalities.recv() => fatal.unwrap_or(Fatal::ActorEnded("actor system")),
            _ = &mut self.serving => Fatal::ActorEnded("HTTP server"),
        };
        self.hearing.end();
        fatal
    }

    /// Stops accepting, finishes what is in flight, saves what is under way and the last
    /// heartbeats, ends the actors, and closes the database when nobody is left who could use it.
    /// Takes less than ten seconds, whatever hangs.
    ///
    /// # Errors
    ///
    /// If what was answered is not complete in the database.
    pub async fn stop(self) -> Result<(), StartError> {
        let Self {
            orchestrator,
            hearing,
            readiness,
            gate,
            http,
            arbiters,
            ..
        } = self;
        // First of all: from here on a silence may be this program's own.
        hearing.end();
        readiness.set(false);
        gate.close();
        orchestrator.end_polls();
        let stop = stop_in_order(orchestrator, gate, http, arbiters);
        match tokio::time::timeout(STOP_LIMIT, stop).await {
            Ok(closed) => closed.map_err(StartError::Store),
            Err(_) => Err(StartError::NotClosed),
        }
    }
}

async fn stop_in_order(
    orchestrator: Orchestrator,
    gate: Gate,
    http: ServerHandle,
    arbiters: [Arbiter; 2],
) -> Result<(), StoreError> {
    let finish = async {
        tokio::time::sleep(LAST_CALL).await;
        http.pause().await;
        if tokio::time::timeout(ANSWER_LIMIT, gate.idle())
            .await
            .is_err()
        {
            warn!("some requests could not be answered before the shutdown");
        }
        tokio::time::sleep(WRITE_GRACE).await;
        orchestrator.drain().await;
    };
    if tokio::time::timeout(FINISH_LIMIT, finish).await.is_err() {
        error!("what was under way could not be finished before the shutdown");
    }
    http.stop(false).await;
    if tokio::time::timeout(FLUSH_LIMIT, orchestrator.flush())
        .await
        .is_err()
    {
        warn!("the last heartbeats could not be saved before the shutdown");
    }
    // Actors go on for a moment after their arbiters were told to end.
    let ended = tokio::task::spawn_blocking(move || {
        for arbiter in &arbiters {
            arbiter.stop();
        }
        arbiters.map(Arbiter::join)
    });
    let _ = ended.await;
    orchestrator.close_store().await
}

fn listen(address: &str) -> Result<(TcpListener, SocketAddr), StartError> {
    let refuse = |error: std::io::Error| {
        let reason = match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                "the port is in use; is another orchestrator running? Set BIND_ADDRESS to another \
                 one"
                .to_owned()
            }
            _ => error.to_string(),
        };
        StartError::Address {
            address: address.to_owned(),
            reason,
        }
    };
    let mut resolved = address.to_socket_addrs().map_err(refuse)?;
    let first = resolved
        .next()
        .ok_or_else(|| refuse(std::io::Error::other("the name has no address")))?;
    // A name can have several addresses; the first that can be listened on is taken.
    let listener = resolved
        .fold(http::bind(first), |bound, next| {
            bound.or_else(|_| http::bind(next))
        })
        .map_err(refuse)?;
    let bound = listener.local_addr().map_err(refuse)?;
    Ok((listener, bound))
}

/// The URL with its password, as the driver needs it; never to be shown.
fn database_url(url: &DatabaseUrl) -> String {
    match url {
        DatabaseUrl::Memory => "memory:".to_owned(),
        DatabaseUrl::Sqlite(path) => format!("sqlite://{}", path.display()),
        DatabaseUrl::Postgres(url) => url.expose().to_owned(),
    }
}

fn system_settings(config: &Config) -> SystemSettings {
    SystemSettings {
        thresholds: config.liveness,
        worker_limits: config.worker_limits,
        retry: config.recovery.retry,
        emergency_enabled: config.recovery.emergency_enabled,
        breaker: config.breaker,
        mass_failure: config.mass_failure,
        health: config.health.limits,
        change_limit: config.database.timeout.mul_f64(1.1),
        health_check_interval: config.health.check_interval,
        sweep_interval: config.heartbeats.check_interval,
        flush_interval: config.heartbeats.flush_interval,
        instance_retention: config.retention.instances,
        retention: Retention {
            metrics: config.retention.metrics,
            events: config.retention.events,
            incidents: config.retention.incidents,
            health: config.retention.health,
            most_health_rows: config.retention.most_health_rows,
        },
        jitter_seed: fastrand::u64(..),
    }
}

fn http_settings(config: &Config) -> HttpSettings {
    HttpSettings {
        default_max_streams: config.registration.default_max_streams,
        worker_limits: config.worker_limits,
        thresholds: config.liveness,
        check_interval: config.heartbeats.check_interval,
        max_missed_heartbeats: config.heartbeats.max_missed,
        limits: RequestLimits::default(),
        client: ClientLimits::default(),
    }
}
