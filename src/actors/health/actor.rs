//! The actor that looks and judges.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use log::{info, warn};
use tokio::sync::oneshot;

use super::history::{HISTORY_INTERVAL, History};
use super::process::ProcessWatch;
use super::report::HealthReport;

use crate::actors::alarm::Alarm;
use crate::actors::alerts::{Alerts, AskOpen, BookChanged, OpenAlerts};
use crate::actors::archive::IncidentMemory;
use crate::actors::db_breaker::{
    AskBreakers, BreakerChanged, BreakerReport, DbBreakerActor, StoreAccess,
};
use crate::actors::fatal::Vital;
use crate::actors::fleet::{Ask, Committed, FleetActor};
use crate::actors::recovery::RecoveryActor;
use crate::actors::recovery::{AskBrake, BrakeReport};
use crate::actors::registry::Registry;
use crate::actors::telemetry::Telemetry;
use crate::clock::Clock;
use crate::domain::alert::{AlertKind, FLEET, untold};
use crate::domain::brake::Phase;
use crate::domain::breaker::{BreakerName, BreakerState};
use crate::domain::health::{
    HealthMachine, HealthRecord, Level, Observation, SystemHealth, Verdict, severity_of,
};
use crate::domain::movements::named as named_streams;
use crate::domain::queries::{FAILED_COUNTS_FOR, FleetVitals, GivenUpMoves, Vitals};
use crate::domain::running_time::READING_INTERVAL;
use crate::domain::settings::HealthLimits;
use crate::domain::time::Timestamp;
use crate::domain::wording::counted;

/// How soon after a look the next hint is followed.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// The numbers it goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthSettings {
    /// When the system is less than healthy.
    pub limits: HealthLimits,
    /// The longest time between two looks.
    pub check_interval: Duration,
}

/// What it looks at.
#[derive(Debug, Clone)]
pub struct HealthLinks {
    pub(in crate::actors) access: StoreAccess,
    pub(in crate::actors) incidents: Arc<IncidentMemory>,
    pub(in crate::actors) registry: Arc<Registry>,
    pub(in crate::actors) fleet: Addr<FleetActor>,
    pub(in crate::actors) recovery: Addr<RecoveryActor>,
    pub(in crate::actors) breakers: Addr<DbBreakerActor>,
    pub(in crate::actors) alerts: Alerts,
}

/// What a look brings.
#[derive(Debug)]
struct Seen {
    vitals: Vitals,
    brake: BrakeReport,
    breakers: Vec<BreakerReport>,
    alerts: OpenAlerts,
}

/// Watches the system and the process.
#[derive(Debug)]
pub struct HealthActor {
    pub(super) clock: Clock,
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) settings: HealthSettings,
    pub(super) links: HealthLinks,
    pub(super) machine: HealthMachine,
    pub(super) report: Option<HealthReport>,
    pub(super) history: History,
    /// Rings when the history is saved again.
    pub(super) retry: Alarm<Self>,
    pub(super) looked_at: Option<Timestamp>,
    pub(super) is_looking: bool,
    hint: Alarm<Self>,
    pub(super) waiting: Vec<oneshot::Sender<Option<HealthReport>>>,
    pub(super) process: ProcessWatch,
    _vital: Vital,
}

impl HealthActor {
    /// Watches the process and the system from the start on.
    pub fn new(
        settings: HealthSettings,
        links: HealthLinks,
        clock: Clock,
        telemetry: Arc<Telemetry>,
        vital: Vital,
    ) -> Self {
        let process = ProcessWatch::starting_with(&clock);
        Self {
            clock,
            telemetry,
            settings,
            links,
            machine: HealthMachine::new(settings.limits),
            report: None,
            history: History::new(),
            retry: Alarm::of_waits(|actor| &mut actor.retry, Self::save_history),
            looked_at: None,
            is_looking: false,
            hint: Alarm::of_waits(|actor| &mut actor.hint, Self::look),
            waiting: Vec::new(),
            process,
            _vital: vital,
        }
    }

    /// Something may have changed the verdict: looks soon, however many say so.
    fn look_soon(&mut self, ctx: &mut Context<Self>) {
        let now = self.clock.awake();
        let next = self.looked_at.map_or(now, |at| now.max(at + LOOK_INTERVAL));
        self.hint.set_by(next, &self.clock, ctx);
    }

    /// Looks, one look at a time. A question that comes during a look is answered by the next one,
    /// because the one under way may be older than the question.
    fn look(&mut self, ctx: &mut Context<Self>) {
        if self.is_looking {
            return;
        }
        let links = self.links.clone();
        self.is_looking = true;
        self.looked_at = Some(self.clock.awake());
        let told = std::mem::take(&mut self.waiting);
        let lately = self.clock.recent(FAILED_COUNTS_FOR);
        let now = self.clock.now();
        let look = async move {
            let leases = links.registry.leases(now);
            let (vitals, brake, breakers, alerts) = futures_util::future::join4(
                links.fleet.send(Ask(FleetVitals { lately, leases })),
                links.recovery.send(AskBrake),
                links.breakers.send(AskBreakers),
                links.alerts.book().send(AskOpen),
            )
            .await;
            Some(Seen {
                vitals: vitals.ok()?,
                brake: brake.ok()?,
                breakers: breakers.ok()?,
                alerts: alerts.ok()?,
            })
        };
        ctx.spawn(look.into_actor(self).map(move |seen, actor, ctx| {
            actor.is_looking = false;
            // No actor answers while the system ends.
            if let Some(seen) = seen {
                actor.judge(seen, ctx);
            }
            for waiter in told {
                let _ = waiter.send(actor.report.clone());
            }
            if !actor.waiting.is_empty() {
                actor.look(ctx);
            }
        }));
    }

    fn judge(&mut self, seen: Seen, ctx: &mut Context<Self>) {
        let now = self.clock.wall();
        let observation = self.observation(&seen);
        let verdict = self.machine.judge(&observation);
        let before = self.report.as_ref().map(|report| &report.verdict);
        let is_new = before != Some(&verdict);
        if is_new {
            tell(before.map(|verdict| verdict.health), &verdict);
            self.telemetry.system_health.set(verdict.health as i64);
        }
        self.raise_alerts(&seen, &verdict);
        let record = HealthRecord {
            at: now,
            health: verdict.health,
            rules: verdict.rules.clone(),
            active_instances: seen.vitals.active,
            failed_instances: seen.vitals.failed,
            total_instances: seen.vitals.total,
            capacity: seen.vitals.capacity,
            assigned_streams: seen.vitals.assigned,
            orphaned_streams: seen.vitals.orphaned,
        };
        if let Some(record) = self.history.note(record, is_new) {
            self.keep(record, ctx);
        }
        self.report = Some(HealthReport {
            verdict,
            checked_at: now,
            vitals: seen.vitals,
            critical_failures: observation.critical_failures,
            emergencies: observation.emergencies,
            brake: seen.brake,
            breakers: seen.breakers,
            open_alerts: seen.alerts.counts,
            stalls: self.telemetry.stalls.get(),
            stalled: Duration::from_secs_f64(self.telemetry.stalled_seconds.get()),
        });
    }

    fn observation(&self, seen: &Seen) -> Observation {
        let vitals = &seen.vitals;
        // An emergency is known from its incident or, while that cannot be saved, from its alert.
        let incidents = self.links.incidents.recent();
        let mut emergencies: std::collections::BTreeSet<&str> =
            incidents.open_emergencies().map(|id| id.as_str()).collect();
        emergencies.extend(seen.alerts.emergencies.iter().map(String::as_str));
        let retention = self.settings.limits.failure_retention;
        let critical = incidents.critical_in(&self.clock.recent(retention));
        Observation {
            active: vitals.active,
            failed: vitals.failed,
            total: vitals.total,
            capacity: vitals.capacity,
            load: vitals.load,
            emergencies: u32::try_from(emergencies.len()).unwrap_or(u32::MAX),
            mass_failure: match seen.brake.phase {
                Phase::Open => Level::Off,
                Phase::Releasing => Level::Leaving,
                Phase::Held => Level::On,
            },
            store: store_level(&seen.breakers),
            critical_failures: u32::try_from(critical).unwrap_or(u32::MAX),
        }
    }

    fn raise_alerts(&self, seen: &Seen, verdict: &Verdict) {
        let alerts = &self.links.alerts;
        for moves in &seen.vitals.given_up {
            let (kind, id) = (AlertKind::HandoverAbandoned, moves.instance.as_str());
            alerts.raise(kind, id, given_up(moves));
        }
        for subject in &seen.alerts.abandoned {
            let mut given_up = seen.vitals.given_up.iter();
            if !given_up.any(|moves| moves.instance.as_str() == subject) {
                alerts.clear(AlertKind::HandoverAbandoned, subject.as_str());
            }
        }
        let orphaned = seen.vitals.orphaned;
        if orphaned == 0 {
            alerts.clear(AlertKind::StreamsOrphaned, FLEET);
        } else {
            let (streams, run) = match orphaned {
                1 => ("1 stream".to_owned(), "runs"),
                many => (format!("{many} streams"), "run"),
            };
            let detail = format!("{streams} {run} nowhere: no instance has room.");
            let kind = AlertKind::StreamsOrphaned;
            alerts.raise(kind, FLEET, detail);
        }
        let is_critical = |rule| severity_of(rule) >= SystemHealth::Critical;
        let has_failed = seen.vitals.failed > 0;
        if !untold(&verdict.rules, has_failed).any(is_critical) {
            alerts.clear(AlertKind::SystemHealth, FLEET);
        } else {
            let detail = format!("The system is {}: {}.", verdict.health, named(verdict));
            alerts.raise(AlertKind::SystemHealth, FLEET, detail);
        }
    }
}

fn given_up(moves: &GivenUpMoves) -> String {
    format!(
        "Instance {} beats and did not release {} that were to move: {} stay with it. Move them \
         again once its worker follows, or move them to it to say that they are to stay.",
        moves.instance,
        counted(moves.streams.len()),
        named_streams(&moves.streams),
    )
}

/// Only the breakers of the store: what else is out does not touch the streams.
fn store_level(breakers: &[BreakerReport]) -> Level {
    let of_store = [BreakerName::STORE_READS, BreakerName::STORE_WRITES];
    let levels = breakers
        .iter()
        .filter(|breaker| of_store.contains(&breaker.name))
        .map(|breaker| match breaker.state {
            BreakerState::Closed => Level::Off,
            BreakerState::HalfOpen => Level::Leaving,
            BreakerState::Open => Level::On,
        });
    levels.max().unwrap_or_default()
}

fn named(verdict: &Verdict) -> String {
    let rules: Vec<&str> = verdict.rules.iter().map(|rule| rule.as_str()).collect();
    rules.join(", ")
}

fn tell(before: Option<SystemHealth>, verdict: &Verdict) {
    let (health, rules) = (verdict.health.as_str(), named(verdict));
    match verdict.health {
        SystemHealth::Healthy if before.is_none() => {}
        SystemHealth::Healthy => info!(health; "the system is healthy again"),
        SystemHealth::Degraded | SystemHealth::Critical | SystemHealth::Emergency => {
            warn!(health, rules; "the system is {health}: {rules}");
        }
    }
}

impl Actor for HealthActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(READING_INTERVAL, |actor, _| {
            let alerts = &actor.links.alerts;
            actor.process.read(&actor.clock, &actor.telemetry, alerts);
        });
        let period = self.settings.check_interval.min(HISTORY_INTERVAL);
        ctx.run_interval(period, |actor, ctx| actor.look(ctx));
        self.look_soon(ctx);
    }
}

impl Handler<Committed> for HealthActor {
    type Result = ();

    fn handle(&mut self, _: Committed, ctx: &mut Self::Context) {
        self.look_soon(ctx);
    }
}

impl Handler<BreakerChanged> for HealthActor {
    type Result = ();

    fn handle(&mut self, _: BreakerChanged, ctx: &mut Self::Context) {
        self.look_soon(ctx);
    }
}

impl Handler<BookChanged> for HealthActor {
    type Result = ();

    fn handle(&mut self, _: BookChanged, ctx: &mut Self::Context) {
        self.look_soon(ctx);
    }
}

/// Judges by other limits from now on.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct ChangeLimits(pub HealthLimits);

impl Handler<ChangeLimits> for HealthActor {
    type Result = ();

    fn handle(&mut self, ChangeLimits(limits): ChangeLimits, ctx: &mut Self::Context) {
        self.settings.limits = limits;
        self.machine.set_limits(limits);
        self.look_soon(ctx);
    }
}

/// Asks for the health of the system. Answered after a look; none while no actor could be asked yet.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Option<HealthReport>")]
pub struct AskHealth;

impl Handler<AskHealth> for HealthActor {
    type Result = ResponseFuture<Option<HealthReport>>;

    fn handle(&mut self, _: AskHealth, ctx: &mut Self::Context) -> Self::Result {
        let (answer, waiter) = oneshot::channel();
        self.waiting.push(answer);
        self.look(ctx);
        Box::pin(async move { waiter.await.ok().flatten() })
    }
}
