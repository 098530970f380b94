//! The policies: how an instance's score follows from the facts about it.

use std::time::Duration;

use super::score::{BalancedScore, BasicScore, Facts, LoadAwareScore, Score, Strain};
use crate::pace::MovePace;
use crate::string_enum::string_enum;

string_enum! {
    /// How instances are compared (`PLACEMENT_POLICY`).
    PlacementPolicy {
        /// By relative load, as the sum of weights.
        Balanced = "balanced",
        /// As `balanced`, and the load of a busy machine counts more.
        LoadAware = "load_aware",
        /// By the number of streams.
        Basic = "basic",
    }
}

impl Default for PlacementPolicy {
    /// It needs nothing but what the orchestrator knows itself.
    fn default() -> Self {
        Self::Balanced
    }
}

/// A way to score instances.
trait Policy {
    /// Returns the score of an instance; the least gets the stream.
    fn score(facts: &Facts) -> Score;
}

struct Balanced;
struct LoadAware;
struct Basic;

impl Policy for Balanced {
    fn score(facts: &Facts) -> Score {
        Score::Balanced(BalancedScore {
            load: facts.load,
            streams: facts.streams,
        })
    }
}

impl Policy for LoadAware {
    fn score(facts: &Facts) -> Score {
        Score::LoadAware(LoadAwareScore {
            load: facts.load,
            strain: facts.strain,
            streams: facts.streams,
        })
    }
}

impl Policy for Basic {
    fn score(facts: &Facts) -> Score {
        Score::Basic(BasicScore {
            streams: facts.streams,
        })
    }
}

impl PlacementPolicy {
    /// Returns the score of an instance; the least gets the stream.
    pub fn score(self, facts: &Facts) -> Score {
        match self {
            Self::Balanced => Balanced::score(facts),
            Self::LoadAware => LoadAware::score(facts),
            Self::Basic => Basic::score(facts),
        }
    }

    /// Returns the policy by which an instance is scored whose machine is so strained: without a
    /// reading, `load_aware` scores as `balanced`.
    pub const fn applied(self, strain: Strain) -> Self {
        match (self, strain) {
            (Self::LoadAware, Strain::Unknown) => Self::Balanced,
            (policy, _) => policy,
        }
    }

    /// Returns the score of an instance that gets streams of an emptied one.
    pub fn score_in_recovery(self, facts: &Facts, strain: Strain) -> Score {
        let (policy, facts) = self.in_recovery(facts, strain);
        policy.score(&facts)
    }

    /// Returns by which policy, and from which facts, an instance is scored that gets streams of an
    /// emptied one. Many streams come at once then, so the strain of machines counts under `balanced` too.
    pub fn in_recovery(self, facts: &Facts, strain: Strain) -> (Self, Facts) {
        let facts = Facts {
            strain: strain.max(facts.strain),
            ..*facts
        };
        match self {
            Self::Balanced | Self::LoadAware => (Self::LoadAware, facts),
            Self::Basic => (Self::Basic, facts),
        }
    }
}

/// How streams are placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacementSettings {
    /// How instances are compared.
    pub policy: PlacementPolicy,
    /// The label under whose values the streams of a group are spread (`SPREAD_LABEL`).
    pub spread_label: String,
    /// How many streams may be on their way back to the instances they are pinned to.
    pub pace: MovePace,
    /// How long it must be quiet before unclaimed streams are spread (`AUTO_ASSIGN_SETTLE`); zero: they
    /// are assigned at once.
    pub settle: Duration,
}

impl Default for PlacementSettings {
    fn default() -> Self {
        Self {
            policy: PlacementPolicy::default(),
            spread_label: "zone".to_owned(),
            pace: MovePace::default(),
            settle: Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::score::Load;
    use super::*;

    fn facts(held: u32, max: u32, streams: u32, strain: Strain) -> Facts {
        Facts {
            load: Load { held, max },
            streams,
            strain,
        }
    }

    /// `a` holds few heavy streams on a busy machine, `b` many light ones on an idle one.
    #[test]
    fn each_policy_compares_by_its_own_criteria() {
        let a = facts(30, 100, 3, Strain::Exhausted);
        let b = facts(40, 100, 40, Strain::Normal);
        let chosen = |policy: PlacementPolicy| {
            if policy.score(&a) < policy.score(&b) {
                "a"
            } else {
                "b"
            }
        };
        assert_eq!(chosen(PlacementPolicy::Balanced), "a");
        assert_eq!(chosen(PlacementPolicy::LoadAware), "b");
        assert_eq!(chosen(PlacementPolicy::Basic), "a");
        let heavy = facts(100, 100, 1, Strain::Normal);
        assert!(PlacementPolicy::Basic.score(&heavy) < PlacementPolicy::Basic.score(&b));
    }

    #[test]
    fn equal_loads_are_compared_by_the_number_of_streams() {
        let few = facts(10, 20, 1, Strain::Normal);
        let many = facts(10, 20, 10, Strain::Normal);
        for policy in [PlacementPolicy::Balanced, PlacementPolicy::LoadAware] {
            assert!(policy.score(&few) < policy.score(&many), "{policy}");
        }
    }
}
