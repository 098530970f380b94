//! How heavily an instance's load counts when streams are moved: busy machines get fewer streams.
//!
//! The readings of a worker never decide *whether* it is assigned streams, only in which order. If
//! readings cannot be true, or take too long to collect, the load alone decides; a recovery never
//! waits for them.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::room::Load;
use crate::ids::InstanceId;

/// How long collecting and scoring may take before the load alone decides.
pub const SCORING_LIMIT: Duration = Duration::from_millis(200);

/// From this percentage on a machine counts as busy.
const BUSY: f32 = 80.0;

/// From this percentage on a machine counts as nearly exhausted.
const EXHAUSTED: f32 = 90.0;

/// The last readings of a machine, in percent; a missing one is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Reading {
    pub cpu: Option<f32>,
    pub memory: Option<f32>,
}

/// How heavily a load counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Weight {
    /// The load as it is.
    #[default]
    Normal,
    /// The load and half as much again.
    Busy,
    /// Three times the load.
    Exhausted,
}

impl Weight {
    /// Returns the factor in halves, so that the arithmetic stays in whole numbers.
    const fn halves(self) -> u64 {
        match self {
            Self::Normal => 2,
            Self::Busy => 3,
            Self::Exhausted => 6,
        }
    }
}

/// A reading that cannot be true.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Absurd {
    pub instance: InstanceId,
    pub percent: f32,
}

impl fmt::Display for Absurd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` reports a use of {} %", self.instance, self.percent)
    }
}

/// The weights of the instances whose weight is not normal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scores(BTreeMap<InstanceId, Weight>);

impl Scores {
    /// Scores the readings of machines.
    ///
    /// # Errors
    /// Returns an error if one of them cannot be true: then none is trusted.
    pub fn of(readings: impl IntoIterator<Item = (InstanceId, Reading)>) -> Result<Self, Absurd> {
        let mut weights = BTreeMap::new();
        for (instance, reading) in readings {
            let used = [reading.cpu, reading.memory].into_iter().flatten();
            let mut weight = Weight::Normal;
            for percent in used {
                if !(0.0..=100.0).contains(&percent) {
                    return Err(Absurd { instance, percent });
                }
                weight = weight.max(if percent >= EXHAUSTED {
                    Weight::Exhausted
                } else if percent >= BUSY {
                    Weight::Busy
                } else {
                    Weight::Normal
                });
            }
            if weight != Weight::Normal {
                weights.insert(instance, weight);
            }
        }
        Ok(Self(weights))
    }

    /// Returns how heavily the load of an instance counts.
    pub fn weight(&self, id: &InstanceId) -> Weight {
        self.0.get(id).copied().unwrap_or_default()
    }
}

/// How placement weighs loads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scoring {
    /// The load, weighted.
    Weighted(Arc<Scores>),
    /// The load alone, for the reason in the text.
    LoadAlone(String),
}

impl Scoring {
    /// Uses scores, unless collecting them took too long.
    pub fn judge(scores: Result<Scores, Absurd>, took: Duration) -> Self {
        match scores {
            Err(absurd) => Self::LoadAlone(absurd.to_string()),
            Ok(_) if took > SCORING_LIMIT => Self::LoadAlone(format!(
                "scoring took {} ms, more than {} ms",
                took.as_millis(),
                SCORING_LIMIT.as_millis()
            )),
            Ok(scores) => Self::Weighted(Arc::new(scores)),
        }
    }

    /// Returns how heavily the load of an instance counts.
    pub fn weight(&self, id: &InstanceId) -> Weight {
        match self {
            Self::Weighted(scores) => scores.weight(id),
            Self::LoadAlone(_) => Weight::Normal,
        }
    }
}

impl Default for Scoring {
    fn default() -> Self {
        Self::Weighted(Arc::default())
    }
}

/// The place of an instance in the order in which streams are assigned: the least first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rank {
    pub(super) load: Load,
    pub(super) weight: Weight,
    pub(super) id: InstanceId,
}

impl Ord for Rank {
    fn cmp(&self, other: &Self) -> Ordering {
        // Without weights this is the plain order of loads.
        let left = self.heaviness() * u64::from(other.load.max);
        let right = other.heaviness() * u64::from(self.load.max);
        left.cmp(&right)
            .then(other.load.max.cmp(&self.load.max))
            .then(self.load.held.cmp(&other.load.held))
            .then(self.weight.cmp(&other.weight))
            .then_with(|| self.id.cmp(&other.id))
    }
}

impl Rank {
    /// Returns the weighted number of streams; a busy machine is never as light as an idle one, not
    /// even without streams.
    fn heaviness(&self) -> u64 {
        let (weight, normal) = (self.weight.halves(), Weight::Normal.halves());
        u64::from(self.load.held) * weight + (weight - normal)
    }
}

impl PartialOrd for Rank {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(cpu: f32, memory: f32) -> Reading {
        Reading {
            cpu: Some(cpu),
            memory: Some(memory),
        }
    }

    #[test]
    fn the_busier_of_processor_and_memory_counts() {
        let table = [
            (Reading::default(), Weight::Normal),
            (reading(0.0, 79.9), Weight::Normal),
            (reading(80.0, 0.0), Weight::Busy),
            (reading(10.0, 89.9), Weight::Busy),
            (reading(80.0, 90.0), Weight::Exhausted),
            (reading(100.0, 100.0), Weight::Exhausted),
        ];
        for (reading, weight) in table {
            let scores = Scores::of([("a".into(), reading)]).unwrap();
            assert_eq!(scores.weight(&"a".into()), weight, "{reading:?}");
            assert_eq!(scores.weight(&"b".into()), Weight::Normal);
        }
    }

    #[test]
    fn one_absurd_reading_and_one_slow_scoring_leave_the_load_alone() {
        for percent in [-0.1, 100.1, f32::NAN, f32::INFINITY] {
            let sane = ("a".into(), reading(90.0, 0.0));
            let scores = Scores::of([sane, ("b".into(), reading(percent, 0.0))]);
            let Scoring::LoadAlone(because) = Scoring::judge(scores, Duration::ZERO) else {
                panic!("{percent}");
            };
            assert!(because.contains("`b`"), "{because}");
        }
        let scores = || Scores::of([("a".into(), reading(90.0, 0.0))]);
        let judged = |millis| Scoring::judge(scores(), Duration::from_millis(millis));
        assert_eq!(judged(200).weight(&"a".into()), Weight::Exhausted);
        assert_eq!(
            judged(201),
            Scoring::LoadAlone("scoring took 201 ms, more than 200 ms".to_owned())
        );
        assert_eq!(judged(201).weight(&"a".into()), Weight::Normal);
    }

    #[test]
    fn ranks_are_a_total_order_in_which_weight_makes_heavier() {
        let mut ranks = Vec::new();
        for weight in [Weight::Normal, Weight::Busy, Weight::Exhausted] {
            for (held, max) in [(0, 10), (5, 10), (10, 20), (3, 7), (0, 1)] {
                for id in ["a", "b"] {
                    let load = Load { held, max };
                    ranks.push(Rank {
                        load,
                        weight,
                        id: id.into(),
                    });
                }
            }
        }
        for a in &ranks {
            for b in &ranks {
                assert_eq!(a.cmp(b), b.cmp(a).reverse(), "{a:?} {b:?}");
                assert_eq!(a.cmp(b) == Ordering::Equal, a == b);
            }
        }
        let rank = |weight| Rank {
            load: Load { held: 0, max: 10 },
            weight,
            id: "a".into(),
        };
        assert!(rank(Weight::Normal) < rank(Weight::Busy));
        assert!(rank(Weight::Busy) < rank(Weight::Exhausted));
    }
}
