//! The composition root: the only place that knows every concrete type, and the order in which
//! things start and stop.
//!
//! Start: the port first (a second orchestrator on the same machine must not take the term away
//! from the first before it finds the port taken), then the database, then the actors, then HTTP.
//! Connections that arrive in between wait in the socket's queue and are answered once the fleet
//! is loaded. Stop: not ready any more, finish what is in flight, save what is under way and the
//! last heartbeats, and be gone within ten seconds whatever hangs.

use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use actix::Arbiter;
use actix_web::dev::ServerHandle;
use log::{error, info, warn};
use prometheus_client::registry::Registry as MetricsRegistry;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::actors::fatal::Fatal;
use crate::actors::heartbeat_log::Retention;
use crate::actors::orchestrator::Orchestrator;
use crate::actors::start::{Loaded, Placement, SystemSettings, start};
use crate::actors::telemetry::Telemetry;
use crate::clock::Clock;
use crate::config::{Config, DatabaseUrl};
use crate::domain::running_time::grace_for;
use crate::http::{self, AppState, ClientLimits, HttpSettings, Readiness, RequestLimits};
use crate::store::{self, Store, StoreError};

/// How long requests and transactions that are under way may take at the shutdown.
const FINISH_LIMIT: Duration = Duration::from_secs(8);

/// How long the last heartbeats may take to be saved after that.
const FLUSH_LIMIT: Duration = Duration::from_secs(1);

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
    /// It ran, and had to end.
    #[error("{0}")]
    Fatal(#[from] Fatal),
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
        let mut server = Server::start(&config).await?;
        let address = server.address();
        info!(address:%; "ready on http://{address}");
        let outcome = tokio::select! {
            signal = asked_to_end() => signal.map(|name| info!("{name}: shutting down")),
            fatal = server.failed() => Err(fatal.into()),
        };
        server.stop().await;
        outcome
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
        warn!(error:%; "not more than {current} connections and files can be open");
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
    readiness: Readiness,
    http: ServerHandle,
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
        let clock = Clock::real(grace_for(&config.liveness));
        let (listener, address) = listen(config.server.bind_address.as_str())?;
        let store = open(config).await?;
        let loaded = Loaded::from_store(store).await?;

        let arbiters = [Arbiter::new(), Arbiter::new()];
        let placement = Placement::Apart {
            heartbeats: arbiters[0].handle(),
            fleet: arbiters[1].handle(),
        };
        let mut metrics = MetricsRegistry::default();
        let telemetry = Telemetry::new(&mut metrics);
        let settings = system_settings(config);
        let (orchestrator, fatalities) = start(loaded, &settings, clock, telemetry, &placement);

        let readiness = Readiness::new();
        let state = AppState::new(
            orchestrator.clone(),
            http_settings(config),
            readiness.clone(),
            metrics,
        );
        let server = http::serve(listener, state).map_err(|reason| StartError::System {
            what: "serve HTTP",
            reason,
        })?;
        let http = server.handle();
        actix::spawn(server);
        readiness.set(true);
        Ok(Self {
            address,
            orchestrator,
            readiness,
            http,
            fatalities,
            arbiters,
        })
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
        match self.fatalities.recv().await {
            Some(fatal) => fatal,
            // Nobody is left who could tell: the actors are gone.
            None => Fatal::ActorEnded("actor system"),
        }
    }

    /// Stops accepting, finishes what is in flight, saves what is under way and the last
    /// heartbeats. Takes less than ten seconds, whatever hangs.
    pub async fn stop(self) {
        let Self {
            orchestrator,
            readiness,
            http,
            arbiters,
            ..
        } = self;
        readiness.set(false);
        orchestrator.end_polls();
        let finish = async {
            http.stop(true).await;
            orchestrator.drain().await;
        };
        if tokio::time::timeout(FINISH_LIMIT, finish).await.is_err() {
            error!("what was under way could not be finished before the shutdown");
        }
        if tokio::time::timeout(FLUSH_LIMIT, orchestrator.flush())
            .await
            .is_err()
        {
            warn!("the last heartbeats could not be saved before the shutdown");
        }
        for arbiter in arbiters {
            arbiter.stop();
        }
    }
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

async fn open(config: &Config) -> Result<Arc<dyn Store>, StoreError> {
    let database = &config.database;
    let pool_size = usize::try_from(database.pool_size).unwrap_or(usize::MAX);
    let store = store::open(&database_url(&database.url), database.timeout, pool_size).await?;
    info!(database:% = database.url; "using {}", database.url);
    Ok(store)
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
        health_check_interval: config.health.check_interval,
        sweep_interval: config.heartbeats.check_interval,
        flush_interval: config.heartbeats.flush_interval,
        instance_retention: config.retention.instances,
        retention: Retention {
            metrics: config.retention.metrics,
            events: config.retention.events,
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

async fn asked_to_end() -> Result<&'static str, StartError> {
    let refused = |reason| StartError::System {
        what: "watch signals",
        reason,
    };
    let mut terminate = signal(SignalKind::terminate()).map_err(refused)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(refused)?;
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
}
