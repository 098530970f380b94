//! The entries of all instances.

use std::sync::Arc;

use dashmap::DashMap;

use super::entry::Entry;
use crate::domain::fleet::Standing;
use crate::domain::ids::InstanceId;
use crate::domain::lease::Leases;
use crate::domain::time::{Timestamp, WallTime};

/// All instances.
#[derive(Debug, Default)]
pub struct Registry {
    entries: DashMap<InstanceId, Arc<Entry>>,
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

    /// Every entry, ascending by id so that whoever walks them does so in the same order each
    /// time.
    pub fn all(&self) -> Vec<Arc<Entry>> {
        let mut entries: Vec<Arc<Entry>> = self
            .entries
            .iter()
            .map(|entry| entry.value().clone())
            .collect();
        entries.sort_unstable_by(|a, b| a.id().cmp(b.id()));
        entries
    }

    /// What `look` makes of every entry, in no particular order.
    pub fn map<T>(&self, look: impl Fn(&Entry) -> T) -> Vec<T> {
        self.entries.iter().map(|entry| look(&entry)).collect()
    }

    /// The last lease of each instance, as of now.
    pub fn leases(&self, now: Timestamp) -> Leases {
        let granted = self.map(|entry| Some((entry.id().clone(), entry.granted_until()?)));
        Leases::new(now, granted.into_iter().flatten())
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
        let mut is_new = false;
        let entry = self
            .entries
            .entry(id.clone())
            .or_insert_with(|| {
                is_new = true;
                Arc::new(Entry::new(id.clone(), standing, now, wall))
            })
            .clone();
        if is_new {
            return Published::New;
        }
        entry.show(standing, now, wall);
        Published::Changed(entry)
    }

    pub(in crate::actors) fn remove(&self, id: &InstanceId) -> Option<Arc<Entry>> {
        let (_, entry) = self.entries.remove(id)?;
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
