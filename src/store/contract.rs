//! The trait of every store, which the actors use.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::access::AccessStore;
use super::census::Census;
use super::error::StoreError;
use super::guard::{Guard, Settlement};
use super::load::{LoadedFleet, OnProgress, SavedAges};
use super::retention::Expiry;
use super::save::Save;
use super::stored_event::StoredEvent;
use super::webhooks::WebhookStore;
use crate::domain::alert::{Alert, AlertFilter, Silence};
use crate::domain::event_filter::EventFilter;
use crate::domain::explain::Placing;
use crate::domain::fleet::Snapshot;
use crate::domain::health::HealthRecord;
use crate::domain::heartbeat::{BeatWatermark, LastBeat, MetricsRecord};
use crate::domain::ids::{Epoch, IncidentId, InstanceId};
use crate::domain::incident::{Incident, IncidentFilter};
use crate::domain::series::SeriesPoint;
use crate::domain::time::WallTime;

/// A store of the fleet.
///
/// Every call is bounded in time by the adapter; a call that runs out of it is `Unavailable` if
/// it only reads, `InDoubt` if it writes and may have been carried out.
#[async_trait]
pub trait Store: AccessStore + WebhookStore + Send + Sync + fmt::Debug + 'static {
    /// Takes a new term, greater than any before. From then on no older orchestrator writes.
    ///
    /// # Errors
    /// If the store cannot be reached or used.
    async fn begin_term(&self) -> Result<Guard, StoreError>;

    /// Returns everything about the fleet and the guard at that moment, from one moment.
    ///
    /// # Errors
    /// Returns an error if the store cannot be reached or its content is not a fleet.
    async fn load_guarded(&self) -> Result<(Guard, Snapshot), StoreError>;

    /// Returns everything about the fleet, from one moment.
    ///
    /// # Errors
    /// As [`Store::load_guarded`].
    async fn load(&self) -> Result<Snapshot, StoreError> {
        Ok(self.load_guarded().await?.1)
    }

    /// The fleet from one moment, built while its rows come. The whole load takes at most a limit of its
    /// own, and each part of it as long as any call; `progress` hears after each part how far it is.
    ///
    /// # Errors
    /// As [`Store::load_guarded`].
    async fn load_fleet(
        &self,
        _limit: Duration,
        progress: OnProgress,
    ) -> Result<LoadedFleet, StoreError> {
        // What is in memory is read at once.
        let (guard, snapshot) = self.load_guarded().await?;
        LoadedFleet::of(guard, snapshot, progress)
    }

    /// Carries out one fleet transaction, all or nothing.
    ///
    /// # Errors
    /// `InDoubt` if it may have happened; every other error means that it did not.
    async fn save(&self, guard: Guard, save: Arc<Save>) -> Result<(), StoreError>;

    /// Settles a transaction in doubt that was guarded by `guard`: waits for it or defeats it. May
    /// be repeated until it returns a settlement.
    ///
    /// # Errors
    /// Returns an error if the store cannot find out; the transaction stays in doubt.
    async fn settle(&self, guard: Guard) -> Result<Settlement, StoreError>;

    /// Counts the rows.
    ///
    /// # Errors
    /// If the store cannot be reached.
    async fn census(&self) -> Result<Census, StoreError>;

    /// Saves last heartbeats and up to when they are complete, in one transaction; a later one of the
    /// same instance replaces an earlier one, also if its time is smaller. Not a fleet transaction:
    /// heartbeats of forgotten instances are harmless.
    ///
    /// The heartbeats of one term are of one clock. The first batch of a term should therefore have
    /// every instance, with its age on the new clock.
    ///
    /// # Errors
    /// `Deposed` if a newer term has saved heartbeats; nothing is written then. Else if the store
    /// cannot be reached. Repeating is harmless.
    async fn save_beats(
        &self,
        beats: &[LastBeat],
        watermark: BeatWatermark,
    ) -> Result<(), StoreError>;

    /// Returns the last saved heartbeats and their watermark, from one moment.
    ///
    /// # Errors
    /// If the store cannot be reached.
    async fn saved_ages(&self) -> Result<SavedAges, StoreError>;

    /// Appends metrics. An exact repetition of a record is kept once.
    ///
    /// # Errors
    /// If the store cannot be reached. Repeating is harmless.
    async fn save_metrics(&self, records: &[MetricsRecord]) -> Result<(), StoreError>;

    /// Returns the metrics of an instance since a moment, newest first, at most `limit`.
    ///
    /// # Errors
    /// If the store cannot be reached.
    async fn metrics(
        &self,
        instance: &InstanceId,
        since: WallTime,
        limit: u32,
    ) -> Result<Vec<MetricsRecord>, StoreError>;

    /// Returns the events that a filter selects, in its order, at most `limit`. They are found by
    /// an index: other events are not read.
    ///
    /// # Errors
    /// If the store cannot be reached.
    async fn find_events(
        &self,
        filter: &EventFilter,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError>;

    /// Returns the events after a sequence number, ascending, at most `limit`.
    ///
    /// # Errors
    /// If the store cannot be reached.
    async fn events(&self, after: i64, limit: u32) -> Result<Vec<StoredEvent>, StoreError> {
        self.find_events(&EventFilter::after(after), limit).await
    }

    /// Returns the incidents that a filter selects, newest first, at most `limit`.
    ///
    /// # Errors
    /// If the store cannot be reached.
    async fn incidents(
        &self,
        filter: &IncidentFilter,
        limit: u32,
    ) -> Result<Vec<Incident>, StoreError>;

    /// Returns one incident; `None` if there is none of that id.
    ///
    /// # Errors
    /// If the store cannot be reached.
    async fn incident(&self, id: IncidentId) -> Result<Option<Incident>, StoreError>;

    /// Returns the reasons of the placement that gave a stream to an instance under this epoch; `None`
    /// if they are not kept.
    ///
    /// # Errors
    /// If the store cannot be reached.
    async fn placing(
        &self,
        instance: &InstanceId,
        epoch: Epoch,
    ) -> Result<Option<Placing>, StoreError>;

    /// Saves alerts; a newer state of an alert replaces an older one. Not a fleet transaction.
    ///
    /// # Errors
    /// If the store cannot be reached. Repeating is harmless.
    async fn save_alerts(&self, alerts: &[Alert]) -> Result<(), StoreError>;

    /// Returns the alerts that a filter selects, newest first, at most `limit`.
    ///
    /// # Errors
    /// If the store cannot be reached.
    async fn alerts(&self, filter: &AlertFilter, limit: u32) -> Result<Vec<Alert>, StoreError>;

    /// Saves a silence; a newer state of it replaces an older one. Not a fleet transaction.
    ///
    /// # Errors
    /// If the store cannot be reached. Repeating is harmless.
    async fn save_silence(&self, silence: &Silence) -> Result<(), StoreError>;

    /// Returns the silences that end after a moment, oldest first.
    ///
    /// # Errors
    /// If the store cannot be reached.
    async fn silences(&self, after: WallTime) -> Result<Vec<Silence>, StoreError>;

    /// Appends entries of the health history; of two entries of one moment the first is kept.
    ///
    /// # Errors
    /// If the store cannot be reached. Repeating is harmless.
    async fn save_health(&self, records: &[HealthRecord]) -> Result<(), StoreError>;

    /// Returns the health history before a moment (`None`: up to now), newest first, at most
    /// `limit`.
    ///
    /// # Errors
    /// If the store cannot be reached.
    async fn health(
        &self,
        before: Option<WallTime>,
        limit: u32,
    ) -> Result<Vec<HealthRecord>, StoreError>;

    /// Saves points of the recent past; a point replaces the one that had its place. Not a fleet transaction.
    ///
    /// # Errors
    /// If the store cannot be reached. Repeating is harmless.
    async fn save_series(&self, points: &[SeriesPoint]) -> Result<(), StoreError>;

    /// Returns all points of the recent past, in no particular order.
    ///
    /// # Errors
    /// If the store cannot be reached.
    async fn series(&self) -> Result<Vec<SeriesPoint>, StoreError>;

    /// Deletes one bounded step of expired rows, and of the last heartbeats of instances that are
    /// not registered any more; returns how many rows were deleted. The caller repeats it while it
    /// returns more than zero.
    ///
    /// # Errors
    /// If the store cannot be reached.
    async fn prune(&self, expiry: &Expiry) -> Result<u64, StoreError>;

    /// Returns once the store has answered.
    ///
    /// # Errors
    /// Returns an error if it does not answer.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Ends the work with the store: waits for calls under way, leaves everything that was saved in
    /// its final place and ends every connection. Later calls are `Unavailable`. The caller bounds
    /// the wait.
    ///
    /// # Errors
    /// Returns an error if the saved content is not complete where a later start, or a copy, looks
    /// for it.
    async fn close(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
