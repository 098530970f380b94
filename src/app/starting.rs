//! From a bound port to a loaded fleet, however long the database takes to answer.
//!
//! The port is bound (`app/port.rs`) and HTTP answers 503 (`http/gate.rs`) before anything else happens. A process that led
//! until now begins as a standby instead, and carries requests to the next leader at once (`app/role.rs`). Then the
//! database is opened and migrated, the term is taken (`actors/leadership/candidacy.rs` waits for it while another
//! process leads), and the fleet is loaded; an error that passes by itself leads to another try
//! after a pause (`app/tries.rs`), every other error ends the start. No heartbeat can arrive
//! until HTTP is served, so the clock stands still for all deadlines.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use log::info;
use tokio::task::JoinHandle;

use super::cluster::{identity, judging_settings, scheme, under_another_run};
use super::database::target;
use super::keys::{self, KeyWatch};
use super::port::Port;
use super::start_error::StartError;
use super::stop_limits::{ANSWER_LIMIT, WRITE_GRACE};
use super::tries::{Start, phase};
use crate::actors::access::{KeyDemand, Keyring};
use crate::actors::leadership::{CandidacyError, Candidate, ClusterView, Identity, Office};
use crate::actors::start::Loaded;
use crate::clock::Clock;
use crate::config::{Config, DatabaseUrl};
use crate::domain::leadership::CarryLimits;
use crate::domain::running_time::grace_for;
use crate::domain::startup::DatabaseWait;
use crate::http::{self, Awaited, Gate, Phase};
use crate::store::{Identity as Process, Leadership, Store};
use crate::tls::{ServerTls, Tls};

/// An orchestrator that has its port and no fleet yet.
#[derive(Debug)]
pub(super) struct Starting {
    pub(super) address: SocketAddr,
    pub(super) clock: Clock,
    pub(super) view: ClusterView,
    pub(super) gate: Gate,
    pub(super) http: ServerHandle,
    pub(super) serving: JoinHandle<std::io::Result<()>>,
    pub(super) keyring: Keyring,
    /// Looks whether another process has changed the keys.
    pub(super) watching: KeyWatch,
    /// Asks the leader who it is while this process stands by.
    pub(super) accompanying: JoinHandle<()>,
}

/// What a standby keeps of the orchestrator that its process was.
#[derive(Debug, Clone)]
pub(super) struct Before {
    pub(super) view: ClusterView,
    pub(super) keyring: Keyring,
}

impl Starting {
    /// Begins to answer at the port that the start is under way.
    pub(super) fn at(port: &Port, config: &Config) -> Result<Self, StartError> {
        let clock = Clock::real(grace_for(&config.liveness));
        clock.stop_listening();
        let phase = phase(&clock, Awaited::Database, clock.wall());
        let view = new_view(identity(config, port.address()), config, &clock);
        let keyring = new_keyring(config, &clock);
        let starting = Self::open(port, config, view, keyring, phase)?;
        let (address, scheme) = (starting.address, scheme(config));
        info!(address:%; "listening on {scheme}://{address}; the fleet is not loaded yet");
        let read = config.server.tls.as_ref();
        for line in read.into_iter().flat_map(ServerTls::described) {
            info!("{line}");
        }
        Ok(starting)
    }

    /// Begins to answer at the port as a standby, in a process that led until now.
    pub(super) fn after(before: &Before, port: &Port, config: &Config) -> Result<Self, StartError> {
        let clock = Clock::real_after(before.view.clock(), grace_for(&config.liveness));
        clock.stop_listening();
        let me = under_another_run(before.view.me());
        let view = new_view(me, config, &clock).succeeding(&before.view);
        let keyring = new_keyring(config, &clock).succeeding(&before.keyring);
        let starting = Self::open(port, config, view, keyring, Phase::Standby)?;
        starting.gate.has_led();
        Ok(starting)
    }

    fn open(
        port: &Port,
        config: &Config,
        view: ClusterView,
        keyring: Keyring,
        phase: Phase,
    ) -> Result<Self, StartError> {
        let gate = Gate::carrying(
            view.clone(),
            phase,
            keys::access(config, keyring.clone()),
            carry_limits(config),
        );
        let read = config.server.tls.as_ref();
        if let Some(read) = read {
            let tls = Tls::new(read).map_err(|error| StartError::System {
                what: "speak TLS",
                reason: std::io::Error::other(error),
            })?;
            gate.speak_tls(tls);
        }
        let server = http::serve(port.listener()?, gate.clone());
        let server = server.map_err(|reason| StartError::System {
            what: "serve HTTP",
            reason,
        })?;
        Ok(Self {
            address: port.address(),
            clock: view.clock().clone(),
            view,
            http: server.handle(),
            serving: actix::spawn(server),
            keyring,
            watching: KeyWatch::default(),
            accompanying: actix::spawn(http::accompany(gate.clone())),
            gate,
        })
    }

    /// Waits for the database as long as the settings allow, then as a standby for the term, and
    /// loads the fleet.
    pub(super) async fn load(&self, config: &Config) -> Result<Loaded, StartError> {
        let database = &config.database;
        let mut starting = Start {
            clock: &self.clock,
            gate: &self.gate,
            database: database.url.to_string(),
            wait: DatabaseWait::new(database.wait),
        };
        starting
            .repeat(async |loading| self.lead_and_load(config, loading).await)
            .await
    }

    /// One try. A store whose content cannot be used is closed again.
    async fn lead_and_load(
        &self,
        config: &Config,
        loading: &dyn Fn(),
    ) -> Result<Loaded, StartError> {
        let me = Process {
            node: self.view.me().node.clone(),
            run: self.view.me().run,
        };
        let database = &config.database;
        let pool_size = usize::try_from(database.pool_size).unwrap_or(usize::MAX);
        let owner = format!("at {}", self.address);
        let row_limit = config.cluster.limits.statement_limit;
        let (store, row) = target(&database.url)
            .open_as(&me, &owner, database.timeout, row_limit, pool_size)
            .await?;
        info!(database:% = database.url; "using {}", database.url);
        keys::read(store.as_ref(), &self.keyring).await?;
        let loaded = match database.url {
            DatabaseUrl::Postgres(_) => {
                self.watching.begin(&store, &self.keyring);
                self.load_shared(config, &store, row, loading).await
            }
            DatabaseUrl::Memory | DatabaseUrl::Sqlite(_) => {
                self.load_own(config, &store, loading).await
            }
        };
        if loaded.is_err() {
            // The error of loading is the reason, not the error of closing.
            let _ = store.close().await;
        }
        loaded
    }

    /// Loads from a store that no other process can open.
    async fn load_own(
        &self,
        config: &Config,
        store: &Arc<dyn Store>,
        loading: &dyn Fn(),
    ) -> Result<Loaded, StartError> {
        loading();
        let guard = store.begin_term().await?;
        let limit = config.database.load_timeout;
        let loaded = Loaded::under(store.clone(), guard, limit).await?;
        let office = Office::sole(guard.term, self.view.clone());
        Ok(loaded.led_by(office, Duration::ZERO))
    }

    /// Loads from a store that others may lead.
    async fn load_shared(
        &self,
        config: &Config,
        store: &Arc<dyn Store>,
        row: Arc<dyn Leadership>,
        loading: &dyn Fn(),
    ) -> Result<Loaded, StartError> {
        let limits = config.cluster.limits;
        let limit = config.database.load_timeout;
        let won = Candidate::new(&row, &self.view, &self.gate, limits)
            .reading_ahead(store.clone(), limit)
            .lead()
            .await
            .map_err(|error| self.no_candidate(error))?;
        loading();
        let calls = Rc::new(http::MembersByHttp::new(self.gate.clone()));
        let office = Office::held(row, won.guard.term, limits, won.sent, self.view.clone())
            .asking(calls)
            .among(Arc::new(self.gate.clone()));
        // The term is renewed while the fleet is loaded: otherwise a standby would take over.
        let keeper = office.keep();
        let loaded = Loaded::prepared(store.clone(), won.guard, won.prepared, limit).await;
        keeper.abort();
        // A leader before that is cut off, and sure that it is alone, goes on for its horizon.
        let hold = if won.may_be_doubled {
            self.view.horizon()
        } else {
            Duration::ZERO
        };
        let loaded = loaded?.led_by(office, hold).after_loss(won.after_loss);
        Ok(loaded.as_ordered(won.ordered))
    }

    fn no_candidate(&self, error: CandidacyError) -> StartError {
        let me = self.view.me();
        match error {
            CandidacyError::Store(error) => StartError::Store(error),
            CandidacyError::DuplicateNode { address, run } => StartError::DuplicateNode {
                node: me.node.to_string(),
                address,
                other: run.get(),
                run: me.run.get(),
            },
        }
    }

    /// Stops HTTP again.
    pub(super) async fn stop(self) {
        self.gate.close();
        let _ = tokio::time::timeout(ANSWER_LIMIT, self.gate.idle()).await;
        tokio::time::sleep(WRITE_GRACE).await;
        self.http.stop(false).await;
        self.accompanying.abort();
    }
}

/// The view of a process that has seen nothing yet.
fn new_view(me: Identity, config: &Config, clock: &Clock) -> ClusterView {
    ClusterView::new(me, config.cluster.failsafe, clock.clone())
        .judging_by(judging_settings(config))
        .hearing_every(config.worker_limits.heartbeat_interval)
}

fn new_keyring(config: &Config, clock: &Clock) -> Keyring {
    let demand = KeyDemand::of_setting(config.access.is_required);
    Keyring::new(clock.clone(), demand)
}

fn carry_limits(config: &Config) -> CarryLimits {
    let cluster = &config.cluster.limits;
    CarryLimits::new(
        config.worker_limits.request_timeout,
        cluster.renewal_interval,
        cluster.statement_limit,
    )
}
