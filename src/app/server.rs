//! A running orchestrator, and the order in which it stops.

use std::net::SocketAddr;
use std::sync::Arc;

use actix::Arbiter;
use actix_web::dev::ServerHandle;
use log::{error, warn};
use prometheus_client::registry::Registry as MetricsRegistry;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;

use super::hearing::Hearing;
use super::keys::KeyWatch;
use super::start_error::StartError;
use super::starting::Starting;
use super::stop_limits::{
    ANSWER_LIMIT, FINISH_LIMIT, FLUSH_LIMIT, LAST_CALL, STOP_LIMIT, WRITE_GRACE,
};
use super::wiring::{http_settings, sender_settings, system_settings};
use crate::actors::fatal::Fatal;
use crate::actors::orchestrator::Orchestrator;
use crate::actors::start::{Loaded, Placement, start};
use crate::actors::telemetry::Telemetry;
use crate::config::Config;
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
    arbiters: [Arbiter; 3],
    watching: KeyWatch,
}

impl Server {
    /// Starts everything; returns once it serves. Must be called within an actix system.
    ///
    /// # Errors
    ///
    /// Returns why it could not serve.
    pub async fn start(config: &Config) -> Result<Self, StartError> {
        let starting = Starting::bind(config)?;
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
            hearing: Hearing::begin(clock),
            readiness,
            gate,
            http,
            serving,
            fatalities,
            arbiters,
            watching,
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
        self.hearing.end();
        fatal
    }

    /// Stops accepting connections, finishes requests in progress, saves transactions in progress
    /// and the last heartbeats, ends the actors, and closes the database once no actor can use it.
    /// Takes less than ten seconds, whatever hangs.
    ///
    /// # Errors
    ///
    /// Returns an error if acknowledged changes are not complete in the database.
    pub async fn stop(self) -> Result<(), StartError> {
        let Self {
            orchestrator,
            hearing,
            readiness,
            gate,
            http,
            arbiters,
            watching,
            ..
        } = self;
        watching.end();
        // This comes first: from here on a silence may be this program's own.
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
    arbiters: [Arbiter; 3],
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
    let flushed = tokio::time::timeout(FLUSH_LIMIT, orchestrator.flush()).await;
    if flushed.is_err() {
        warn!("the last heartbeats could not be saved before the shutdown");
    }
    // Actors go on for a moment after their arbiters were asked to end.
    let ended = tokio::task::spawn_blocking(move || {
        for arbiter in &arbiters {
            arbiter.stop();
        }
        arbiters.map(Arbiter::join)
    });
    let _ = ended.await;
    // A database that hangs takes no release either.
    if flushed.is_ok() {
        orchestrator.release_leadership().await;
    }
    orchestrator.close_store().await
}
