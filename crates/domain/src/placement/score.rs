//! The scores by which instances are compared. The least gets the stream.

use std::cmp::Ordering;

use crate::string_enum::string_enum;

/// How full an instance is: `held / max`, compared exactly, without floating point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// The weight of the streams it owns, and of those promised to it.
    pub held: u32,
    /// Its limit, at least 1: its capacity, or else how many streams it may own.
    pub max: u32,
}

impl Ord for Load {
    fn cmp(&self, other: &Self) -> Ordering {
        let left = u64::from(self.held) * u64::from(other.max);
        let right = u64::from(other.held) * u64::from(self.max);
        // Equal fractions: the larger instance first, because one more stream fills it by less. The
        // last comparison only makes the order total.
        left.cmp(&right)
            .then(other.max.cmp(&self.max))
            .then(self.held.cmp(&other.held))
    }
}

impl PartialOrd for Load {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

string_enum! {
    /// How heavily the load of an instance counts, by the readings of its machine.
    #[derive(Default)]
    Strain {
        /// The load as it is: there is no reading, or it is too old.
        #[default]
        Unknown = "unknown",
        /// The load as it is.
        Normal = "normal",
        /// The load and half as much again.
        Busy = "busy",
        /// Three times the load.
        Exhausted = "exhausted",
    }
}

impl Strain {
    /// Returns the factor in halves, so that the arithmetic stays in whole numbers.
    const fn halves(self) -> u64 {
        match self {
            Self::Unknown | Self::Normal => 2,
            Self::Busy => 3,
            Self::Exhausted => 6,
        }
    }
}

/// The facts about an instance from which its score is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Facts {
    pub load: Load,
    /// How many streams it owns or is promised.
    pub streams: u32,
    pub strain: Strain,
}

/// The score of `balanced`: the relative load by weight, then the number of streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub struct BalancedScore {
    pub load: Load,
    pub streams: u32,
}

/// The score of `load_aware`: the relative load by weight, which counts more on a busy machine, then
/// the number of streams. An instance of unknown strain is scored as by `balanced`.
///
/// Both kinds are in one total order, because both are compared by the same criteria: a fraction, which
/// is the relative load times a factor of the instance itself, then limit, weight and number of streams.
/// The strain comes last, and only makes the order total.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct LoadAwareScore {
    pub load: Load,
    pub strain: Strain,
    pub streams: u32,
}

impl LoadAwareScore {
    /// Returns the weighted load; a busy machine is never as light as an idle one, not even without
    /// streams.
    fn heaviness(&self) -> u64 {
        let (strain, normal) = (self.strain.halves(), Strain::Normal.halves());
        u64::from(self.load.held) * strain + (strain - normal)
    }
}

impl Ord for LoadAwareScore {
    fn cmp(&self, other: &Self) -> Ordering {
        // Without strain this is the plain order of loads.
        let left = u128::from(self.heaviness()) * u128::from(other.load.max);
        let right = u128::from(other.heaviness()) * u128::from(self.load.max);
        left.cmp(&right)
            .then(other.load.max.cmp(&self.load.max))
            .then(self.load.held.cmp(&other.load.held))
            .then(self.streams.cmp(&other.streams))
            .then(self.strain.cmp(&other.strain))
    }
}

impl PartialOrd for LoadAwareScore {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The score of `basic`: the number of streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub struct BasicScore {
    pub streams: u32,
}

/// A score of the policy in force; scores of different policies are never compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Score {
    Balanced(BalancedScore),
    LoadAware(LoadAwareScore),
    Basic(BasicScore),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn loads_are_compared_as_fractions() {
        let half = Load { held: 5, max: 10 };
        let third = Load {
            held: 100,
            max: 300,
        };
        assert!(third < half);
        assert_eq!(half.cmp(&half), Ordering::Equal);
        assert!(
            Load { held: 0, max: 20 } < Load { held: 0, max: 10 },
            "the larger one first"
        );
    }

    #[test]
    fn strain_makes_heavier_in_a_total_order() {
        let mut scores = Vec::new();
        for strain in Strain::ALL.iter().copied() {
            for (held, max) in [(0, 10), (5, 10), (10, 20), (3, 7), (0, 1)] {
                for streams in [held, held + 1] {
                    let load = Load { held, max };
                    scores.push(LoadAwareScore {
                        load,
                        strain,
                        streams,
                    });
                }
            }
        }
        for a in &scores {
            for b in &scores {
                assert_eq!(a.cmp(b), b.cmp(a).reverse(), "{a:?} {b:?}");
                assert_eq!(a.cmp(b) == Ordering::Equal, a == b);
            }
        }
        let score = |strain| LoadAwareScore {
            load: Load { held: 0, max: 10 },
            strain,
            streams: 0,
        };
        assert!(score(Strain::Normal) < score(Strain::Busy));
        assert!(score(Strain::Busy) < score(Strain::Exhausted));
    }

    fn score() -> impl Strategy<Value = LoadAwareScore> {
        // Few values, so that many are equal in some criteria; and the largest.
        let number = || prop_oneof![0_u32..6, Just(u32::MAX)];
        let max = prop_oneof![1_u32..6, Just(u32::MAX)];
        let strain = proptest::sample::select(Strain::ALL);
        (number(), max, number(), strain).prop_map(|(held, max, streams, strain)| LoadAwareScore {
            load: Load { held, max },
            strain,
            streams,
        })
    }

    fn as_balanced(score: &LoadAwareScore) -> BalancedScore {
        BalancedScore {
            load: score.load,
            streams: score.streams,
        }
    }

    proptest! {
        #[test]
        fn scored_and_unscored_instances_are_in_one_total_order(
            a in score(),
            b in score(),
            c in score(),
        ) {
            prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
            prop_assert_eq!(a.cmp(&b) == Ordering::Equal, a == b);
            if a <= b && b <= c {
                prop_assert!(a <= c, "{:?} {:?} {:?}", a, b, c);
            }
            let mut sorted = [a, b, c];
            let mut other = [c, a, b];
            sorted.sort();
            other.sort();
            prop_assert_eq!(sorted, other, "whatever the order before");
        }

        #[test]
        fn instances_of_unknown_strain_are_compared_as_by_balanced(a in score(), b in score()) {
            let unknown = |score| LoadAwareScore { strain: Strain::Unknown, ..score };
            let (a, b) = (unknown(a), unknown(b));
            prop_assert_eq!(a.cmp(&b), as_balanced(&a).cmp(&as_balanced(&b)));
            let normal = LoadAwareScore { strain: Strain::Normal, ..b };
            if as_balanced(&a) != as_balanced(&b) {
                prop_assert_eq!(a.cmp(&normal), as_balanced(&a).cmp(&as_balanced(&b)));
            }
        }
    }
}
