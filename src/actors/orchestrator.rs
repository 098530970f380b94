//! The running system, as everybody outside sees it: addresses, and the heartbeat path.
//!
//! A heartbeat never waits for the store or for the FleetActor's decisions: its time is stamped
//! on the registry's entry, then its instance's actor is told. If that actor is gone or busy, the
//! answer is the same, only without a lease.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::alerts::{AlertPage, Alerts, AskAlerts};
use super::archive::Archive;
use super::consistency;
use super::db_breaker::{AskBreakers, BreakerReport, DbBreakerActor, ForceBreaker, StoreGate};
use super::event_feed::EventFeed;
use super::fleet::{Ask, Drain, Execute, FleetActor};
use super::health::{
    AskFailures, AskHealth, AskHealthHistory, Failures, HealthActor, HealthPage, HealthReport,
};
use super::heartbeat_log::{AskHistory, Flush, HeartbeatLog, History, Record};
use super::identity::{AddressChanged, IdentityActor, OlderLife};
use super::instance_link::{Beat, Says};
use super::long_poll::{AssignmentPoll, Found, PollsEnd};
use super::recovery::{AskBrake, BrakeReport, OrderBrake};
use super::recovery::{
    Departure, EmergencyReport, ForceRecovery, Forced, RecoveryActor, Remove, ReportFailure,
    TakeOut,
};
use super::refusal::Refusal;
use super::registry::{Entry, Registry};
use super::supervisor::Supervisor;
use super::telemetry::Telemetry;
use crate::clock::Clock;
use crate::domain::brake::OrderRefused;
use crate::domain::commands::{
    AgreeLease, Command, Recovered, RegisterInstance, Registered, Rejection,
};
use crate::domain::consistency::Consistency;
use crate::domain::digest::StreamsDigest;
use crate::domain::fleet::Standing;
use crate::domain::heartbeat::{LastBeat, MetricsRecord, SystemMetrics};
use crate::domain::ids::{AssignmentVersion, Incarnation, InstanceId, StreamId};
use crate::domain::incident::OrderReason;
use crate::domain::lease::runs;
use crate::domain::patterns::{Pattern, find_patterns};
use crate::domain::queries::{
    FailedInstances, FleetFacts, FleetTotals, Query, SetUpdate, TellAgain, Totals, WorkerUpdate,
};

use crate::store::StoreError;
use actix::{Addr, MailboxError};

/// How long a heartbeat waits for its instance's actor before it is answered without it.
const PULSE_LIMIT: Duration = Duration::from_millis(250);

/// How long the first heartbeat of a life waits until it is saved that it goes by leases.
const AGREEMENT_LIMIT: Duration = Duration::from_millis(500);

/// The running system. Clones are the same system.
#[derive(Debug, Clone)]
pub struct Orchestrator {
    pub(super) clock: Clock,
    pub(super) registry: Arc<Registry>,
    pub(super) gate: Arc<StoreGate>,
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) fleet: Addr<FleetActor>,
    pub(super) recovery: Addr<RecoveryActor>,
    pub(super) supervisor: Addr<Supervisor>,
    pub(super) heartbeats: Addr<HeartbeatLog>,
    pub(super) feed: Addr<EventFeed>,
    pub(super) breaker: Addr<DbBreakerActor>,
    pub(super) archive: Archive,
    pub(super) health: Addr<HealthActor>,
    pub(super) alerts: Alerts,
    pub(super) lease: Duration,
    pub(super) lease_margin: Duration,
    pub(super) change_limit: Duration,
    pub(super) identity: Addr<IdentityActor>,
    pub(super) polls_end: Arc<PollsEnd>,
}

/// What a worker says in a heartbeat.
#[derive(Debug, Clone, PartialEq)]
pub struct HeartbeatReport {
    /// Who it is.
    pub id: InstanceId,
    /// The life it believes to lead, if it says so.
    pub incarnation: Option<Incarnation>,
    /// How many streams it says it runs.
    pub current_streams: i64,
    /// The state it gives itself.
    pub status: Arc<str>,
    /// Its machine's readings.
    pub metrics: Option<SystemMetrics>,
    /// The last assignment version it has.
    pub version: Option<AssignmentVersion>,
    /// What it says it runs.
    pub running: Option<Vec<StreamId>>,
    /// The digest of what it runs, for who does not name it.
    pub digest: Option<StreamsDigest>,
}

impl HeartbeatReport {
    /// What it says it runs, if it does. The streams themselves count for more than a digest.
    fn says(&mut self) -> Option<Says> {
        let Some(mut running) = self.running.take() else {
            return self.digest.map(|digest| Says {
                digest,
                count: self.current_streams.unsigned_abs(),
                running: None,
            });
        };
        running.sort_unstable();
        running.dedup();
        Some(Says {
            digest: StreamsDigest::of(running.iter().copied()),
            count: running.len() as u64,
            running: Some(running.into()),
        })
    }
}

/// The answer to a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeartbeatAnswer {
    /// What is saved about the instance.
    pub standing: Standing,
    /// Whether the heartbeat counts as a sign of life, and not of a return.
    pub is_trusted: bool,
    /// Whether the heartbeat renewed its lease.
    pub grants_lease: bool,
    /// What to ask in order to tell the worker again what to run, if it has to be.
    pub tell_again: Option<TellAgain>,
}

impl Orchestrator {
    /// Takes a heartbeat.
    ///
    /// # Errors
    /// If the instance is not registered, or names another life than its current one.
    pub async fn heartbeat(
        &self,
        mut report: HeartbeatReport,
    ) -> Result<HeartbeatAnswer, Rejection> {
        let Some(entry) = self.registry.get(&report.id) else {
            self.telemetry.heartbeats_unknown.inc();
            return Err(Rejection::UnknownInstance(report.id));
        };
        self.check_life(&entry, report.incarnation)?;
        let at = self.clock.wall();
        entry.stamp(self.clock.now(), at);
        entry.report(&report.status, report.current_streams);
        if let Some(metrics) = &report.metrics {
            entry.measure(metrics);
        }
        let says = report.says();
        self.heartbeats.do_send(Record {
            beat: LastBeat {
                instance: report.id.clone(),
                at,
                reported_status: report.status.as_ref().to_owned(),
                reported_streams: report.current_streams,
            },
            metrics: report.metrics.map(|metrics| MetricsRecord {
                instance: report.id.clone(),
                recorded_at: at,
                metrics,
            }),
        });
        self.agree_lease(&entry, report.incarnation).await;
        let running = says.as_ref().and_then(|says| says.running.clone());
        let beat = Beat {
            life: report.incarnation,
            version: report.version,
            says,
        };
        let pulse = match entry.actor() {
            Some(actor) => {
                let pulse = actor.beat.send(beat).timeout(PULSE_LIMIT).await;
                pulse.ok()
            }
            None => None,
        };
        self.telemetry.heartbeats.inc();
        let standing = entry.standing();
        let tells_again = pulse.is_some_and(|pulse| pulse.tells_again);
        let tell_again = report.version.filter(|_| tells_again);
        Ok(HeartbeatAnswer {
            standing,
            is_trusted: pulse.is_some_and(|pulse| pulse.is_trusted),
            grants_lease: pulse.is_some_and(|pulse| pulse.grants_lease),
            tell_again: tell_again.map(|version| TellAgain {
                id: report.id,
                incarnation: standing.incarnation,
                version,
                running,
            }),
        })
    }

    /// The first heartbeat of a life says whether the instance goes by leases. That is saved before
    /// a lease is granted; while it cannot be, none is.
    async fn agree_lease(&self, entry: &Entry, named: Option<Incarnation>) {
        let standing = entry.standing();
        let leased = named.is_some();
        // One that also beats without, as two processes of one name would, stays leased: its lease
        // is renewed by the other.
        let may_still_run = !leased
            && entry
                .granted_until()
                .is_some_and(|granted| self.clock.now() < granted + self.lease_margin);
        let is_agreed = standing.leased == leased && (!leased || standing.lease >= self.lease);
        let is_settled = is_agreed || may_still_run;
        if is_settled || !self.gate.writes().lets_through() {
            return;
        }
        let agreement = AgreeLease {
            id: entry.id().clone(),
            incarnation: standing.incarnation,
            lease: leased.then_some(self.lease),
        };
        // What is not saved in time may be by the next heartbeat.
        let _ = tokio::time::timeout(AGREEMENT_LIMIT, self.execute(agreement)).await;
    }

    /// Takes any other request of a known instance as the sign of life it is.
    ///
    /// # Errors
    /// If the instance names another life than its current one. An unknown one is left to the
    /// request itself.
    pub fn sign_of_life(
        &self,
        id: &InstanceId,
        incarnation: Option<Incarnation>,
    ) -> Result<(), Rejection> {
        let Some(entry) = self.registry.get(id) else {
            return Ok(());
        };
        self.check_life(&entry, incarnation)?;
        entry.stamp(self.clock.now(), self.clock.wall());
        if let Some(actor) = entry.actor() {
            actor.beat.do_send(Beat::default());
        }
        Ok(())
    }

    pub(super) fn check_life(
        &self,
        entry: &Entry,
        given: Option<Incarnation>,
    ) -> Result<(), Rejection> {
        let current = entry.standing().incarnation;
        let Some(given) = given else {
            return Ok(());
        };
        if given == current {
            entry.named(self.clock.now());
            return Ok(());
        }
        if given < current {
            self.identity.do_send(OlderLife {
                id: entry.id().clone(),
                older: given,
                newest: current,
                newest_spoke: entry.last_named(),
            });
        }
        Err(Rejection::OtherIncarnation {
            instance: entry.id().clone(),
            given,
            current,
        })
    }

    /// Waits for a change for as long as a request may take: one limit for the queue, the store,
    /// and the settling of what is in doubt. The change goes on when nobody waits any more.
    async fn in_time<T>(
        &self,
        change: impl Future<Output = Result<Result<T, Refusal>, MailboxError>>,
    ) -> Result<T, Refusal> {
        match tokio::time::timeout(self.change_limit, change).await {
            Ok(answer) => answer.unwrap_or(Err(Refusal::ShuttingDown)),
            Err(_) => Err(Refusal::OutcomeUnknown),
        }
    }

    /// Has a command carried out; returns once it is saved.
    ///
    /// # Errors
    /// If it was not, with the reason.
    pub async fn execute<C: Command>(&self, command: C) -> Result<C::Reply, Refusal> {
        self.in_time(self.fleet.send(Execute(command))).await
    }

    /// Begins a life of an instance; returns once it is saved.
    ///
    /// # Errors
    /// If it was not, with the reason.
    pub async fn register(&self, command: RegisterInstance) -> Result<Registered, Refusal> {
        let registered = self.execute(command).await?;
        if let Some(changed) = AddressChanged::by(&registered) {
            self.identity.do_send(changed);
        }
        Ok(registered)
    }

    /// Asks about the saved fleet.
    ///
    /// # Errors
    /// Only while the system ends.
    pub async fn ask<Q: Query>(&self, query: Q) -> Result<Q::Answer, Refusal> {
        self.fleet
            .send(Ask(query))
            .await
            .map_err(|_| Refusal::ShuttingDown)
    }

    /// How much there is of everything, and what of it runs now.
    ///
    /// # Errors
    /// Only while the system ends.
    pub async fn totals(&self) -> Result<Totals, Refusal> {
        let leases = self.registry.leases(self.clock.now());
        self.ask(FleetTotals { leases }).await
    }

    /// Whether the streams an instance owns run now, as far as can be known.
    pub fn runs(&self, id: &InstanceId) -> bool {
        let Some(entry) = self.registry.get(id) else {
            return false;
        };
        let standing = entry.standing();
        let granted_until = entry.granted_until();
        runs(
            standing.status,
            standing.leased,
            granted_until,
            self.clock.now(),
        )
    }

    /// Recovers an instance that somebody says has failed.
    ///
    /// # Errors
    /// If it could not be, with the reason.
    pub async fn report_failure(&self, id: InstanceId) -> Result<Recovered, Refusal> {
        self.check_store_for(&id)?;
        self.in_time(self.recovery.send(ReportFailure { id })).await
    }

    /// Removes an instance for good. What its worker may still run waits for the end of its lease.
    ///
    /// # Errors
    /// If it is not known, or that could not be saved.
    pub async fn remove(&self, id: InstanceId) -> Result<Departure, Refusal> {
        self.depart(id, false).await
    }

    /// The worker of an instance leaves for good; it has stopped everything.
    ///
    /// # Errors
    /// If it is not known, leads another life, or that could not be saved.
    pub async fn leave(
        &self,
        id: InstanceId,
        incarnation: Incarnation,
    ) -> Result<Departure, Refusal> {
        if let Some(entry) = self.registry.get(&id) {
            self.check_life(&entry, Some(incarnation))
                .map_err(Refusal::Rejected)?;
        }
        self.depart(id, true).await
    }

    async fn depart(&self, id: InstanceId, by_worker: bool) -> Result<Departure, Refusal> {
        self.check_store_for(&id)?;
        self.in_time(self.recovery.send(Remove { id, by_worker }))
            .await
    }

    /// A known instance cannot be recovered while nothing can be saved; who asks hears so before
    /// anything is done.
    fn check_store_for(&self, id: &InstanceId) -> Result<(), Refusal> {
        if self.registry.get(id).is_some() && !self.gate.writes().lets_through() {
            return Err(self.gate.writes().refusal());
        }
        Ok(())
    }

    /// Forces a recovery of an instance that has failed, or ends its maintenance.
    ///
    /// # Errors
    /// If that could not be saved.
    pub async fn force_recovery(&self, id: InstanceId) -> Result<Forced, Refusal> {
        self.in_time(self.recovery.send(ForceRecovery { id })).await
    }

    /// Empties an instance and takes it out of use, whether it beats or not; returns when its
    /// moves are saved.
    ///
    /// # Errors
    /// If it is not known, or its moves could not be saved.
    pub async fn emergency(
        &self,
        id: InstanceId,
        reason: impl Into<OrderReason>,
    ) -> Result<EmergencyReport, Refusal> {
        self.check_store_for(&id)?;
        let reason = reason.into();
        self.in_time(self.recovery.send(TakeOut { id, reason }))
            .await
    }

    /// What the mass-failure brake does.
    ///
    /// # Errors
    /// Only while the system ends.
    pub async fn brake(&self) -> Result<BrakeReport, Refusal> {
        self.recovery
            .send(AskBrake)
            .await
            .map_err(|_| Refusal::ShuttingDown)
    }

    /// Releases or prolongs a hold; the inner error tells that there is none.
    ///
    /// # Errors
    /// Only while the system ends.
    pub async fn order_brake(
        &self,
        order: OrderBrake,
    ) -> Result<Result<BrakeReport, OrderRefused>, Refusal> {
        self.recovery
            .send(order)
            .await
            .map_err(|_| Refusal::ShuttingDown)
    }

    /// The circuit breakers.
    ///
    /// # Errors
    /// Only while the system ends.
    pub async fn breakers(&self) -> Result<Vec<BreakerReport>, Refusal> {
        self.breaker
            .send(AskBreakers)
            .await
            .map_err(|_| Refusal::ShuttingDown)
    }

    /// Forces a circuit breaker or releases it; none if there is no such breaker.
    ///
    /// # Errors
    /// Only while the system ends.
    pub async fn force_breaker(
        &self,
        order: ForceBreaker,
    ) -> Result<Option<BreakerReport>, Refusal> {
        self.breaker
            .send(order)
            .await
            .map_err(|_| Refusal::ShuttingDown)
    }

    /// How the whole system is, as of now.
    ///
    /// # Errors
    /// Only while the system ends.
    pub async fn system_health(&self) -> Result<HealthReport, Refusal> {
        let report = self.health.send(AskHealth).await;
        report.ok().flatten().ok_or(Refusal::ShuttingDown)
    }

    /// What is remembered of failures.
    ///
    /// # Errors
    /// Only while the system ends.
    pub async fn failures(&self) -> Result<Failures, Refusal> {
        let failed = self.ask(FailedInstances).await?;
        let failures = self.health.send(AskFailures(failed)).await;
        let mut failures = failures.map_err(|_| Refusal::ShuttingDown)?;
        // Incidents outlive their instance.
        let counts = &mut failures.counts;
        counts.retain(|id, _| self.registry.get(id).is_some());
        Ok(failures)
    }

    /// A page of the history of the system's health.
    ///
    /// # Errors
    /// Only while the system ends.
    pub async fn health_history(&self, ask: AskHealthHistory) -> Result<HealthPage, Refusal> {
        let page = self.health.send(ask).await;
        page.map_err(|_| Refusal::ShuttingDown)
    }

    /// What the failures of registered instances within a time that ends now have in common, and
    /// how many they were. Those of instances that were removed are left out.
    ///
    /// # Errors
    /// Only while the system ends.
    pub async fn patterns(&self, within: Duration) -> Result<(Vec<Pattern>, usize), Refusal> {
        let facts = self.ask(FleetFacts).await?;
        let lately = self.clock.recent(within);
        let mut incidents = self.archive.detected_in(&lately);
        incidents.retain(|incident| facts.contains_key(&incident.instance));
        // Many failures take a while to compare; nobody's request waits for it on this thread.
        let found = tokio::task::spawn_blocking(move || {
            (find_patterns(&incidents, &facts), incidents.len())
        });
        found.await.map_err(|_| Refusal::ShuttingDown)
    }

    /// A page of alerts.
    ///
    /// # Errors
    /// Only while the system ends.
    pub async fn alert_page(&self, ask: AskAlerts) -> Result<AlertPage, Refusal> {
        let page = self.alerts.book().send(ask).await;
        page.map_err(|_| Refusal::ShuttingDown)
    }

    /// Where alerts are raised and cleared.
    pub fn alerts(&self) -> &Alerts {
        &self.alerts
    }

    /// The metrics of an instance.
    ///
    /// # Errors
    /// Only while the system ends.
    pub async fn history(&self, ask: AskHistory) -> Result<History, Refusal> {
        self.heartbeats
            .send(ask)
            .await
            .map_err(|_| Refusal::ShuttingDown)
    }

    /// The entries of the instances.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The clock everybody goes by.
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

    /// Where events are told.
    pub fn feed(&self) -> &Addr<EventFeed> {
        &self.feed
    }

    /// The owner of the breakers.
    pub fn breaker(&self) -> &Addr<DbBreakerActor> {
        &self.breaker
    }

    /// What only the store remembers.
    pub fn archive(&self) -> &Archive {
        &self.archive
    }

    /// Takes no more changes; returns when those under way are saved or refused.
    pub async fn drain(&self) {
        // An actor that is gone has nothing under way.
        let _ = self.fleet.send(Drain).await;
    }

    /// Returns when the last heartbeats are saved, or could not be.
    pub async fn flush(&self) {
        let _ = self.heartbeats.send(Flush).await;
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

impl Orchestrator {
    /// Answers as soon as the instance has another version than the worker, or else when the wait
    /// is over.
    ///
    /// # Errors
    /// If the instance is not registered, or leads another life than the worker names; then, or
    /// as soon as that happens.
    pub async fn await_changes(&self, poll: AssignmentPoll) -> Result<WorkerUpdate, Refusal> {
        let known = self.registry().get(&poll.id);
        let entry = known.ok_or_else(|| poll.unknown())?;
        // Only the call itself shows that a process speaks, not its being woken.
        self.check_life(&entry, poll.incarnation)?;
        let question = match poll.watch(&self.registry, &self.polls_end, entry).await? {
            Found::News(question) => question,
            Found::Nothing(standing) => {
                return Ok(WorkerUpdate {
                    standing,
                    update: SetUpdate::UpToDate,
                });
            }
        };
        let update = self.ask(question).await?.ok_or_else(|| poll.unknown())?;
        poll.same_life(update.standing.incarnation)?;
        Ok(update)
    }

    /// Answers everybody who waits, now and from now on.
    pub fn end_polls(&self) {
        self.polls_end.end();
    }
}

impl Orchestrator {
    /// Checks the invariants of the saved fleet, and that the store holds the same.
    ///
    /// # Errors
    /// Only while the system ends. A store that could not be read is told of in the report.
    pub async fn consistency(&self) -> Result<Consistency, Refusal> {
        consistency::check(&self.fleet, &self.archive, &self.alerts).await
    }
}
