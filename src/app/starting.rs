//! From a bound port to a loaded fleet, however long the database takes to answer.
//!
//! The port is bound and HTTP answers 503 (`http/gate.rs`) before anything else happens. Then the
//! database is opened and migrated, the term is taken (`app/candidacy.rs` waits for it while another
//! process leads), and the fleet is loaded; an error that passes by itself leads to another try
//! after a pause (`domain/startup.rs`), every other error ends the start. No heartbeat can arrive
//! until HTTP is served, so the clock stands still for all deadlines.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actix_web::dev::ServerHandle;
use log::{info, warn};
use tokio::task::JoinHandle;

use super::cluster::{identity, judging_settings, scheme};
use super::database::target;
use super::keys::{self, KeyWatch};
use super::port::listen;
use super::start_error::StartError;
use super::stop_limits::{ANSWER_LIMIT, WRITE_GRACE};
use crate::actors::access::{KeyDemand, Keyring};
use crate::actors::leadership::{CandidacyError, Candidate, ClusterView, Office};
use crate::actors::start::Loaded;
use crate::clock::Clock;
use crate::config::{Config, DatabaseUrl};
use crate::domain::leadership::CarryLimits;
use crate::domain::running_time::grace_for;
use crate::domain::startup::{AfterFailure, DatabaseWait};
use crate::domain::time::WallTime;
use crate::http::{self, Awaited, Gate, Phase};
use crate::store::{Identity as Process, Leadership, Store, StoreError};
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
}

impl Starting {
    /// Binds the port and begins to answer that the start is under way.
    pub(super) fn bind(config: &Config) -> Result<Self, StartError> {
        let clock = Clock::real(grace_for(&config.liveness));
        clock.stop_listening();
        let (listener, address) = listen(config.server.bind_address.as_str())?;
        let me = identity(config, address);
        let view = ClusterView::new(me, config.cluster.failsafe, clock.clone())
            .judging_by(judging_settings(config))
            .hearing_every(config.worker_limits.heartbeat_interval);
        let keyring = Keyring::new(
            clock.clone(),
            KeyDemand::of_setting(config.access.is_required),
        );
        let gate = Gate::carrying(
            view.clone(),
            phase(&clock, Awaited::Database, clock.wall()),
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
        actix::spawn(http::accompany(gate.clone()));
        let server = http::serve(listener, gate.clone()).map_err(|reason| StartError::System {
            what: "serve HTTP",
            reason,
        })?;
        let http = server.handle();
        let scheme = scheme(config);
        info!(address:%; "listening on {scheme}://{address}; the fleet is not loaded yet");
        for line in read.into_iter().flat_map(ServerTls::described) {
            info!("{line}");
        }
        Ok(Self {
            address,
            clock,
            view,
            gate,
            http,
            serving: actix::spawn(server),
            keyring,
            watching: KeyWatch::default(),
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
    }
}

fn carry_limits(config: &Config) -> CarryLimits {
    let cluster = &config.cluster.limits;
    CarryLimits::new(
        config.worker_limits.request_timeout,
        cluster.renewal_interval,
        cluster.statement_limit,
    )
}

/// Returns the phase of a start that waits for something and goes on at once.
fn phase(clock: &Clock, awaited: Awaited, since: WallTime) -> Phase {
    Phase::Starting(http::Starting {
        awaited,
        since,
        next_step_at: clock.since_made(),
    })
}

/// The tries of one start.
struct Start<'s> {
    clock: &'s Clock,
    gate: &'s Gate,
    /// The database, without its password.
    database: String,
    wait: DatabaseWait,
}

impl Start<'_> {
    /// Tries until it succeeds, fails for good, or took too long. A try reports when the database
    /// answers and only the fleet is missing.
    async fn repeat<T>(
        &mut self,
        mut attempt: impl AsyncFnMut(&dyn Fn()) -> Result<T, StartError>,
    ) -> Result<T, StartError> {
        let (since, began) = (self.clock.wall(), self.clock.since_made());
        let mut has_waited = false;
        loop {
            let loading = || {
                let since = self.clock.wall();
                self.gate.set(phase(self.clock, Awaited::Fleet, since));
            };
            let error = match attempt(&loading).await {
                Ok(loaded) => {
                    if has_waited {
                        self.say_that_it_answers(self.clock.since_made() - began);
                    }
                    return Ok(loaded);
                }
                Err(StartError::Store(error)) if error.is_passing() => error,
                Err(error) => return Err(error),
            };
            let waited = self.clock.since_made() - began;
            match self.wait.failed(waited, &error.to_string()) {
                AfterFailure::GiveUp if !has_waited => return Err(error.into()),
                AfterFailure::GiveUp => return Err(StartError::WaitedInVain { waited, error }),
                AfterFailure::TryAgain { pause, is_news } => {
                    self.pause(since, waited, pause, &error, is_news).await;
                    has_waited = true;
                }
            }
        }
    }

    async fn pause(
        &self,
        since: WallTime,
        waited: Duration,
        pause: Duration,
        error: &StoreError,
        is_news: bool,
    ) {
        if is_news {
            let (database, since) = (&self.database, shown(since));
            let (waited_seconds, pause_ms) = (waited.as_secs(), pause.as_millis());
            warn!(database, since = since.as_str(), waited_seconds, pause_ms:%;
                "waiting for the database {database} since {since}: {error}; next try in \
                 {pause_ms} ms");
        }
        self.gate.set(Phase::Starting(http::Starting {
            awaited: Awaited::Database,
            since,
            next_step_at: self.clock.since_made() + pause,
        }));
        tokio::time::sleep(pause).await;
    }

    fn say_that_it_answers(&self, waited: Duration) {
        let (database, waited_seconds) = (&self.database, waited.as_secs());
        info!(database, waited_seconds;
            "the database {database} answers; the start waited for {waited_seconds} s");
    }
}

/// Returns a time of day for a sentence.
fn shown(time: WallTime) -> String {
    let since_epoch = Duration::from_micros(u64::try_from(time.as_micros()).unwrap_or(0));
    let time: SystemTime = UNIX_EPOCH + since_epoch;
    humantime::format_rfc3339_seconds(time).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::testing::VirtualTime;

    const NEW_YEAR: WallTime = WallTime::from_micros(1_767_225_600_000_000);

    fn view(clock: &Clock) -> ClusterView {
        use crate::domain::ids::Term;

        Office::embedded(Term::new(1), clock).view().clone()
    }

    /// A start whose tries fail with these errors and then succeed: how it ended, and when each try
    /// came.
    async fn start(
        limit: Option<u64>,
        errors: Vec<StoreError>,
    ) -> (Result<(), StartError>, Vec<Duration>) {
        tokio::time::pause();
        let clock = VirtualTime::starting_at(NEW_YEAR).clock();
        clock.stop_listening();
        let began = clock.now();
        let gate = Gate::new(view(&clock), phase(&clock, Awaited::Database, NEW_YEAR));
        let mut start = Start {
            clock: &clock,
            gate: &gate,
            database: "postgres://db/…".to_owned(),
            wait: DatabaseWait::new(limit.map(Duration::from_secs)),
        };
        let (mut errors, mut tries) = (errors.into_iter(), Vec::new());
        let outcome = start
            .repeat(async |loading| {
                tries.push(clock.since_made());
                match errors.next() {
                    Some(error) => Err(error.into()),
                    None => {
                        loading();
                        Ok(())
                    }
                }
            })
            .await;
        assert_eq!(clock.now(), began, "no deadline comes nearer");
        (outcome, tries)
    }

    fn refused() -> StoreError {
        StoreError::Unavailable("refused".to_owned())
    }

    /// To the hundredth of a second: a timer is up to a millisecond late.
    fn millis(tries: &[Duration]) -> Vec<u128> {
        tries.iter().map(|at| at.as_millis() / 10 * 10).collect()
    }

    #[tokio::test]
    async fn what_passes_is_tried_again_after_growing_pauses() {
        let in_doubt = StoreError::InDoubt("COMMIT was not answered".to_owned());
        let (outcome, tries) = start(None, vec![refused(), in_doubt, refused()]).await;
        assert!(outcome.is_ok());
        assert_eq!(millis(&tries), [0, 500, 1_500, 3_500]);
    }

    #[tokio::test]
    async fn what_can_never_succeed_ends_the_start_at_once() {
        let unusable = StoreError::Unusable("written by a newer release".to_owned());
        let (outcome, tries) = start(None, vec![refused(), unusable.clone()]).await;
        assert_eq!(outcome.unwrap_err().to_string(), unusable.to_string());
        assert_eq!(millis(&tries), [0, 500]);
    }

    #[tokio::test]
    async fn a_limit_ends_the_start_with_its_last_error() {
        let (outcome, tries) = start(Some(2), vec![refused(); 100]).await;
        let sentence = outcome.unwrap_err().to_string();
        assert!(sentence.contains("refused"), "{sentence}");
        assert!(sentence.contains("gave up after 2 s (DATABASE_WAIT)"));
        assert_eq!(millis(&tries), [0, 500, 1_500, 2_000]);
    }

    #[tokio::test]
    async fn a_limit_of_zero_ends_the_start_with_its_first_error() {
        let (outcome, tries) = start(Some(0), vec![refused(); 100]).await;
        assert_eq!(outcome.unwrap_err().to_string(), refused().to_string());
        assert_eq!(millis(&tries), [0]);
    }
}
