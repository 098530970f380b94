//! The store itself: the trait for maps in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::tables::{Tables, drop_rows};
use crate::domain::alert::{Alert, AlertFilter, Silence};
use crate::domain::event_filter::EventFilter;
use crate::domain::explain::Placing;
use crate::domain::fleet::Snapshot;
use crate::domain::health::HealthRecord;
use crate::domain::heartbeat::{BeatWatermark, LastBeat, MetricsRecord};
use crate::domain::ids::{Epoch, IncidentId, InstanceId};
use crate::domain::incident::{Incident, IncidentFilter};
use crate::domain::instance::Instance;
use crate::domain::planned::Roll;
use crate::domain::series::SeriesPoint;
use crate::domain::stream::{Place, Stream};
use crate::domain::time::WallTime;
use crate::domain::timeline::Recent;
use crate::store::census::Census;
use crate::store::contract::Store;
use crate::store::error::StoreError;
use crate::store::guard::{Guard, Settlement};
use crate::store::load::SavedAges;
use crate::store::retention::Expiry;
use crate::store::retention::PRUNE_STEP;
use crate::store::save::Save;
use crate::store::stored_event::StoredEvent;

/// A store made of ordered maps. Clones share their content.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    tables: Arc<Mutex<Tables>>,
}

impl MemoryStore {
    /// Creates an empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the time by which the store tells the age of what members heard. It stands still otherwise.
    pub fn set_database_time(&self, now: WallTime) {
        self.tables().time = now;
    }

    /// Returns the tables, even if a test panicked while it held them: every write below happens as
    /// a whole or not at all.
    pub(super) fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn begin_term(&self) -> Result<Guard, StoreError> {
        let mut tables = self.tables();
        tables.term = tables.term.next();
        tables.seat.vacate();
        Ok(Guard {
            term: tables.term,
            version: tables.version,
        })
    }

    async fn load_guarded(&self) -> Result<(Guard, Snapshot), StoreError> {
        let tables = self.tables();
        let guard = Guard {
            term: tables.term,
            version: tables.version,
        };
        let ages = tables.ages();
        let snapshot = Snapshot {
            counter: tables.counter,
            instances: tables
                .instances
                .values()
                .map(|row| Instance::clone(row))
                .collect(),
            streams: tables
                .streams
                .values()
                .map(|row| {
                    let place = tables
                        .places
                        .get(&row.id)
                        .cloned()
                        .unwrap_or(Place::Disabled);
                    (Stream::clone(row), place)
                })
                .collect(),
            rolls: tables.rolls.values().map(|row| Roll::clone(row)).collect(),
            last_beats: ages.last_beats,
            watermark: ages.watermark,
        };
        Ok((guard, snapshot))
    }

    async fn save(&self, guard: Guard, save: Arc<Save>) -> Result<(), StoreError> {
        let mut tables = self.tables();
        tables.check(guard)?;
        tables.check_owners(&save)?;
        tables.write(&save);
        Ok(())
    }

    async fn settle(&self, guard: Guard) -> Result<Settlement, StoreError> {
        let mut tables = self.tables();
        match tables.check(guard) {
            Ok(()) => {
                tables.version = guard.after_defeat().version;
                Ok(Settlement::Defeated)
            }
            Err(StoreError::VersionMismatch { found, .. })
                if found == guard.after_save().version =>
            {
                Ok(Settlement::Committed)
            }
            Err(StoreError::VersionMismatch { found, .. })
                if found == guard.after_defeat().version =>
            {
                Ok(Settlement::Defeated)
            }
            Err(error) => Err(error),
        }
    }

    async fn census(&self) -> Result<Census, StoreError> {
        let tables = self.tables();
        let mut owned: BTreeMap<InstanceId, i64> = BTreeMap::new();
        for assignment in tables.places.values().filter_map(Place::assignment) {
            *owned.entry(assignment.instance.clone()).or_default() += 1;
        }
        Ok(Census {
            guard: Guard {
                term: tables.term,
                version: tables.version,
            },
            counter: tables.counter,
            instances: i64::try_from(tables.instances.len()).unwrap_or(i64::MAX),
            streams: i64::try_from(tables.streams.len()).unwrap_or(i64::MAX),
            owned: owned.into_iter().collect(),
        })
    }

    async fn saved_ages(&self) -> Result<SavedAges, StoreError> {
        let tables = self.tables();
        Ok(tables.ages())
    }

    async fn save_beats(
        &self,
        beats: &[LastBeat],
        watermark: BeatWatermark,
    ) -> Result<(), StoreError> {
        let mut tables = self.tables();
        if let Some(found) = tables.watermark.filter(|found| found.term > watermark.term) {
            return Err(StoreError::Deposed {
                ours: watermark.term,
                current: found.term,
            });
        }
        tables.watermark = Some(watermark);
        for beat in beats {
            tables.beats.insert(beat.instance.clone(), beat.clone());
        }
        Ok(())
    }

    async fn save_metrics(&self, records: &[MetricsRecord]) -> Result<(), StoreError> {
        let mut tables = self.tables();
        for record in records {
            let mut record = record.clone();
            record.metrics = record.metrics.finite();
            let key = (record.instance.clone(), record.recorded_at);
            tables.metrics.insert(key, record);
        }
        Ok(())
    }

    async fn metrics(
        &self,
        instance: &InstanceId,
        since: WallTime,
        limit: u32,
    ) -> Result<Vec<MetricsRecord>, StoreError> {
        let end = WallTime::from_micros(i64::MAX);
        Ok(self
            .tables()
            .metrics
            .range((instance.clone(), since)..=(instance.clone(), end))
            .rev()
            .take(limit as usize)
            .map(|(_, record)| record.clone())
            .collect())
    }

    async fn find_events(
        &self,
        filter: &EventFilter,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        Ok(self.tables().events.find(filter, limit as usize))
    }

    async fn incidents(
        &self,
        filter: &IncidentFilter,
        limit: u32,
    ) -> Result<Vec<Incident>, StoreError> {
        Ok(self
            .tables()
            .incidents
            .values()
            .rev()
            .filter(|incident| filter.wants(incident))
            .take(limit as usize)
            .cloned()
            .collect())
    }

    async fn incident(&self, id: IncidentId) -> Result<Option<Incident>, StoreError> {
        Ok(self.tables().incidents.get(&id).cloned())
    }

    async fn placing(
        &self,
        instance: &InstanceId,
        epoch: Epoch,
    ) -> Result<Option<Placing>, StoreError> {
        let tables = self.tables();
        let upto = ..=(instance.clone(), epoch);
        let newest = tables.placings.range(upto).next_back();
        let placing = newest.map(|(_, placing)| placing.clone());
        Ok(placing.filter(|placing| placing.covers(instance, epoch)))
    }

    async fn save_alerts(&self, alerts: &[Alert]) -> Result<(), StoreError> {
        let mut tables = self.tables();
        for alert in alerts {
            tables.alerts.insert(alert.id, alert.clone());
        }
        Ok(())
    }

    async fn alerts(&self, filter: &AlertFilter, limit: u32) -> Result<Vec<Alert>, StoreError> {
        Ok(self
            .tables()
            .alerts
            .values()
            .rev()
            .filter(|alert| filter.wants(alert))
            .take(limit as usize)
            .cloned()
            .collect())
    }

    async fn save_silence(&self, silence: &Silence) -> Result<(), StoreError> {
        self.tables().silences.insert(silence.id, silence.clone());
        Ok(())
    }

    async fn silences(&self, after: WallTime) -> Result<Vec<Silence>, StoreError> {
        let tables = self.tables();
        let silences = tables.silences.values();
        Ok(silences.filter(|one| one.until > after).cloned().collect())
    }

    async fn save_health(&self, records: &[HealthRecord]) -> Result<(), StoreError> {
        let mut tables = self.tables();
        for record in records {
            tables
                .health
                .entry(record.at)
                .or_insert_with(|| record.clone());
        }
        Ok(())
    }

    async fn health(
        &self,
        before: Option<WallTime>,
        limit: u32,
    ) -> Result<Vec<HealthRecord>, StoreError> {
        let end = before.map_or(Bound::Unbounded, Bound::Excluded);
        Ok(self
            .tables()
            .health
            .range((Bound::Unbounded, end))
            .rev()
            .take(limit as usize)
            .map(|(_, record)| record.clone())
            .collect())
    }

    async fn save_series(&self, points: &[SeriesPoint]) -> Result<(), StoreError> {
        let mut tables = self.tables();
        let places = points
            .iter()
            .map(|point| ((point.resolution, point.place()), *point));
        tables.series.extend(places);
        Ok(())
    }

    async fn series(&self) -> Result<Vec<SeriesPoint>, StoreError> {
        Ok(self.tables().series.values().copied().collect())
    }

    async fn prune(&self, expiry: &Expiry) -> Result<u64, StoreError> {
        let tables = &mut *self.tables();
        let step = usize::try_from(PRUNE_STEP).unwrap_or(usize::MAX);
        let mut left = step;
        let is_past = |recent: &Recent, at: WallTime| !recent.contains(at);
        drop_rows(&mut tables.metrics, &mut left, |(_, at), _| {
            is_past(&expiry.metrics, *at)
        });
        left -= tables.events.prune(|at| is_past(&expiry.events, at), left);
        let owned = tables.places.values().filter_map(Place::assignment);
        let owned: BTreeSet<(InstanceId, Epoch)> = owned
            .map(|assignment| (assignment.instance.clone(), assignment.epoch))
            .collect();
        drop_rows(&mut tables.placings, &mut left, |(instance, first), row| {
            let covered = (instance.clone(), *first)..=(instance.clone(), row.last);
            is_past(&expiry.events, row.placed.at) && owned.range(covered).next().is_none()
        });
        drop_rows(&mut tables.alerts, &mut left, |_, alert| {
            alert
                .closed_at
                .is_some_and(|at| is_past(&expiry.alerts, at))
        });
        drop_rows(&mut tables.silences, &mut left, |_, silence| {
            is_past(&expiry.events, silence.until)
        });
        let webhooks = &mut tables.webhooks;
        webhooks
            .announced
            .retain(|id, _| tables.alerts.contains_key(id));
        drop_rows(&mut webhooks.deliveries, &mut left, |(target, _), row| {
            let end = row.ended_at;
            end.is_some_and(|at| is_past(&expiry.alerts, at))
                || !webhooks.targets.contains_key(target)
        });
        drop_rows(&mut tables.keys, &mut left, |_, stored| {
            let end = stored.key.revoked_at;
            end.is_some_and(|at| is_past(&expiry.events, at))
        });
        drop_rows(&mut tables.incidents, &mut left, |_, incident| {
            let end = incident.ended_at;
            end.is_some_and(|at| is_past(&expiry.incidents, at))
        });
        drop_rows(&mut tables.health, &mut left, |at, _| {
            is_past(&expiry.health, *at)
        });
        let rows = expiry.most_health_rows as usize;
        let too_many = tables.health.keys().rev().nth(rows).copied();
        drop_rows(&mut tables.health, &mut left, |at, _| {
            too_many.is_some_and(|oldest| *at <= oldest)
        });
        let instances = &tables.instances;
        drop_rows(&mut tables.beats, &mut left, |id, _| {
            !instances.contains_key(id)
        });
        drop_rows(&mut tables.seat.witnessed, &mut left, |(id, life), _| {
            let current = instances.get(id).map(|row| row.incarnation);
            current.is_none_or(|current| life.is_some_and(|life| life != current))
        });
        Ok((step - left) as u64)
    }

    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
