//! A store that fails on purpose: certainly, uncertainly, slowly and never.
//!
//! Wraps a [`MemoryStore`] and, call by call, does what its script says, then what its weather
//! says. Everything follows from the script and the seed; time is the runtime's virtual time.

#![allow(dead_code, reason = "each test binary uses another part of this")]

mod edits;
mod weather;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use resilient_orchestrator::clock::Clock;
use resilient_orchestrator::domain::access::AccessKey;
use resilient_orchestrator::domain::alert::{Alert, AlertFilter, Silence};
use resilient_orchestrator::domain::event_filter::EventFilter;
use resilient_orchestrator::domain::explain::Placing;
use resilient_orchestrator::domain::fleet::Snapshot;
use resilient_orchestrator::domain::health::HealthRecord;
use resilient_orchestrator::domain::heartbeat::{BeatWatermark, LastBeat, MetricsRecord};
use resilient_orchestrator::domain::ids::{AlertId, Epoch, IncidentId, InstanceId, KeyId};
use resilient_orchestrator::domain::incident::{Incident, IncidentFilter};
use resilient_orchestrator::domain::series::SeriesPoint;
use resilient_orchestrator::domain::time::WallTime;
use resilient_orchestrator::domain::webhook::{Announced, Delivery, DeliveryFilter};
use resilient_orchestrator::store::{
    AccessStore, Census, DeliveryBatch, Expiry, Guard, KeyMark, MemoryStore, NewKey, Save,
    SavedAges, Settlement, Store, StoreError, StoredEvent, StoredKey, StoredWebhook, WebhookStore,
};
use tokio::time::sleep;

pub(crate) use weather::{Fault, Flaw, Outage, Rot, Side};

/// What bounds every call, as in the real adapters.
pub(crate) const DATABASE_TIMEOUT: Duration = Duration::from_secs(5);

/// A write whose outcome nobody knows yet, and that happens unless it is defeated first.
#[derive(Debug)]
struct LateWrite {
    due: WallTime,
    guard: Guard,
    save: Arc<Save>,
}

#[derive(Debug)]
struct State {
    clock: Clock,
    save_script: VecDeque<Fault>,
    settle_script: VecDeque<Fault>,
    /// How many of the next writes of deliveries happen, with their answers lost.
    deliveries_in_doubt: u32,
    weather: fastrand::Rng,
    storminess: u32,
    outage: Option<Outage>,
    partial_outage: Option<(Side, Outage)>,
    panics_in_events: bool,
    refuses_content: bool,
    refused: Option<InstanceId>,
    refused_records: Option<InstanceId>,
    flaw: Option<Flaw>,
    late: Vec<LateWrite>,
    attempts: Vec<Arc<Save>>,
    is_saving: bool,
    is_in_doubt: bool,
    is_halted: bool,
    acknowledged: Snapshot,
    acknowledgements: u64,
    committed: Vec<Committed>,
    /// The guards of the whole fleets that were read.
    reads: Vec<Guard>,
    /// How often events of certain kinds were read.
    event_reads: usize,
    delivery_writes: usize,
}

/// A fleet transaction that happened.
#[derive(Debug, Clone)]
pub(crate) struct Committed {
    pub(crate) at: WallTime,
    pub(crate) guard: Guard,
    pub(crate) save: Arc<Save>,
}

impl State {
    fn acknowledge(&mut self, rows: Snapshot) {
        self.acknowledged = rows;
        self.acknowledgements += 1;
    }
}

/// The store; clones are the same store.
#[derive(Debug, Clone)]
pub(crate) struct FaultyStore {
    inner: MemoryStore,
    state: Arc<Mutex<State>>,
}

/// Texts of a store are for the log: no answer may hold `secret`.
fn in_doubt() -> StoreError {
    StoreError::InDoubt("UPDATE secret".to_owned())
}

fn unavailable() -> StoreError {
    StoreError::Unavailable("SELECT secret".to_owned())
}

/// It fails certainly, at the limit of a call.
async fn unreachable() -> StoreError {
    sleep(DATABASE_TIMEOUT).await;
    unavailable()
}

impl FaultyStore {
    /// A store without faults so far; `seed` decides its weather once there is some.
    pub(crate) fn new(clock: Clock, seed: u64) -> Self {
        Self::over(MemoryStore::new(), clock, seed)
    }

    /// The same over a store that others use too: what goes wrong here does not go wrong for them.
    pub(crate) fn over(inner: MemoryStore, clock: Clock, seed: u64) -> Self {
        Self {
            inner,
            state: Arc::new(Mutex::new(State {
                clock,
                save_script: VecDeque::new(),
                settle_script: VecDeque::new(),
                deliveries_in_doubt: 0,
                weather: fastrand::Rng::with_seed(seed),
                storminess: 0,
                outage: None,
                partial_outage: None,
                panics_in_events: false,
                refuses_content: false,
                refused: None,
                refused_records: None,
                flaw: None,
                late: Vec::new(),
                attempts: Vec::new(),
                is_saving: false,
                is_in_doubt: false,
                is_halted: false,
                acknowledged: Snapshot::default(),
                acknowledgements: 0,
                committed: Vec::new(),
                reads: Vec::new(),
                event_reads: 0,
                delivery_writes: 0,
            })),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The store outlives the runtime whose time it goes by.
    pub(crate) fn set_clock(&self, clock: Clock) {
        self.state().clock = clock;
    }

    /// What the next fleet transactions meet, in order.
    pub(crate) fn script_saves(&self, faults: impl IntoIterator<Item = Fault>) {
        self.state().save_script.extend(faults);
    }

    /// What the next settlements meet, in order.
    pub(crate) fn script_settlements(&self, faults: impl IntoIterator<Item = Fault>) {
        self.state().settle_script.extend(faults);
    }

    /// The next write of deliveries happens, and its answer is lost.
    pub(crate) fn doubt_deliveries(&self) {
        self.state().deliveries_in_doubt += 1;
    }

    /// How often events of certain kinds were read, and how often something of webhooks was written.
    pub(crate) fn webhook_calls(&self) -> (usize, usize) {
        let state = self.state();
        (state.event_reads, state.delivery_writes)
    }

    /// How many calls of a thousand meet a fault of some kind.
    pub(crate) fn set_storminess(&self, per_mille: u32) {
        self.state().storminess = per_mille;
    }

    /// Every call fails from now on, or none because of this.
    pub(crate) fn set_outage(&self, outage: Option<Outage>) {
        self.state().outage = outage;
    }

    /// Every call of one side fails from now on, or none because of this.
    pub(crate) fn set_outage_of(&self, side: Side, outage: Option<Outage>) {
        self.state().partial_outage = outage.map(|outage| (side, outage));
    }

    /// Reading events panics from now on, or no longer.
    pub(crate) fn panic_in_events(&self, panics: bool) {
        self.state().panics_in_events = panics;
    }

    /// Refuses the content of every transaction until it calms down.
    pub(crate) fn refuse_content(&self) {
        self.state().refuses_content = true;
    }

    /// Refuses the content of every transaction that touches this instance's row.
    pub(crate) fn refuse_content_about(&self, id: Option<InstanceId>) {
        self.state().refused = id;
    }

    /// From now on last heartbeats of that instance are refused for their content, and so are
    /// events about it that change nothing.
    pub(crate) fn refuse_records_of(&self, id: Option<InstanceId>) {
        self.state().refused_records = id;
    }

    /// Makes the store itself wrong, once.
    pub(crate) fn set_flaw(&self, flaw: Flaw) {
        self.state().flaw = Some(flaw);
    }

    /// The guards of the whole fleets that were read, oldest first.
    pub(crate) fn reads(&self) -> Vec<Guard> {
        self.state().reads.clone()
    }

    /// Every fleet transaction that was begun.
    pub(crate) fn attempts(&self) -> Vec<Arc<Save>> {
        self.state().attempts.clone()
    }

    pub(crate) fn attempt_count(&self) -> usize {
        self.state().attempts.len()
    }

    /// Whether a transaction is under way or its outcome unknown to the orchestrator.
    pub(crate) fn is_unsettled(&self) -> bool {
        let state = self.state();
        state.is_saving || state.is_in_doubt
    }

    /// Whether a call met [`Fault::Halt`]: the orchestrator is to be killed now.
    pub(crate) fn is_halted(&self) -> bool {
        self.state().is_halted
    }

    /// The rows the orchestrator was told are saved: all it may show.
    pub(crate) fn acknowledged(&self) -> Snapshot {
        self.state().acknowledged.clone()
    }

    /// The fleet transactions that happened here since this was last asked.
    pub(crate) fn take_committed(&self) -> Vec<Committed> {
        self.land_due();
        std::mem::take(&mut self.state().committed)
    }

    /// How often that changed.
    pub(crate) fn acknowledgements(&self) -> u64 {
        self.state().acknowledgements
    }

    /// From now on everything works. Late writes are still on their way.
    pub(crate) fn calm_down(&self) {
        let mut state = self.state();
        state.save_script.clear();
        state.settle_script.clear();
        state.storminess = 0;
        state.outage = None;
        state.partial_outage = None;
        state.refuses_content = false;
    }

    /// The rows as they are.
    pub(crate) fn rows(&self) -> Snapshot {
        self.land_due();
        self.read(self.inner.load())
    }

    /// Who may write.
    pub(crate) fn guard(&self) -> Guard {
        self.read(self.inner.census()).guard
    }

    /// The events after `sequence`.
    pub(crate) fn events_after(&self, sequence: i64) -> Vec<StoredEvent> {
        self.land_due();
        self.read(self.inner.events(sequence, u32::MAX))
    }

    /// The incidents, newest first.
    pub(crate) fn incident_rows(&self) -> Vec<Incident> {
        self.read(self.inner.incidents(&IncidentFilter::default(), u32::MAX))
    }

    /// The alerts, newest first.
    pub(crate) fn alert_rows(&self) -> Vec<Alert> {
        self.read(self.inner.alerts(&AlertFilter::default(), u32::MAX))
    }

    /// The system's history, newest first.
    pub(crate) fn health_rows(&self) -> Vec<HealthRecord> {
        self.read(self.inner.health(None, u32::MAX))
    }

    /// The memory store answers at once.
    fn read<T>(&self, call: impl Future<Output = Result<T, StoreError>>) -> T {
        call.now_or_never()
            .expect("the memory store never waits")
            .expect("the memory store never fails to read")
    }

    /// Writes whose time has come happen now, if their guard still lets them.
    fn land_due(&self) {
        let due: Vec<LateWrite> = {
            let mut state = self.state();
            let now = state.clock.wall();
            let (due, later) = std::mem::take(&mut state.late)
                .into_iter()
                .partition(|write| write.due <= now);
            state.late = later;
            due
        };
        for write in due {
            let result = self.commit(write.guard, write.save.clone()).now_or_never();
            let result = result.expect("the memory store never waits");
            if result.is_err() && self.has_flaw(Flaw::DefeatedWritesLand) {
                let guard = self.guard();
                let _ = self.inner.save(guard, write.save).now_or_never();
            }
        }
    }

    fn has_flaw(&self, flaw: Flaw) -> bool {
        self.state().flaw == Some(flaw)
    }

    fn write_later(&self, after: Duration, guard: Guard, save: Arc<Save>) {
        let mut state = self.state();
        let due = state.clock.wall() + after;
        state.late.push(LateWrite { due, guard, save });
    }

    async fn write(&self, guard: Guard, save: Arc<Save>) -> Result<(), StoreError> {
        let save = self.spoil(save);
        match save {
            Some(save) => self.commit(guard, save).await,
            None => Ok(()),
        }
    }

    async fn commit(&self, guard: Guard, save: Arc<Save>) -> Result<(), StoreError> {
        self.inner.save(guard, save.clone()).await?;
        let mut state = self.state();
        let at = state.clock.wall();
        state.committed.push(Committed { at, guard, save });
        Ok(())
    }

    /// What a flawed store makes of a transaction. A flaw that spoils does so once.
    fn spoil(&self, save: Arc<Save>) -> Option<Arc<Save>> {
        let mut state = self.state();
        match state.flaw {
            Some(Flaw::LosesPlaces) if !save.rows.places.is_empty() => {
                state.flaw = None;
                let mut spoilt = Save::clone(&save);
                spoilt.rows.places.clear();
                Some(Arc::new(spoilt))
            }
            Some(Flaw::ForgetsSave) if !save.rows.places.is_empty() => {
                state.flaw = None;
                None
            }
            Some(Flaw::InventsMoves) => Some(edits::with_invented_move(save)),
            Some(Flaw::KeepsIncidentsOpen) => Some(edits::without_ends(&save)),
            Some(
                Flaw::LosesPlaces
                | Flaw::ForgetsSave
                | Flaw::DefeatedWritesLand
                | Flaw::DeniesCommitted
                | Flaw::HidesLeases,
            )
            | None => Some(save),
        }
    }

    async fn carry_out(
        &self,
        fault: Fault,
        guard: Guard,
        save: Arc<Save>,
    ) -> Result<(), StoreError> {
        match fault {
            Fault::Fine => self.write(guard, save).await,
            Fault::Unavailable => Err(unavailable()),
            Fault::NoConnection => Err(unreachable().await),
            Fault::WrittenInDoubt => {
                self.write(guard, save).await?;
                Err(in_doubt())
            }
            Fault::LostInDoubt => Err(in_doubt()),
            Fault::LateInDoubt(after) => {
                self.write_later(after, guard, save);
                Err(in_doubt())
            }
            Fault::Slow(delay) if delay < DATABASE_TIMEOUT => {
                sleep(delay).await;
                self.write(guard, save).await
            }
            Fault::Slow(delay) => {
                self.write_later(delay, guard, save);
                sleep(DATABASE_TIMEOUT).await;
                Err(in_doubt())
            }
            Fault::Hang => {
                sleep(DATABASE_TIMEOUT).await;
                Err(in_doubt())
            }
            Fault::HaltBefore => self.halt().await,
            Fault::HaltAfter => {
                self.write(guard, save).await?;
                self.halt().await
            }
        }
    }

    async fn halt<T>(&self) -> T {
        self.state().is_halted = true;
        std::future::pending().await
    }

    /// What a call that is no fleet transaction meets.
    async fn weather(&self, side: Side) -> Result<(), StoreError> {
        self.land_due();
        let fault = self.state().next_minor(side);
        match fault {
            Fault::Slow(delay) if delay < DATABASE_TIMEOUT => {
                sleep(delay).await;
                Ok(())
            }
            Fault::Slow(_) | Fault::Hang | Fault::NoConnection => Err(unreachable().await),
            Fault::Fine | Fault::HaltBefore | Fault::HaltAfter => Ok(()),
            Fault::Unavailable
            | Fault::WrittenInDoubt
            | Fault::LostInDoubt
            | Fault::LateInDoubt(_) => Err(unavailable()),
        }
    }

    async fn settle_truly(&self, guard: Guard) -> Result<Settlement, StoreError> {
        self.land_due();
        let settlement = self.inner.settle(guard).await?;
        if settlement == Settlement::Committed && self.has_flaw(Flaw::DeniesCommitted) {
            return Ok(Settlement::Defeated);
        }
        Ok(settlement)
    }
}

#[async_trait]
impl Store for FaultyStore {
    async fn begin_term(&self) -> Result<Guard, StoreError> {
        self.weather(Side::Writes).await?;
        let guard = self.inner.begin_term().await?;
        let mut state = self.state();
        state.is_saving = false;
        state.is_in_doubt = false;
        state.is_halted = false;
        Ok(guard)
    }

    async fn load_guarded(&self) -> Result<(Guard, Snapshot), StoreError> {
        self.weather(Side::Reads).await?;
        let mut snapshot = self.inner.load_guarded().await?;
        let mut state = self.state();
        state.reads.push(snapshot.0);
        if state.flaw == Some(Flaw::HidesLeases) {
            for instance in &mut snapshot.1.instances {
                instance.lease = Duration::ZERO;
            }
        }
        // The consistency check reads, too, and may see what nobody was told of yet.
        if !state.is_saving && !state.is_in_doubt {
            state.acknowledge(snapshot.1.clone());
        }
        drop(state);
        Ok(snapshot)
    }

    async fn save(&self, guard: Guard, save: Arc<Save>) -> Result<(), StoreError> {
        self.land_due();
        let fault = {
            let mut state = self.state();
            state.is_saving = true;
            state.attempts.push(save.clone());
            let refused = state.refused.clone();
            let tells_of = |id: &InstanceId| {
                save.rows.instances.is_empty()
                    && save.events.iter().any(|event| event.instance() == Some(id))
            };
            if state.refuses_content
                || refused.is_some_and(|id| save.rows.instances.contains_key(&id))
                || state.refused_records.as_ref().is_some_and(tells_of)
            {
                state.is_saving = false;
                return Err(StoreError::Refused("CHECK secret".to_owned()));
            }
            state.next_for_save()
        };
        let result = self.carry_out(fault, guard, save).await;
        let rows = result.is_ok().then(|| self.read(self.inner.load()));
        let mut state = self.state();
        state.is_saving = false;
        state.is_in_doubt = matches!(result, Err(StoreError::InDoubt(_)));
        if let Some(rows) = rows {
            state.acknowledge(rows);
        }
        result
    }

    async fn settle(&self, guard: Guard) -> Result<Settlement, StoreError> {
        let fault = self.state().next_for_settle();
        let settlement = match fault {
            Fault::Fine | Fault::HaltBefore | Fault::HaltAfter => self.settle_truly(guard).await,
            Fault::Unavailable => Err(unavailable()),
            Fault::NoConnection => Err(unreachable().await),
            Fault::WrittenInDoubt => self.settle_truly(guard).await.and(Err(in_doubt())),
            Fault::LostInDoubt | Fault::LateInDoubt(_) => Err(in_doubt()),
            Fault::Slow(delay) if delay < DATABASE_TIMEOUT => {
                sleep(delay).await;
                self.settle_truly(guard).await
            }
            Fault::Slow(_) | Fault::Hang => {
                sleep(DATABASE_TIMEOUT).await;
                Err(in_doubt())
            }
        };
        if let Ok(known) = &settlement {
            let rows = self.read(self.inner.load());
            let mut state = self.state();
            state.is_in_doubt = false;
            if *known == Settlement::Committed {
                state.acknowledge(rows);
            }
        }
        settlement
    }

    async fn census(&self) -> Result<Census, StoreError> {
        self.weather(Side::Reads).await?;
        self.inner.census().await
    }

    async fn saved_ages(&self) -> Result<SavedAges, StoreError> {
        self.weather(Side::Reads).await?;
        self.inner.saved_ages().await
    }

    async fn save_beats(
        &self,
        beats: &[LastBeat],
        watermark: BeatWatermark,
    ) -> Result<(), StoreError> {
        self.weather(Side::Writes).await?;
        let refused = self.state().refused_records.clone();
        if beats
            .iter()
            .any(|beat| Some(&beat.instance) == refused.as_ref())
        {
            let reason = "a heartbeat that cannot be kept".to_owned();
            return Err(StoreError::Refused(reason));
        }
        self.inner.save_beats(beats, watermark).await
    }

    async fn save_metrics(&self, records: &[MetricsRecord]) -> Result<(), StoreError> {
        self.weather(Side::Writes).await?;
        let refused = self.state().refused.clone();
        if records
            .iter()
            .any(|record| Some(&record.instance) == refused.as_ref())
        {
            return Err(StoreError::Refused(
                "metrics that cannot be kept".to_owned(),
            ));
        }
        self.inner.save_metrics(records).await
    }

    async fn metrics(
        &self,
        instance: &InstanceId,
        since: WallTime,
        limit: u32,
    ) -> Result<Vec<MetricsRecord>, StoreError> {
        self.weather(Side::Reads).await?;
        self.inner.metrics(instance, since, limit).await
    }

    async fn find_events(
        &self,
        filter: &EventFilter,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        self.weather(Side::Reads).await?;
        if self.state().panics_in_events {
            panic!("on purpose");
        }
        if !filter.kinds.is_empty() {
            self.state().event_reads += 1;
        }
        self.inner.find_events(filter, limit).await
    }

    async fn incidents(
        &self,
        filter: &IncidentFilter,
        limit: u32,
    ) -> Result<Vec<Incident>, StoreError> {
        self.weather(Side::Reads).await?;
        self.inner.incidents(filter, limit).await
    }

    async fn incident(&self, id: IncidentId) -> Result<Option<Incident>, StoreError> {
        self.weather(Side::Reads).await?;
        self.inner.incident(id).await
    }

    async fn placing(
        &self,
        instance: &InstanceId,
        epoch: Epoch,
    ) -> Result<Option<Placing>, StoreError> {
        self.weather(Side::Reads).await?;
        self.inner.placing(instance, epoch).await
    }

    async fn save_alerts(&self, alerts: &[Alert]) -> Result<(), StoreError> {
        self.weather(Side::Writes).await?;
        self.inner.save_alerts(alerts).await
    }

    async fn alerts(&self, filter: &AlertFilter, limit: u32) -> Result<Vec<Alert>, StoreError> {
        self.weather(Side::Reads).await?;
        self.inner.alerts(filter, limit).await
    }

    async fn save_silence(&self, silence: &Silence) -> Result<(), StoreError> {
        self.weather(Side::Writes).await?;
        self.inner.save_silence(silence).await
    }

    async fn silences(&self, after: WallTime) -> Result<Vec<Silence>, StoreError> {
        self.weather(Side::Reads).await?;
        self.inner.silences(after).await
    }

    async fn save_health(&self, records: &[HealthRecord]) -> Result<(), StoreError> {
        self.weather(Side::Writes).await?;
        self.inner.save_health(records).await
    }

    async fn health(
        &self,
        before: Option<WallTime>,
        limit: u32,
    ) -> Result<Vec<HealthRecord>, StoreError> {
        self.weather(Side::Reads).await?;
        self.inner.health(before, limit).await
    }

    async fn save_series(&self, points: &[SeriesPoint]) -> Result<(), StoreError> {
        self.weather(Side::Writes).await?;
        self.inner.save_series(points).await
    }

    async fn series(&self) -> Result<Vec<SeriesPoint>, StoreError> {
        self.weather(Side::Reads).await?;
        self.inner.series().await
    }

    async fn prune(&self, expiry: &Expiry) -> Result<u64, StoreError> {
        self.weather(Side::Writes).await?;
        self.inner.prune(expiry).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.weather(Side::Reads).await
    }
}

#[async_trait]
impl AccessStore for FaultyStore {
    async fn keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        self.weather(Side::Reads).await?;
        self.inner.keys().await
    }

    async fn key_mark(&self) -> Result<KeyMark, StoreError> {
        self.weather(Side::Reads).await?;
        self.inner.key_mark().await
    }

    async fn create_key(&self, key: &NewKey) -> Result<Option<KeyId>, StoreError> {
        self.weather(Side::Writes).await?;
        self.inner.create_key(key).await
    }

    async fn revoke_key(&self, id: KeyId, at: WallTime) -> Result<Option<AccessKey>, StoreError> {
        self.weather(Side::Writes).await?;
        self.inner.revoke_key(id, at).await
    }

    async fn save_key_uses(&self, uses: &[(KeyId, WallTime)]) -> Result<(), StoreError> {
        self.weather(Side::Writes).await?;
        self.inner.save_key_uses(uses).await
    }
}

#[async_trait]
impl WebhookStore for FaultyStore {
    async fn webhooks(&self) -> Result<Vec<StoredWebhook>, StoreError> {
        self.weather(Side::Reads).await?;
        self.inner.webhooks().await
    }

    async fn save_webhook(
        &self,
        webhook: &StoredWebhook,
        skip_alerts: bool,
    ) -> Result<(), StoreError> {
        self.weather(Side::Writes).await?;
        self.inner.save_webhook(webhook, skip_alerts).await
    }

    async fn delete_webhook(&self, name: &str) -> Result<(), StoreError> {
        self.weather(Side::Writes).await?;
        self.inner.delete_webhook(name).await
    }

    async fn unannounced(
        &self,
        after: AlertId,
        limit: u32,
    ) -> Result<Vec<(Alert, Announced)>, StoreError> {
        self.weather(Side::Reads).await?;
        self.inner.unannounced(after, limit).await
    }

    async fn save_deliveries(&self, batch: &DeliveryBatch) -> Result<(), StoreError> {
        self.weather(Side::Writes).await?;
        self.inner.save_deliveries(batch).await?;
        let mut state = self.state();
        state.delivery_writes += 1;
        match state.deliveries_in_doubt.checked_sub(1) {
            None => Ok(()),
            Some(left) => {
                state.deliveries_in_doubt = left;
                Err(StoreError::InDoubt("the answer was lost".to_owned()))
            }
        }
    }

    async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        self.weather(Side::Reads).await?;
        self.inner.deliveries(filter, limit).await
    }
}
