//! A memory store that fails when it is told to.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use resilient_orchestrator::domain::alert::{Alert, AlertFilter};
use resilient_orchestrator::domain::event_filter::EventFilter;
use resilient_orchestrator::domain::fleet::Snapshot;
use resilient_orchestrator::domain::health::HealthRecord;
use resilient_orchestrator::domain::heartbeat::{BeatWatermark, LastBeat, MetricsRecord};
use resilient_orchestrator::domain::ids::{IncidentId, InstanceId};
use resilient_orchestrator::domain::incident::{Incident, IncidentFilter};
use resilient_orchestrator::domain::time::WallTime;
use resilient_orchestrator::store::{
    Census, Expiry, Guard, MemoryStore, Save, Settlement, Store, StoreError, StoredEvent,
};

/// How long a call may take, like an adapter's time limit.
pub const CALL_LIMIT: Duration = Duration::from_secs(5);

/// How it behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// As it should.
    #[default]
    Fine,
    /// Cannot be reached: nothing is written.
    Out,
    /// Writes, and loses contact before it can say so; then it is out.
    LosesAnswer,
    /// Loses contact before it writes; then it is out.
    LosesWrite,
    /// Says nothing until the limit of a call.
    Hangs,
    /// Refuses the content of every write.
    Refuses,
}

#[derive(Debug, Default)]
pub struct FaultyStore {
    inner: MemoryStore,
    mode: Mutex<Mode>,
}

impl FaultyStore {
    pub fn set(&self, mode: Mode) {
        *self.mode.lock().unwrap() = mode;
    }

    async fn pass(&self) -> Result<(), StoreError> {
        let mode = *self.mode.lock().unwrap();
        match mode {
            Mode::Fine | Mode::Refuses => Ok(()),
            Mode::Out | Mode::LosesAnswer | Mode::LosesWrite => {
                Err(StoreError::Unavailable("SELECT secret".to_owned()))
            }
            Mode::Hangs => {
                tokio::time::sleep(CALL_LIMIT).await;
                Err(StoreError::Unavailable("SELECT secret".to_owned()))
            }
        }
    }
}

#[async_trait]
impl Store for FaultyStore {
    async fn begin_term(&self) -> Result<Guard, StoreError> {
        self.pass().await?;
        self.inner.begin_term().await
    }

    async fn load_guarded(&self) -> Result<(Guard, Snapshot), StoreError> {
        self.pass().await?;
        self.inner.load_guarded().await
    }

    async fn save(&self, guard: Guard, save: Arc<Save>) -> Result<(), StoreError> {
        let mode = *self.mode.lock().unwrap();
        let doubt = || Err(StoreError::InDoubt("UPDATE secret".to_owned()));
        match mode {
            Mode::LosesAnswer => {
                self.inner.save(guard, save).await?;
                doubt()
            }
            Mode::LosesWrite => doubt(),
            Mode::Refuses => Err(StoreError::Refused("CHECK secret".to_owned())),
            Mode::Fine | Mode::Out | Mode::Hangs => {
                self.pass().await?;
                self.inner.save(guard, save).await
            }
        }
    }

    async fn settle(&self, guard: Guard) -> Result<Settlement, StoreError> {
        self.pass().await?;
        self.inner.settle(guard).await
    }

    async fn census(&self) -> Result<Census, StoreError> {
        self.pass().await?;
        self.inner.census().await
    }

    async fn save_beats(
        &self,
        beats: &[LastBeat],
        watermark: BeatWatermark,
    ) -> Result<(), StoreError> {
        self.pass().await?;
        self.inner.save_beats(beats, watermark).await
    }

    async fn save_metrics(&self, records: &[MetricsRecord]) -> Result<(), StoreError> {
        self.pass().await?;
        self.inner.save_metrics(records).await
    }

    async fn metrics(
        &self,
        instance: &InstanceId,
        since: WallTime,
        limit: u32,
    ) -> Result<Vec<MetricsRecord>, StoreError> {
        self.pass().await?;
        self.inner.metrics(instance, since, limit).await
    }

    async fn find_events(
        &self,
        filter: &EventFilter,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        self.pass().await?;
        self.inner.find_events(filter, limit).await
    }

    async fn incidents(
        &self,
        filter: &IncidentFilter,
        limit: u32,
    ) -> Result<Vec<Incident>, StoreError> {
        self.pass().await?;
        self.inner.incidents(filter, limit).await
    }

    async fn incident(&self, id: IncidentId) -> Result<Option<Incident>, StoreError> {
        self.pass().await?;
        self.inner.incident(id).await
    }

    async fn save_alerts(&self, alerts: &[Alert]) -> Result<(), StoreError> {
        self.pass().await?;
        self.inner.save_alerts(alerts).await
    }

    async fn alerts(&self, filter: &AlertFilter, limit: u32) -> Result<Vec<Alert>, StoreError> {
        self.pass().await?;
        self.inner.alerts(filter, limit).await
    }

    async fn save_health(&self, records: &[HealthRecord]) -> Result<(), StoreError> {
        self.pass().await?;
        self.inner.save_health(records).await
    }

    async fn health(
        &self,
        before: Option<WallTime>,
        limit: u32,
    ) -> Result<Vec<HealthRecord>, StoreError> {
        self.pass().await?;
        self.inner.health(before, limit).await
    }

    async fn prune(&self, expiry: &Expiry) -> Result<u64, StoreError> {
        self.pass().await?;
        self.inner.prune(expiry).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.pass().await
    }
}
