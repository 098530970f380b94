//! Room for failure: could the fleet absorb the loss of an instance, or of all instances with one value
//! of a label?
//!
//! The hard rules of placement decide, nothing else. Streams are counted by what they need of an owner.
//! The lost streams are put where they fit, those that need most first: required labels before none, and
//! heavy before light. For streams of equal weight that require the same labels, or none, the number
//! without a home is the least possible. For mixed weights, or streams that require different labels, it
//! may be a little higher, never lower, because packing them exactly takes too long.
//!
//! Nothing here walks the streams: the fleet keeps the counts. An instance costs as many steps as it has
//! kinds of needs, and a search for room per kind only if the streams do not all fit the free places.

mod loss;
mod packing;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::ids::InstanceId;
use packing::{Takers, streams_of};

pub use loss::{HomelessStream, HomelessStreams, Loss, LossScope};
pub use packing::{Holder, Unplaced};

/// A label with more values than this is the name of something, not a place that can be lost.
const MOST_VALUES: usize = 1_000;

/// So is a label with more values than this of which each instance has one of its own.
const MOST_UNSHARED_VALUES: usize = 20;

/// The streams that would have no home.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct InstanceLoss {
    pub instance: InstanceId,
    /// How many streams it owns.
    pub streams: usize,
    /// How many of them would have no home.
    pub homeless: usize,
    /// Those, by what they need.
    pub unplaced: Unplaced,
}

/// The loss of all instances with one value of a label.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct LabelLoss {
    pub label: String,
    pub value: String,
    /// How many streams they own.
    pub streams: usize,
    /// How many of them would have no home.
    pub homeless: usize,
    /// Those, by what they need.
    pub unplaced: Unplaced,
}

/// What the fleet can absorb.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headroom {
    /// How many streams the instances that take streams may own.
    pub max_streams: u64,
    /// How many streams all instances own.
    pub assigned: usize,
    /// How many more streams the instances that take streams may be given.
    pub free: usize,
    /// How many more streams that need nothing the fleet could take and still absorb the loss of any one
    /// instance (at least so many, if streams weigh differently); negative: how many have no home if the
    /// worst one is lost now.
    pub spare: i64,
    /// The loss that leaves most streams without a home; among equal ones that of most streams.
    pub worst: Option<InstanceLoss>,
    /// Each value of each label, by label and value; without labels that are names of instances.
    pub by_label: Vec<LabelLoss>,
}

impl Headroom {
    /// Computes what a fleet of these instances can absorb.
    pub fn of(holders: &[Holder]) -> Self {
        let taking = || {
            holders
                .iter()
                .filter(|holder| holder.instance.takes_moves())
        };
        let limits = taking().map(|holder| u64::from(holder.instance.max_streams));
        let mut headroom = Self {
            max_streams: limits.sum(),
            assigned: holders.iter().map(Holder::streams).sum(),
            free: holders.iter().map(Holder::places).sum(),
            ..Self::default()
        };
        let fleet = Takers::of(holders, headroom.free);
        let losses = holders
            .iter()
            .enumerate()
            .map(|(index, holder)| InstanceLoss {
                instance: holder.instance.id.clone(),
                streams: holder.streams(),
                homeless: fleet.homeless(&[index]),
                unplaced: Unplaced::default(),
            });
        headroom.worst = losses
            .filter(|loss| loss.streams > 0)
            .max_by_key(|loss| (loss.homeless, loss.streams, Reverse(loss.instance.clone())));
        if let Some(worst) = headroom.worst.as_mut().filter(|worst| worst.homeless > 0) {
            let is_worst = |holder: &Holder| holder.instance.id == worst.instance;
            let index = holders.iter().position(is_worst);
            worst.unplaced = fleet.unplaced(index.as_slice());
        }
        headroom.spare = spare(holders, &headroom);
        headroom.by_label = places(holders)
            .into_iter()
            .map(|((label, value), lost)| {
                let unplaced = fleet.unplaced(&lost);
                LabelLoss {
                    label: label.to_owned(),
                    value: value.to_owned(),
                    streams: streams_of(holders, &lost),
                    homeless: unplaced.values().sum(),
                    unplaced,
                }
            })
            .collect();
        headroom
    }

    /// Returns in a sentence what could not be absorbed, if several instances run streams. A fleet that
    /// is alone on one instance could absorb nothing, and hears nothing of it.
    pub fn shortfall(&self) -> Option<String> {
        let worst = self.worst.as_ref().filter(|worst| worst.homeless > 0)?;
        (worst.streams < self.assigned).then(|| {
            format!(
                "If instance `{}` is lost, {} of its {} streams have no home: start a worker, or raise a \
                 `max_streams`. `orchestrator capacity` shows what fits where.",
                worst.instance, worst.homeless, worst.streams
            )
        })
    }

    /// Returns whether the loss of any one instance could be absorbed.
    pub fn survives_one_instance(&self) -> bool {
        self.worst.as_ref().is_none_or(|worst| worst.homeless == 0)
    }
}

/// Computes [`Headroom::spare`]. The places of a lost instance are lost too, and what the others have left
/// is for its streams first. If an instance has a capacity, a lost stream counts with its weight, because it
/// may go there: the number may then be too low, never too high.
fn spare(holders: &[Holder], headroom: &Headroom) -> i64 {
    let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    match &headroom.worst {
        Some(worst) if worst.homeless > 0 => -count(worst.homeless),
        Some(_) | None => {
            let is_weighed = (holders.iter())
                .any(|holder| holder.instance.takes_moves() && holder.instance.capacity.is_some());
            let lost = |holder: &Holder| match is_weighed {
                true => holder.weight(),
                false => holder.streams(),
            };
            let needed =
                (holders.iter()).map(|holder| holder.places().saturating_add(lost(holder)));
            let left = needed.map(|needed| headroom.free.saturating_sub(needed));
            left.min().map_or(0, count)
        }
    }
}

/// Returns the instances with each value of each label, without labels that name an instance.
fn places(holders: &[Holder]) -> BTreeMap<(&str, &str), Vec<usize>> {
    let mut by_value: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
    for (index, holder) in holders.iter().enumerate() {
        for (key, value) in &holder.instance.labels {
            by_value.entry((key, value)).or_default().push(index);
        }
    }
    let mut labels: BTreeMap<&str, (usize, bool)> = BTreeMap::new();
    for ((label, _), carriers) in &by_value {
        let (values, is_shared) = labels.entry(label).or_default();
        *values += 1;
        *is_shared |= carriers.len() > 1;
    }
    by_value.retain(|(label, _), _| {
        let (values, is_shared) = labels.get(label).copied().unwrap_or_default();
        values
            <= if is_shared {
                MOST_VALUES
            } else {
                MOST_UNSHARED_VALUES
            }
    });
    by_value
}
