//! Which streams would have no home if an instance, or all instances with some labels, were lost.
//!
//! How many there are of each need follows from the counts that the fleet keeps (`mod.rs`). Which ones they are
//! follows from the order in which a recovery places streams: higher priority first, then the smaller id. So those
//! that are left are the last ones of their need. Only the streams of the lost instances are visited, a part at a
//! time, and no more of them are remembered than are named.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::packing::{Holder, Takers, Unplaced, streams_of};
use crate::ids::{InstanceId, StreamId};
use crate::instance::Instance;
use crate::labels::has_labels;
use crate::placement::Need;

/// The instances that are lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LossScope {
    /// One.
    Instance(InstanceId),
    /// All that have each of these labels, as `key:value`.
    Labels(Vec<String>),
}

impl LossScope {
    /// Returns whether an instance is lost.
    pub fn takes(&self, instance: &Instance) -> bool {
        match self {
            Self::Instance(id) => instance.id == *id,
            Self::Labels(labels) => has_labels(&instance.labels, labels),
        }
    }
}

/// The loss of some instances.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Loss {
    pub instances: usize,
    /// How many streams they own.
    pub streams: usize,
    /// Those of them that would have no home, by what they need.
    pub unplaced: Unplaced,
}

impl Loss {
    /// Computes what the loss of some instances would leave without a home; `None` if no instance is meant.
    pub fn of(holders: &[Holder], scope: &LossScope) -> Option<Self> {
        let is_lost = |(_, holder): &(usize, &Holder)| scope.takes(&holder.instance);
        let lost = holders.iter().enumerate().filter(is_lost);
        let lost: Vec<usize> = lost.map(|(index, _)| index).collect();
        if lost.is_empty() {
            return None;
        }
        let places = holders.iter().map(Holder::places).sum();
        Some(Self {
            instances: lost.len(),
            streams: streams_of(holders, &lost),
            unplaced: Takers::of(holders, places).unplaced(&lost),
        })
    }

    /// Returns how many streams would have no home.
    pub fn homeless(&self) -> usize {
        self.unplaced.values().sum()
    }
}

/// A stream of a lost instance.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct HomelessStream {
    pub need: Need,
    pub priority: i32,
    pub id: StreamId,
}

/// Collects the streams that would have no home.
#[derive(Debug, Clone)]
pub struct HomelessStreams {
    unplaced: Unplaced,
    /// How many are named at the most.
    most: usize,
    by_need: BTreeMap<Need, BTreeSet<(Reverse<i32>, StreamId)>>,
}

impl HomelessStreams {
    /// Names at most `most` of the streams that are counted.
    pub fn new(unplaced: Unplaced, most: usize) -> Self {
        Self {
            unplaced,
            most,
            by_need: BTreeMap::new(),
        }
    }

    /// Considers a stream of a lost instance: the last ones of their need are kept.
    pub fn consider(&mut self, stream: HomelessStream) {
        let Some(count) = self.unplaced.get(&stream.need) else {
            return;
        };
        let kept = self.by_need.entry(stream.need).or_default();
        kept.insert((Reverse(stream.priority), stream.id));
        if kept.len() > self.most.min(*count) {
            kept.pop_first();
        }
    }

    /// Returns the streams, ascending.
    pub fn into_ids(self) -> Vec<StreamId> {
        let kept = self.by_need.into_values().flatten();
        let mut ids: Vec<StreamId> = kept.map(|(_, id)| id).collect();
        ids.sort_unstable();
        ids.truncate(self.most);
        ids
    }
}
