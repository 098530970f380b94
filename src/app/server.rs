//! A running orchestrator, and the order in which it stops.
//!
//! A stop ends the process, or only the work of its term: then the process goes on as a standby (`app/role.rs`).
//! Both take the same steps. Afterwards nothing of the orchestrator is left: its actors have ended with their
//! arbiters, the server with its threads, and the store with its connections.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix::Arbiter;
use actix_web::dev::ServerHandle;
use log::{error, warn};
use prometheus_client::registry::Registry as MetricsRegistry;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::handover::{self, HandOver};
use super::hearing::Hearing;
use super::keys::KeyWatch;
use super::port::Port;
use super::start_error::StartError;
use super::starting::Starting;
use super::stop_limits::{
    ANSWER_LIMIT, COPY_LIMIT, FINISH_LIMIT, FLUSH_LIMIT, LAST_CALL, LAST_STEPS,
    LEADER_BEFORE_STANDBY_LIMIT, NEXT_LEADER_LIMIT, ORDERED_COPY_LIMIT, STOP_LIMIT, WRITE_GRACE,
};
use super::wiring::{http_settings, sender_settings, system_settings};
use crate::actors::fatal::Fatal;
use crate::actors::orchestrator::Orchestrator;
use crate::actors::start::{Loaded, Placement, start};
use crate::actors::telemetry::Telemetry;
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::leadership::Role;
use crate::http::{AppState, Gate, Phase, Readiness};
use crate::outbound::HttpSender;
use crate::store::StoreError;
use crate::tls::Tls;

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
    /// Why it cannot go on, once it cannot.
    fatal: Option<Fatal>,
    /// What went wrong during the stop.
    fault: Option<Fatal>,
    clock: Clock,
    arbiters: [Arbiter; 3],
    watching: KeyWatch,
    accompanying: JoinHandle<()>,
}

impl Server {
    /// Starts everything; returns once it serves. Must be called within an actix system.
    ///
    /// # Errors
    ///
    /// Returns why it could not serve.
    pub async fn start(config: &Config) -> Result<Self, StartError> {
        let port = Port::bind(config.server.bind_address.as_str())?;
        let starting = Starting::at(&port, config)?;
        drop(port);
        let loaded = starting.load(config).await?;
        Ok(Self::of(starting, loaded, config))
    }

    /// Starts the actors, and opens the gate.
    pub(super) fn of(starting: Starting, loaded: Loaded, config: &Config) -> Self {
        let Starting {
            address,
            clock,
            gate,
            http,
            serving,
            view,
            keyring,
            watching,
            accompanying,
        } = starting;
        let arbiters = [Arbiter::new(), Arbiter::new(), Arbiter::new()];
        let placement = Placement::Apart {
            heartbeats: arbiters[0].handle(),
            records: arbiters[1].handle(),
            fleet: arbiters[2].handle(),
        };
        let mut metrics = MetricsRegistry::default();
        let telemetry = Telemetry::new(&mut metrics);
        gate.register_figures(&mut metrics);
        let settings = system_settings(config);
        let sender = HttpSender::new(&sender_settings(config));
        let loaded = loaded.sending_by(Arc::new(sender)).guarded_by(keyring);
        let (orchestrator, fatalities) =
            start(loaded, &settings, clock.clone(), telemetry, &placement);
        orchestrator.show_certificates(gate.tls().map(Tls::expiries).unwrap_or_default());
        let readiness = Readiness::new();
        readiness.set(true);
        gate.set(Phase::Serving(AppState::new(
            orchestrator.clone(),
            http_settings(config),
            readiness.clone(),
            metrics,
        )));
        view.serves();
        Self {
            address,
            orchestrator,
            hearing: Hearing::begin(clock.clone()),
            readiness,
            gate,
            http,
            serving,
            fatalities,
            fatal: None,
            fault: None,
            clock,
            arbiters,
            watching,
            accompanying,
        }
    }

    /// Returns the address at which it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the system of actors.
    pub fn orchestrator(&self) -> &Orchestrator {
        &self.orchestrator
    }

    /// Waits until it cannot go on; returns the reason.
    pub async fn failed(&mut self) -> Fatal {
        let fatal = tokio::select! {
            // If the actors are gone, no sender is left.
            fatal = self.fatalities.recv() => fatal.unwrap_or(Fatal::ActorEnded("actor system")),
            _ = &mut self.serving => Fatal::ActorEnded("HTTP server"),
        };
        if !fatal.is_hand_over() {
            self.hearing.end();
        }
        self.fatal = Some(fatal.clone());
        fatal
    }

    /// Hands over to a standby if there is one; stops accepting connections, finishes requests in progress, saves
    /// transactions in progress and the last heartbeats, ends the actors, and closes the database once no actor can use
    /// it. Takes less than ten seconds, whatever hangs; after an order to step down a standby has longer to prepare.
    ///
    /// # Errors
    ///
    /// Returns an error if acknowledged changes are not complete in the database.
    pub async fn stop(self) -> Result<(), StartError> {
        self.end(None, pending()).await
    }

    /// Ends the work of a term that another orchestrator has, or gets: all steps of a stop. `paused` hears when no
    /// connection is accepted any more; those that come wait for another server on the port. After `hurried` an order to
    /// step down waits for its successor no longer than a signal does.
    ///
    /// # Errors
    ///
    /// Returns why the process cannot go on: something of the orchestrator may be left, or an actor has failed.
    pub(super) async fn leave(
        self,
        paused: oneshot::Sender<()>,
        hurried: impl Future<Output = ()>,
    ) -> Result<(), StartError> {
        self.gate.go_on();
        if !self.fatal.as_ref().is_some_and(Fatal::is_hand_over) {
            // The leader is another one already.
            let view = self.orchestrator.cluster();
            view.change(|known| known.role = Role::Standby);
            self.gate.set(Phase::Standby);
            if view.other_leader().is_some() {
                // Then no request is refused that waits for it.
                let _ = tokio::time::timeout(NEXT_LEADER_LIMIT, view.reaches_a_leader()).await;
            }
        }
        self.end(Some(paused), hurried).await
    }

    async fn end(
        mut self,
        paused: Option<oneshot::Sender<()>>,
        hurried: impl Future<Output = ()>,
    ) -> Result<(), StartError> {
        let goes_on = paused.is_some();
        let began = self.clock.since_made();
        self.readiness.set(false);
        let mut hand_over = self.prepared_hand_over(hurried).await;
        self.watching.end();
        if let Some(under_way) = &mut hand_over
            && !under_way.freeze(&self.hearing).await
        {
            hand_over = None;
        }
        let limit = if self.fatal.is_none() {
            STOP_LIMIT.saturating_sub(self.clock.since_made().saturating_sub(began))
        } else {
            STOP_LIMIT
        };
        // From here on a silence may be this program's own.
        self.hearing.end();
        let parts = Parts {
            orchestrator: self.orchestrator,
            gate: self.gate.clone(),
            http: self.http,
            arbiters: self.arbiters,
            paused,
        };
        let stop = parts.stop_in_order(hand_over, limit);
        let stopped = match tokio::time::timeout(limit, stop).await {
            Ok(closed) => closed.map_err(StartError::Store),
            Err(_) => Err(StartError::NotClosed),
        };
        self.accompanying.abort();
        // Whatever still has the gate has nothing of the orchestrator.
        self.gate.set(Phase::Standby);
        while let Ok(fatal) = self.fatalities.try_recv() {
            self.fault = self
                .fault
                .or(Some(fatal).filter(|fatal| !fatal.another_leads()));
        }
        match self.fault {
            Some(fault) if goes_on => stopped.and(Err(fault.into())),
            Some(_) | None => stopped,
        }
    }

    /// Has a standby prepare to take over, unless this process ends because it cannot go on.
    async fn prepared_hand_over(&mut self, hurried: impl Future<Output = ()>) -> Option<HandOver> {
        let limit = match &self.fatal {
            None => COPY_LIMIT,
            Some(Fatal::SteppedDown(_)) => ORDERED_COPY_LIMIT,
            // The successor is not reached from here: it takes the row at its next look, and loads the fleet.
            Some(Fatal::LessFit(_)) => return HandOver::by_the_row(&self.orchestrator, &self.gate),
            Some(_) => return None,
        };
        let preparing = HandOver::prepare(&self.orchestrator, &self.gate, limit);
        let fatalities = &mut self.fatalities;
        let failed = async {
            loop {
                match fatalities.recv().await {
                    // A second order to step down changes nothing.
                    Some(fatal) if fatal.is_hand_over() => {}
                    fatal => return fatal,
                }
            }
        };
        let hurried = async {
            hurried.await;
            tokio::time::sleep(COPY_LIMIT).await;
        };
        tokio::select! {
            prepared = preparing => prepared,
            fatal = failed => {
                self.fault = fatal.filter(|fatal| !fatal.another_leads());
                None
            }
            () = hurried => None,
        }
    }
}

/// What a stop ends.
struct Parts {
    orchestrator: Orchestrator,
    gate: Gate,
    http: ServerHandle,
    arbiters: [Arbiter; 3],
    /// Hears when no connection is accepted any more.
    paused: Option<oneshot::Sender<()>>,
}

impl Parts {
    async fn stop_in_order(
        self,
        hand_over: Option<HandOver>,
        limit: Duration,
    ) -> Result<(), StoreError> {
        let Self {
            orchestrator,
            gate,
            http,
            arbiters,
            paused,
        } = self;
        if let Some(hand_over) = hand_over {
            let follow = if paused.is_some() {
                LEADER_BEFORE_STANDBY_LIMIT
            } else {
                NEXT_LEADER_LIMIT
            };
            hand_over.release(arbiters, follow).await;
            orchestrator.stop_renewing();
            finish(&gate, &http, ANSWER_LIMIT.min(limit / 2), paused).await;
            http.stop(false).await;
            return orchestrator.close_store().await;
        }
        gate.close();
        orchestrator.end_polls();
        let rest = async {
            finish(&gate, &http, ANSWER_LIMIT, paused).await;
            orchestrator.drain().await;
        };
        let most = FINISH_LIMIT.min(limit.saturating_sub(LAST_STEPS));
        if tokio::time::timeout(most, rest).await.is_err() {
            error!("what was under way could not be finished before the shutdown");
        }
        http.stop(false).await;
        let flushed = tokio::time::timeout(FLUSH_LIMIT, orchestrator.flush()).await;
        if flushed.is_err() {
            warn!("the last heartbeats could not be saved before the shutdown");
        }
        handover::end(arbiters).await;
        // A database that hangs takes no release either.
        if flushed.is_ok() {
            orchestrator.release_leadership(None).await;
        }
        orchestrator.stop_renewing();
        orchestrator.close_store().await
    }
}

/// Answers the requests in progress and those that were sent before, and no later ones.
async fn finish(
    gate: &Gate,
    http: &ServerHandle,
    limit: Duration,
    paused: Option<oneshot::Sender<()>>,
) {
    gate.close();
    tokio::time::sleep(LAST_CALL).await;
    http.pause().await;
    if let Some(paused) = paused {
        // A process that ends meanwhile begins no other server.
        let _ = paused.send(());
        // A connection that was accepted at the last moment still brings its request.
        tokio::time::sleep(LAST_CALL).await;
    }
    if tokio::time::timeout(limit, gate.idle()).await.is_err() {
        warn!("some requests could not be answered before the shutdown");
    }
    tokio::time::sleep(WRITE_GRACE).await;
}
