//! A running orchestrator on a faulty store, and short words for what is done to it.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use prometheus_client::registry::Registry as Metrics;
use resilient_orchestrator::actors::fatal::Fatal;
use resilient_orchestrator::actors::instance::InstanceActor;
use resilient_orchestrator::actors::orchestrator::Orchestrator;
use resilient_orchestrator::actors::refusal::Refusal;
use resilient_orchestrator::actors::registry::Entry;
use resilient_orchestrator::actors::start::{Loaded, Placement, SystemSettings, start};
use resilient_orchestrator::actors::supervisor::FindChild;
use resilient_orchestrator::actors::telemetry::Telemetry;
use resilient_orchestrator::actors::webhooks::{NoSender, WebhookSender};
use resilient_orchestrator::clock::testing::VirtualTime;
use resilient_orchestrator::domain::commands::{
    AssignOutcome, AssignStreams, Registered, Rejection, SaveStreams,
};
use resilient_orchestrator::domain::events::Event;
use resilient_orchestrator::domain::fleet::Fleet;
use resilient_orchestrator::domain::heartbeat::{Heartbeat, SystemMetrics};
use resilient_orchestrator::domain::heartbeat_outcome::HeartbeatOutcome;
use resilient_orchestrator::domain::ids::{InstanceId, StreamId};
use resilient_orchestrator::domain::incident::Incident;
use resilient_orchestrator::domain::instance::InstanceStatus;
use resilient_orchestrator::domain::invariants::check_fleet;
use resilient_orchestrator::domain::queries::Query;
use resilient_orchestrator::domain::stream::StreamState;
use resilient_orchestrator::domain::time::WallTime;
use tokio::sync::mpsc;

use crate::faults::FaultyStore;
pub(crate) use crate::orders::{registration, self_filling, spec};
use crate::support_log::{NoUnexpectedError, watch};

/// Some day in 2023, so that wall times look like wall times.
const START: WallTime = WallTime::from_micros(1_700_000_000_000_000);

/// The whole saved fleet, for tests only: the program itself never copies it.
#[derive(Debug)]
pub(crate) struct Whole;

impl Query for Whole {
    type Answer = Fleet;

    fn answer(&self, fleet: &Fleet) -> Fleet {
        fleet.clone()
    }
}

/// One life of an orchestrator.
pub(crate) struct Rig {
    pub(crate) store: FaultyStore,
    pub(crate) orchestrator: Orchestrator,
    pub(crate) clock: VirtualTime,
    pub(crate) fatal: mpsc::UnboundedReceiver<Fatal>,
    _log: NoUnexpectedError,
}

impl Rig {
    /// Virtual time from here on, a new store, the settings nobody set.
    pub(crate) async fn start() -> Self {
        Self::with(SystemSettings::default()).await
    }

    pub(crate) async fn with(settings: SystemSettings) -> Self {
        tokio::time::pause();
        Self::in_paused_time(settings).await
    }

    /// Where virtual time has begun already.
    pub(crate) async fn in_paused_time(settings: SystemSettings) -> Self {
        let clock = VirtualTime::starting_at(START);
        Self::on(FaultyStore::new(clock.clock(), 0), settings, clock).await
    }

    /// A system that is balanced by itself; in any other, no test waits for moves it did not order.
    pub(crate) async fn balanced() -> Self {
        tokio::time::pause();
        let clock = VirtualTime::starting_at(START);
        let store = FaultyStore::new(clock.clock(), 0);
        Self::on_exactly(store, SystemSettings::default(), clock).await
    }

    /// Another life on the same store. The life before it must be over.
    pub(crate) async fn again(self, settings: SystemSettings) -> Self {
        let clock = VirtualTime::starting_at(self.clock.wall());
        Self::on(self.store, settings, clock).await
    }

    async fn on(store: FaultyStore, mut settings: SystemSettings, clock: VirtualTime) -> Self {
        settings.balance.automatic = false;
        Self::on_exactly(store, settings, clock).await
    }

    async fn on_exactly(store: FaultyStore, settings: SystemSettings, clock: VirtualTime) -> Self {
        Self::sending(store, settings, clock, Arc::new(NoSender)).await
    }

    /// A system with a way out to receivers.
    pub(crate) async fn sending(
        store: FaultyStore,
        settings: SystemSettings,
        clock: VirtualTime,
        sender: Arc<dyn WebhookSender>,
    ) -> Self {
        let log = watch();
        store.set_clock(clock.clock());
        let loaded = Loaded::from_store(Arc::new(store.clone())).await.unwrap();
        let loaded = loaded.sending_by(sender);
        let telemetry = Telemetry::new(&mut Metrics::default());
        let (orchestrator, fatal) = start(
            loaded,
            &settings,
            clock.clock(),
            telemetry,
            &Placement::Here,
        );
        Self {
            store,
            orchestrator,
            clock,
            fatal,
            _log: log,
        }
    }

    pub(crate) async fn register(&self, id: &str, max_streams: u32) -> Registered {
        self.try_register(id, max_streams).await.unwrap()
    }

    pub(crate) async fn try_register(&self, id: &str, max: u32) -> Result<Registered, Refusal> {
        self.orchestrator.register(registration(id, max)).await
    }

    /// Streams 1 to `count`.
    pub(crate) async fn streams(&self, count: i64) {
        self.try_streams(1..=count).await.unwrap();
    }

    pub(crate) async fn try_streams(
        &self,
        ids: impl IntoIterator<Item = i64>,
    ) -> Result<(), Refusal> {
        let streams = ids.into_iter().map(spec).collect();
        let saved = self.orchestrator.execute(SaveStreams { streams }).await;
        saved.map(|_| ())
    }

    pub(crate) async fn ask_for(&self, id: &str, requested: i64) -> AssignOutcome {
        let ask = AssignStreams {
            id: id.into(),
            incarnation: None,
            requested,
        };
        self.orchestrator.execute(ask).await.unwrap()
    }

    pub(crate) async fn beat(&self, id: &str) -> HeartbeatOutcome {
        self.try_beat(id).await.unwrap()
    }

    pub(crate) async fn try_beat(&self, id: &str) -> Result<HeartbeatOutcome, Rejection> {
        self.orchestrator.heartbeat(report(id)).await
    }

    /// Beats every 30 s until the runtime ends.
    pub(crate) fn keep_beating(&self, ids: &[&str]) {
        let orchestrator = self.orchestrator.clone();
        let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
        actix::spawn(async move {
            loop {
                for id in &ids {
                    let _ = orchestrator.heartbeat(report(id)).await;
                }
                tokio::time::sleep(Duration::from_secs(30)).await;
            }
        });
    }

    pub(crate) fn entry(&self, id: &str) -> Arc<Entry> {
        self.orchestrator.registry().get(&id.into()).unwrap()
    }

    pub(crate) fn status(&self, id: &str) -> InstanceStatus {
        self.entry(id).standing().status
    }

    pub(crate) async fn fleet(&self) -> Fleet {
        self.orchestrator.ask(Whole).await.unwrap()
    }

    /// What an instance owns, in memory and in the store alike.
    pub(crate) async fn held(&self, id: &str) -> Vec<i64> {
        let fleet = self.fleet().await;
        let slot = fleet.instance(&id.into()).unwrap();
        slot.held().iter().map(|stream| stream.get()).collect()
    }

    pub(crate) async fn place(&self, stream: i64) -> StreamState {
        let fleet = self.fleet().await;
        fleet.stream(StreamId::new(stream)).unwrap().place().state()
    }

    /// I7, when nothing is under way.
    pub(crate) async fn memory_equals_store(&self) {
        let stored = Fleet::from_snapshot(&self.store.rows()).unwrap();
        assert_eq!(self.fleet().await, stored, "I7: memory and store agree");
    }

    /// The invariants of the saved fleet, and I7.
    pub(crate) async fn invariants_hold(&self) {
        for check in check_fleet(&self.fleet().await) {
            assert!(check.holds, "{check:?}");
        }
        self.memory_equals_store().await;
    }

    /// The incidents, oldest first.
    pub(crate) fn incidents(&self) -> Vec<Incident> {
        let mut incidents = self.store.incident_rows();
        incidents.reverse();
        incidents
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        let stored = self.store.events_after(0);
        stored
            .into_iter()
            .map(|stored| stored.event.event)
            .collect()
    }

    pub(crate) fn kinds_about(&self, id: &str) -> Vec<&'static str> {
        let id = InstanceId::from(id);
        let events = self.events();
        let about = events.iter().filter(|event| event.instance() == Some(&id));
        about.map(Event::kind).collect()
    }

    /// The actor of an instance, if it has one: its supervisor knows.
    pub(crate) async fn actor(&self, id: &str) -> Option<Addr<InstanceActor>> {
        let supervisor = self.orchestrator.supervisor();
        supervisor.send(FindChild(id.into())).await.unwrap()
    }

    /// Keeps the actor of an instance from its messages for a while.
    pub(crate) async fn keep_busy(&self, id: &str, seconds: f64) {
        if let Some(actor) = self.actor(id).await {
            actor.do_send(Busy(Duration::from_secs_f64(seconds)));
        }
    }

    /// A panic in the actor of an instance; returns once it is unwound.
    pub(crate) async fn boom(&self, id: &str) {
        if let Some(actor) = self.actor(id).await {
            let _ = actor.send(Boom).await;
        }
    }
}

pub(crate) fn report(id: &str) -> Heartbeat {
    Heartbeat {
        metrics: Some(SystemMetrics::default()),
        ..Heartbeat::of(id.into())
    }
}

/// Lets virtual time pass.
pub(crate) async fn pass(seconds: f64) {
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
}

/// Lets messages that are on their way arrive; no deadline is this close.
pub(crate) async fn settle_down() {
    pass(0.002).await;
}

/// Ends the actor that receives it.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Boom;

impl Handler<Boom> for InstanceActor {
    type Result = ();

    fn handle(&mut self, _: Boom, _: &mut Self::Context) {
        panic!("on purpose");
    }
}

/// Keeps the actor that receives it from its other messages for so long.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Busy(Duration);

impl Handler<Busy> for InstanceActor {
    type Result = ();

    fn handle(&mut self, Busy(duration): Busy, ctx: &mut Self::Context) {
        ctx.wait(tokio::time::sleep(duration).into_actor(self));
    }
}
