//! The entries of all instances.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};

use dashmap::DashMap;

use super::entry::Entry;
use crate::domain::fleet::Standing;
use crate::domain::ids::InstanceId;
use crate::domain::lease::{LeaseBoard, Leases};
use crate::domain::time::{Timestamp, WallTime};

/// All instances.
///
/// Heartbeats find their entry by its hash; walks go by an index in the order of the ids, a page at
/// a time, so that a walk over the whole fleet delays no heartbeat.
#[derive(Debug, Default)]
pub struct Registry {
    entries: DashMap<InstanceId, Arc<Entry>>,
    by_id: RwLock<BTreeMap<InstanceId, Arc<Entry>>>,
    board: Arc<LeaseBoard>,
}

impl Registry {
    /// An empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// The entry of an instance.
    pub fn get(&self, id: &InstanceId) -> Option<Arc<Entry>> {
        self.entries.get(id).map(|entry| entry.clone())
    }

    /// The entries that follow an id, ascending, at most `limit`.
    pub fn page(&self, after: Option<&InstanceId>, limit: usize) -> Vec<Arc<Entry>> {
        let by_id = self.by_id.read().unwrap_or_else(PoisonError::into_inner);
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        by_id
            .range::<InstanceId, _>((from, Bound::Unbounded))
            .take(limit)
            .map(|(_, entry)| entry.clone())
            .collect()
    }

    /// Every entry, ascending by id. For work that no caller waits for: a walk over a large fleet
    /// takes [`Registry::page`].
    pub fn all(&self) -> Vec<Arc<Entry>> {
        self.page(None, usize::MAX)
    }

    /// What `look` makes of every entry, in no particular order.
    pub fn map<T>(&self, look: impl Fn(&Entry) -> T) -> Vec<T> {
        self.entries.iter().map(|entry| look(&entry)).collect()
    }

    /// The leases of all instances, as of now.
    pub fn leases(&self, now: Timestamp) -> Leases {
        Leases::new(now, self.board.clone())
    }

    /// How many instances there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no instance.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Shows what is saved about an instance from `now` on. A new life starts with a sign of life
    /// and without a fence. Returns the entry if it is new.
    pub(in crate::actors) fn publish(
        &self,
        id: &InstanceId,
        standing: Standing,
        now: Timestamp,
        wall: WallTime,
    ) -> Published {
        // Only the FleetActor adds entries, so none appears between the look and the insertion. A
        // look keeps no heartbeat from its entry.
        if let Some(entry) = self.get(id) {
            entry.show(standing, now, wall);
            return Published::Changed(entry);
        }
        let entry = Arc::new(Entry::new(
            id.clone(),
            standing,
            self.board.seat(),
            now,
            wall,
        ));
        self.entries.insert(id.clone(), entry.clone());
        self.index().insert(id.clone(), entry);
        Published::New
    }

    /// Shows what was saved about an instance before the start at `now`. Its last sign of life was
    /// before that, and is not one since.
    pub(in crate::actors) fn restore(
        &self,
        id: &InstanceId,
        standing: Standing,
        last_beat: Timestamp,
        now: Timestamp,
        wall: WallTime,
    ) -> Arc<Entry> {
        let entry =
            Entry::new(id.clone(), standing, self.board.seat(), last_beat, wall).restored_at(now);
        let entry = Arc::new(entry);
        self.entries.insert(id.clone(), entry.clone());
        self.index().insert(id.clone(), entry.clone());
        entry
    }

    fn index(&self) -> RwLockWriteGuard<'_, BTreeMap<InstanceId, Arc<Entry>>> {
        self.by_id.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(in crate::actors) fn remove(&self, id: &InstanceId) -> Option<Arc<Entry>> {
        let (_, entry) = self.entries.remove(id)?;
        self.index().remove(id);
        entry.leave();
        Some(entry)
    }
}

/// What publishing found.
pub(in crate::actors) enum Published {
    /// The instance was not known: it needs an actor.
    New,
    /// It was known; its actor is to look at the change.
    Changed(Arc<Entry>),
}
