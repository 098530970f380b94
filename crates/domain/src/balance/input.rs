//! What a plan is made of: a snapshot of the fleet in small types of its own.
//!
//! The label sets that streams require, and the groups of streams, are kept once each and named by
//! number, so that a stream is a few words of memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ids::{InstanceId, StreamId};
use crate::placement::Need;
use crate::reason::RebalanceMethod;

/// What counts as load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BalanceMeasure {
    /// The weights of the streams.
    Weight,
    /// The number of streams. Hard limits of weight hold all the same.
    Count,
}

impl From<RebalanceMethod> for BalanceMeasure {
    fn from(method: RebalanceMethod) -> Self {
        match method {
            RebalanceMethod::Smart => Self::Weight,
            RebalanceMethod::Basic => Self::Count,
        }
    }
}

/// What an instance does in a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BalanceRole {
    /// It gives streams and takes streams.
    Shares,
    /// It keeps what it has and takes nothing: cordoned, or not active.
    Keeps,
}

/// A stream that an instance holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BalanceStream {
    /// Its id.
    pub id: StreamId,
    /// What it costs its instance, at least 1.
    pub weight: u32,
    /// The labels its instance must have ([`BalanceInput::requirement`]); 0: none.
    pub requires: u32,
    /// The streams it is kept apart from ([`BalanceInput::group`]); 0: none.
    pub group: u32,
    /// Whether it may move: it is not pinned to its instance, not on its way, and not held back.
    pub is_movable: bool,
}

/// An instance and what it holds once the moves under way are done.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct BalanceInstance {
    pub id: InstanceId,
    pub role: BalanceRole,
    pub max_streams: u32,
    /// The greatest sum of weights, if it is limited.
    pub capacity: Option<u32>,
    pub labels: Arc<BTreeMap<String, String>>,
    /// The streams it holds, ascending, those that are on their way to it included.
    pub streams: Vec<BalanceStream>,
    /// How many streams are leaving it, and take room until they have left.
    pub leaving_streams: u32,
    /// Their weight.
    pub leaving_weight: u64,
}

/// A snapshot of the fleet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BalanceInput {
    instances: Vec<BalanceInstance>,
    requirements: Vec<Need>,
    requirement_numbers: BTreeMap<BTreeMap<String, String>, u32>,
    group_numbers: BTreeMap<Arc<str>, u32>,
}

impl BalanceInput {
    /// Returns the number by which streams name the labels they require.
    pub fn requirement(&mut self, labels: &BTreeMap<String, String>) -> u32 {
        if labels.is_empty() {
            return 0;
        }
        if let Some(number) = self.requirement_numbers.get(labels) {
            return *number;
        }
        self.requirements.push(Need {
            requires: labels.clone(),
            ..Need::default()
        });
        let number = u32::try_from(self.requirements.len()).unwrap_or(u32::MAX);
        self.requirement_numbers.insert(labels.clone(), number);
        number
    }

    /// Returns the number by which streams name their group.
    pub fn group(&mut self, name: &Arc<str>) -> u32 {
        let next = u32::try_from(self.group_numbers.len() + 1).unwrap_or(u32::MAX);
        *self.group_numbers.entry(name.clone()).or_insert(next)
    }

    /// Adds an instance.
    pub fn push(&mut self, instance: BalanceInstance) {
        self.instances.push(instance);
    }

    /// Orders the instances by name, so that the plan does not depend on the order in which
    /// they were added.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.instances.sort_by(|a, b| a.id.cmp(&b.id));
        self
    }

    /// Returns the instances.
    pub fn instances(&self) -> &[BalanceInstance] {
        &self.instances
    }

    /// Returns whether an instance has the labels that a requirement names.
    pub(super) fn meets(&self, instance: usize, requires: u32) -> bool {
        let Some(index) = (requires as usize).checked_sub(1) else {
            return true;
        };
        let labels = &self.instances[instance].labels;
        let need = self.requirements.get(index);
        need.is_some_and(|need| need.is_met_by(labels))
    }
}

impl BalanceInstance {
    /// Returns the limit that its share follows from.
    pub(super) fn limit(&self, measure: BalanceMeasure) -> u64 {
        match (measure, self.capacity) {
            (BalanceMeasure::Weight, Some(capacity)) => u64::from(capacity),
            (BalanceMeasure::Weight, None) | (BalanceMeasure::Count, _) => {
                u64::from(self.max_streams)
            }
        }
    }
}

impl BalanceStream {
    /// Returns what it counts.
    pub(super) fn size(&self, measure: BalanceMeasure) -> u32 {
        match measure {
            BalanceMeasure::Weight => self.weight,
            BalanceMeasure::Count => 1,
        }
    }
}
