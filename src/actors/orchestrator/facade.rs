//! The handles of the actors, and the two ways to send them something: a question and a change.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actix::dev::ToEnvelope;
use actix::{Actor, Addr, Handler, Message};

use crate::actors::access::{AccessActor, Keyring};
use crate::actors::alerts::Alerts;
use crate::actors::archive::StoreReader;
use crate::actors::balance::BalanceActor;
use crate::actors::certificates::{CertificateWatch, CertificatesInUse};
use crate::actors::clean_up::{ChangeRetention, Cleaner, Retention};
use crate::actors::db_breaker::{DbBreakerActor, StoreGate};
use crate::actors::event_feed::EventFeed;
use crate::actors::event_outbox::{EventOutbox, Note};
use crate::actors::event_tail::EventTail;
use crate::actors::fleet::{
    Ask, AskVersion, Drain, Execute, ExecuteFor, FleetActor, ProveLife, SavedVersion,
};
use crate::actors::headroom::HeadroomActor;
use crate::actors::health::{ChangeLimits, HealthActor};
use crate::actors::heartbeat_log::{Flush, HeartbeatLog};
use crate::actors::identity::IdentityActor;
use crate::actors::leadership::{
    ClusterView, ForgetError, Prover, Seat, StepDownError, StepDownTo,
};
use crate::actors::long_poll::PollsEnd;
use crate::actors::recovery::RecoveryActor;
use crate::actors::refusal::Refusal;
use crate::actors::registry::Registry;
use crate::actors::series::{SaveSeries, SeriesActor};
use crate::actors::supervisor::Supervisor;
use crate::actors::telemetry::Telemetry;
use crate::actors::webhooks::{
    ChangeWebhooks, SaveCursors, WebhookActor, WebhookSender, WebhookSettings,
};
use crate::clock::Clock;
use crate::domain::certificate::Expiry;
use crate::domain::commands::{Command, DryRun};
use crate::domain::events::Event;
use crate::domain::ids::Version;
use crate::domain::leadership::{MemberRow, NodeName, StartFreeze, forgettable};
use crate::domain::queries::Query;
use crate::domain::settings::{HealthLimits, PlannedSettings, WorkerLimits};
use crate::logging;
use crate::store::StoreError;

/// The running system. Clones are the same system.
#[derive(Debug, Clone)]
pub struct Orchestrator {
    pub(in crate::actors) clock: Clock,
    pub(in crate::actors) registry: Arc<Registry>,
    pub(in crate::actors) gate: Arc<StoreGate>,
    pub(in crate::actors) telemetry: Arc<Telemetry>,
    pub(in crate::actors) fleet: Addr<FleetActor>,
    pub(in crate::actors) recovery: Addr<RecoveryActor>,
    pub(in crate::actors) supervisor: Addr<Supervisor>,
    pub(in crate::actors) heartbeats: Addr<HeartbeatLog>,
    pub(in crate::actors) cleaner: Addr<Cleaner>,
    pub(in crate::actors) feed: Addr<EventFeed>,
    pub(in crate::actors) event_outbox: Addr<EventOutbox>,
    pub(in crate::actors) event_tail: Addr<EventTail>,
    pub(in crate::actors) breaker: Addr<DbBreakerActor>,
    pub(in crate::actors) archive: StoreReader,
    pub(in crate::actors) health: Addr<HealthActor>,
    pub(in crate::actors) headroom: Addr<HeadroomActor>,
    pub(in crate::actors) alerts: Alerts,
    pub(in crate::actors) limits: WorkerLimits,
    pub(in crate::actors) planned: PlannedSettings,
    pub(in crate::actors) change_limit: Duration,
    pub(in crate::actors) identity: Addr<IdentityActor>,
    pub(in crate::actors) balance: Addr<BalanceActor>,
    pub(in crate::actors) certificates: Addr<CertificateWatch>,
    pub(in crate::actors) webhooks: Addr<WebhookActor>,
    pub(in crate::actors) keyring: Keyring,
    pub(in crate::actors) keys: Addr<AccessActor>,
    pub(in crate::actors) series: Addr<SeriesActor>,
    pub(in crate::actors) sender: Arc<dyn WebhookSender>,
    pub(in crate::actors) polls_end: Arc<PollsEnd>,
    pub(in crate::actors) prover: Prover,
    pub(in crate::actors) cluster: ClusterView,
    pub(in crate::actors) seat: Option<Seat>,
    pub(in crate::actors) freeze: StartFreeze,
}

/// Asks an actor. Without an answer, the system is ending.
pub(super) async fn ask<A, M>(address: &Addr<A>, question: M) -> Result<M::Result, Refusal>
where
    A: Actor + Handler<M>,
    A::Context: ToEnvelope<A, M>,
    M: Message + Send + 'static,
    M::Result: Send,
{
    let answer = address.send(question).await;
    answer.map_err(|_| Refusal::ShuttingDown)
}

impl Orchestrator {
    /// Has an actor change something, and waits as long as a request may take: one limit for the
    /// queue, the store, and the settling of a transaction in doubt. The change goes on when the
    /// caller has gone.
    pub(super) async fn change<A, M, T>(&self, address: &Addr<A>, order: M) -> Result<T, Refusal>
    where
        A: Actor + Handler<M>,
        A::Context: ToEnvelope<A, M>,
        M: Message<Result = Result<T, Refusal>> + Send + 'static,
        T: Send + 'static,
    {
        match tokio::time::timeout(self.change_limit, ask(address, order)).await {
            Ok(answer) => answer?,
            Err(_) => Err(Refusal::OutcomeUnknown),
        }
    }

    /// Has a command carried out; returns once it is saved.
    ///
    /// # Errors
    /// If it was not, with the reason.
    pub async fn execute<C: Command>(&self, command: C) -> Result<C::Reply, Refusal> {
        match logging::current() {
            Some(request) => self.change(&self.fleet, ExecuteFor(command, request)).await,
            None => self.change(&self.fleet, Execute(command)).await,
        }
    }

    /// Has a command carried out, or only tried: `is_dry_run` says which. Nothing is changed by a
    /// command that is tried, and its reply says what it would do.
    ///
    /// # Errors
    /// If it was not carried out, or would not be, with the reason.
    pub async fn execute_or_try<C: Command>(
        &self,
        command: C,
        is_dry_run: bool,
    ) -> Result<C::Reply, Refusal> {
        if is_dry_run {
            self.execute(DryRun(command)).await
        } else {
            self.execute(command).await
        }
    }

    /// Asks about the saved fleet.
    ///
    /// # Errors
    /// Only while the system ends.
    pub async fn ask<Q: Query>(&self, query: Q) -> Result<Q::Answer, Refusal> {
        ask(&self.fleet, Ask(query)).await
    }

    /// How planned work is done.
    pub const fn planned(&self) -> PlannedSettings {
        self.planned
    }

    /// Where alerts are raised and cleared.
    pub fn alerts(&self) -> &Alerts {
        &self.alerts
    }

    /// Gives out the proofs that this orchestrator leads.
    pub fn prover(&self) -> &Prover {
        &self.prover
    }

    /// Who leads, and who else is there.
    pub fn cluster(&self) -> &ClusterView {
        &self.cluster
    }

    /// For how much longer no stream is started, because the database lost changes; `None`: streams are
    /// started.
    pub fn frozen_for(&self) -> Option<Duration> {
        self.freeze.left(self.clock.now())
    }

    /// The entries of the instances.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The clock of the whole program.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Whether the store answers.
    pub fn store_gate(&self) -> &StoreGate {
        &self.gate
    }

    /// What is counted.
    pub fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    /// The parent of the instances' actors.
    pub fn supervisor(&self) -> &Addr<Supervisor> {
        &self.supervisor
    }

    /// Where events are announced.
    pub fn feed(&self) -> &Addr<EventFeed> {
        &self.feed
    }

    /// The owner of the breakers.
    pub fn breaker(&self) -> &Addr<DbBreakerActor> {
        &self.breaker
    }

    /// What only the store remembers.
    pub fn archive(&self) -> &StoreReader {
        &self.archive
    }

    /// Returns once the actor that decides about the fleet has answered.
    ///
    /// # Errors
    /// Only while the system ends.
    pub async fn prove_life(&self) -> Result<(), Refusal> {
        ask(&self.fleet, ProveLife).await
    }

    /// Goes by other settings from now on, of those that may change while it runs.
    pub fn change_settings(&self, health: HealthLimits, retention: Retention) {
        self.health.do_send(ChangeLimits(health));
        self.cleaner.do_send(ChangeRetention(retention));
    }

    /// Watches the ends of these certificates from now on, and of no others.
    pub fn show_certificates(&self, in_use: Vec<Expiry>) {
        self.certificates.do_send(CertificatesInUse(in_use));
    }

    /// Goes by another file of webhooks from now on.
    pub fn change_webhooks(&self, settings: WebhookSettings) {
        self.webhooks.do_send(ChangeWebhooks(settings));
    }

    /// Takes no more changes; returns when those under way are saved or refused.
    pub async fn drain(&self) {
        // An actor that is gone has nothing under way.
        let _ = self.fleet.send(Drain).await;
    }

    /// Returns how many transactions of the fleet are saved; `None` while the system ends. Exact once it is drained.
    pub async fn saved_version(&self) -> Option<Version> {
        let SavedVersion(version) = ask(&self.fleet, AskVersion).await.ok()?;
        Some(version)
    }

    /// Returns when the last heartbeats, the points of the series and the cursors of webhooks are saved, or could not be.
    pub async fn flush(&self) {
        let (heartbeats, series) = (self.heartbeats.send(Flush), self.series.send(SaveSeries));
        let cursors = self.webhooks.send(SaveCursors);
        let _ = futures_util::future::join3(heartbeats, series, cursors).await;
    }

    /// Begins to hand the leadership over, to this orchestrator or to the best one. The process goes on as a standby.
    ///
    /// # Errors
    /// If none is ready, or no other process can have the database.
    pub fn step_down(
        &self,
        to: Option<&NodeName>,
        reason: &str,
    ) -> Result<StepDownTo, StepDownError> {
        let seat = self.seat.as_ref().ok_or(StepDownError::Alone)?;
        let next = seat.step_down(to, reason);
        let next = next.map_err(StepDownError::Refused)?;
        // It is saved before the changes freeze: the successor reads the fleet ahead first.
        self.event_outbox.do_send(Note::new(Event::StepDownOrdered {
            node: self.cluster.me().node.to_string(),
            to: next.node.to_string(),
            term: self.prover.term(),
            reason: reason.to_owned(),
        }));
        Ok(next)
    }

    /// Forgets another orchestrator that is away.
    ///
    /// # Errors
    /// If it may not be forgotten, or the database does not answer.
    pub async fn forget_member(&self, node: &NodeName) -> Result<(), ForgetError> {
        match &self.seat {
            Some(seat) => {
                seat.forget(node).await?;
                let node = node.to_string();
                let note = Note::new(Event::MemberForgotten { node });
                self.event_outbox.do_send(note);
                Ok(())
            }
            // A process that has its store for itself knows no other one.
            None => forgettable(&[], &self.cluster.me().node, node)
                .map(|_| ())
                .map_err(ForgetError::Refused),
        }
    }

    /// Returns the orchestrator that the term can be handed over to now: the one that was ordered, or the best one.
    pub fn heir(&self) -> Option<MemberRow> {
        self.seat.as_ref()?.heir()
    }

    /// Gives up the leadership of the database, so that a standby takes over at once. Without an order it is released to
    /// `heir`, or to any orchestrator. Returns whether the row is released.
    pub async fn release_leadership(&self, heir: Option<&NodeName>) -> bool {
        match &self.seat {
            Some(seat) => seat.release(heir).await,
            None => false,
        }
    }

    /// Renews the term no longer, whether it was given up or not: nothing acts in its name afterwards.
    pub fn stop_renewing(&self) {
        if let Some(seat) = &self.seat {
            seat.stop_renewing();
        }
    }

    /// Waits until another orchestrator has taken the term that was released and is reached, for at most `limit`. The view
    /// names it as soon as it has the term.
    pub async fn see_next_leader(&self, limit: Duration) {
        let Some(seat) = &self.seat else {
            return;
        };
        let reached = async {
            seat.see_next_leader(&self.cluster).await;
            self.cluster.reaches_a_leader().await;
        };
        let _ = tokio::time::timeout(limit, reached).await;
    }

    /// Ends the work with the store; nothing can be saved or read afterwards.
    ///
    /// # Errors
    /// If what was saved is not complete where the next start looks for it.
    pub async fn close_store(&self) -> Result<(), StoreError> {
        self.archive.close_store().await
    }
}

impl fmt::Display for Orchestrator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an orchestrator of {} instances", self.registry.len())
    }
}
