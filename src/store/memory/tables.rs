//! The tables, with the checks that databases have as constraints.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::events::EventTable;
use super::seat::Seat;
use super::webhook_tables::WebhookTables;
use crate::domain::alert::{Alert, Silence};
use crate::domain::explain::Placing;
use crate::domain::health::HealthRecord;
use crate::domain::heartbeat::{BeatWatermark, LastBeat, MetricsRecord};
use crate::domain::ids::{
    AlertId, Epoch, IncidentId, InstanceId, KeyId, RollId, SilenceId, StreamId, Term, Version,
};
use crate::domain::incident::Incident;
use crate::domain::instance::Instance;
use crate::domain::planned::Roll;
use crate::domain::series::{Resolution, SeriesPoint};
use crate::domain::stream::{Place, Stream};
use crate::domain::time::WallTime;
use crate::store::access::StoredKey;
use crate::store::error::StoreError;
use crate::store::guard::Guard;
use crate::store::load::SavedAges;
use crate::store::save::Save;

/// The content, a map for each table of the databases.
#[derive(Debug, Default)]
pub(super) struct Tables {
    pub(super) term: Term,
    pub(super) version: Version,
    pub(super) counter: Epoch,
    pub(super) seat: Seat,
    /// What the store shows as the time of the database; it stands still until it is set.
    pub(super) time: WallTime,
    pub(super) instances: BTreeMap<InstanceId, Arc<Instance>>,
    pub(super) streams: BTreeMap<StreamId, Arc<Stream>>,
    pub(super) places: BTreeMap<StreamId, Place>,
    pub(super) placings: BTreeMap<(InstanceId, Epoch), Placing>,
    pub(super) rolls: BTreeMap<RollId, Arc<Roll>>,
    pub(super) incidents: BTreeMap<IncidentId, Incident>,
    pub(super) beats: BTreeMap<InstanceId, LastBeat>,
    pub(super) watermark: Option<BeatWatermark>,
    pub(super) metrics: BTreeMap<(InstanceId, WallTime), MetricsRecord>,
    pub(super) events: EventTable,
    pub(super) alerts: BTreeMap<AlertId, Alert>,
    pub(super) silences: BTreeMap<SilenceId, Silence>,
    pub(super) health: BTreeMap<WallTime, HealthRecord>,
    pub(super) series: BTreeMap<(Resolution, i64), SeriesPoint>,
    pub(super) webhooks: WebhookTables,
    pub(super) keys: BTreeMap<KeyId, StoredKey>,
    /// The last id of a key that was used.
    pub(super) last_key: KeyId,
}

impl Tables {
    /// The ages of heartbeats.
    pub(super) fn ages(&self) -> SavedAges {
        let beats = self.beats.values();
        SavedAges {
            last_beats: beats.map(|row| (row.instance.clone(), row.at)).collect(),
            watermark: self.watermark,
        }
    }

    /// Checks that the writer still holds the term and knows the current version.
    pub(super) fn check(&self, guard: Guard) -> Result<(), StoreError> {
        if guard.term != self.term {
            return Err(StoreError::Deposed {
                ours: guard.term,
                current: self.term,
            });
        }
        if guard.version != self.version {
            return Err(StoreError::VersionMismatch {
                expected: guard.version,
                found: self.version,
            });
        }
        Ok(())
    }

    /// Checks the constraint that the databases have as a foreign key: an assignment names an
    /// instance.
    pub(super) fn check_owners(&self, save: &Save) -> Result<(), StoreError> {
        let gone = |id: &InstanceId| match save.rows.instances.get(id) {
            Some(row) => row.is_none(),
            None => !self.instances.contains_key(id),
        };
        let place_of = |stream: &StreamId| match save.rows.places.get(stream) {
            Some(row) => row.as_ref(),
            None => self.places.get(stream),
        };
        // Rows that are written can break it; rows that stay can break it only if an instance is
        // deleted.
        let instance_goes = save.rows.instances.values().any(Option::is_none);
        let staying = self.places.keys().filter(|_| instance_goes);
        for stream in save.rows.places.keys().chain(staying) {
            if let Some(assignment) = place_of(stream).and_then(Place::assignment)
                && gone(&assignment.instance)
            {
                return Err(StoreError::Refused(format!(
                    "stream {stream} would belong to `{}`, which is not registered",
                    assignment.instance
                )));
            }
        }
        Ok(())
    }

    /// Writes the rows and events of a save that both checks have passed.
    pub(super) fn write(&mut self, save: &Save) {
        self.version = self.version.next();
        self.counter = save.counter;
        put_rows(&mut self.instances, &save.rows.instances);
        put_rows(&mut self.streams, &save.rows.streams);
        put_rows(&mut self.places, &save.rows.places);
        for placing in &save.rows.placings {
            let key = (placing.instance.clone(), placing.first);
            self.placings.insert(key, placing.clone());
        }
        put_rows(&mut self.rolls, &save.rows.rolls);
        for incident in &save.rows.incidents {
            self.incidents.insert(incident.id, incident.clone());
        }
        for event in save.dated_events() {
            self.events.append(event);
        }
    }
}

fn put_rows<K: Ord + Clone, V: Clone>(table: &mut BTreeMap<K, V>, rows: &BTreeMap<K, Option<V>>) {
    for (key, row) in rows {
        match row {
            Some(row) => table.insert(key.clone(), row.clone()),
            None => table.remove(key),
        };
    }
}

/// Deletes at most `left` of the expired rows of a table; `left` is reduced for the next table.
pub(super) fn drop_rows<K: Ord + Clone, V>(
    table: &mut BTreeMap<K, V>,
    left: &mut usize,
    is_past: impl Fn(&K, &V) -> bool,
) {
    let gone: Vec<K> = table
        .iter()
        .filter(|(key, row)| is_past(key, row))
        .take(*left)
        .map(|(key, _)| key.clone())
        .collect();
    for key in &gone {
        table.remove(key);
    }
    *left -= gone.len();
}
