//! The rules that bind settings to each other, and how a broken one is explained.
//!
//! Without these rules a promise could not be kept. There is no rule of taste, so that a test may
//! run with a timeout of three seconds.

use std::time::Duration;

use super::duration::format;
use super::origin::Origin;
use super::problem::Problem;
use super::setting::Fallback;
use super::table;

/// A length of time that was read, with its origin.
#[derive(Debug, Clone, Copy)]
pub(super) struct Length {
    pub(super) name: &'static str,
    pub(super) value: Duration,
    pub(super) origin: Origin,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Below,
    AtMost,
}

/// The sum of `lesser` must be below, or at most, `greater`.
#[derive(Debug)]
struct Rule {
    lesser: &'static [&'static str],
    comparison: Comparison,
    greater: &'static str,
    /// What would go wrong otherwise.
    reason: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        lesser: &["HEARTBEAT_REQUEST_TIMEOUT"],
        comparison: Comparison::Below,
        greater: "HEARTBEAT_INTERVAL",
        reason: "a heartbeat must have ended before the next one is due",
    },
    Rule {
        lesser: &["HEARTBEAT_INTERVAL"],
        comparison: Comparison::Below,
        greater: "WORKER_STOP",
        reason: "a worker must get to beat before it stops by itself",
    },
    Rule {
        lesser: &["WORKER_STOP"],
        comparison: Comparison::Below,
        greater: "LEASE_DURATION",
        reason: "a worker must have stopped before its lease is over",
    },
    Rule {
        lesser: &["LEASE_DURATION", "LEASE_MARGIN"],
        comparison: Comparison::AtMost,
        greater: "HEARTBEAT_TIMEOUT",
        reason: "a lease must be over when its instance fails",
    },
    Rule {
        lesser: &["HEARTBEAT_WARNING_THRESHOLD"],
        comparison: Comparison::Below,
        greater: "HEARTBEAT_TIMEOUT",
        reason: "an instance is late before it has failed",
    },
    Rule {
        lesser: &["HEARTBEAT_TIMEOUT"],
        comparison: Comparison::Below,
        greater: "EMERGENCY_THRESHOLD",
        reason: "an instance has failed before it is an emergency",
    },
];

/// Returns the broken rules. A rule about a refused value is left out, because its result would be
/// a guess.
pub(super) fn check(lengths: &[Length]) -> Vec<Problem> {
    RULES
        .iter()
        .filter_map(|rule| rule.check(lengths))
        .collect()
}

impl Rule {
    fn check(&self, lengths: &[Length]) -> Option<Problem> {
        let lesser = self.lesser.iter().map(|name| find(lengths, name));
        let lesser: Vec<Length> = lesser.collect::<Option<_>>()?;
        let greater = find(lengths, self.greater)?;
        let sum: Duration = lesser.iter().map(|length| length.value).sum();
        let holds = match self.comparison {
            Comparison::Below => sum < greater.value,
            Comparison::AtMost => sum <= greater.value,
        };
        if holds {
            return None;
        }
        let involved = with_ancestors(lesser.iter().copied().chain([greater]), lengths);
        Some(Problem::Rule {
            rule: format!(
                "{} must be {} {} ({})",
                self.lesser.join(" + "),
                match self.comparison {
                    Comparison::Below => "less than",
                    Comparison::AtMost => "at most",
                },
                self.greater,
                self.reason
            ),
            values: involved.iter().map(describe).collect::<Vec<_>>().join(", "),
            remedy: self.remedy(sum, greater, &involved),
        })
    }

    /// Returns what to change, with the bound where there is a single one.
    fn remedy(&self, sum: Duration, greater: Length, involved: &[Length]) -> String {
        let set_greater = match self.comparison {
            Comparison::Below => format!("{} above {}", greater.name, format(sum)),
            Comparison::AtMost => format!("raise {}", greater.name),
        };
        let advice = match self.lesser {
            [name] => format!(
                "Set {name} below {} or {set_greater}",
                format(greater.value)
            ),
            names => format!(
                "Together they are {}: lower {}, or {set_greater}",
                format(sum),
                names.join(" or ")
            ),
        };
        let operands = self.lesser.len() + 1;
        let mut ancestors = involved.iter().skip(operands).map(|length| length.name);
        // The last ancestor is the one from which all others are computed.
        match ancestors.next_back() {
            Some(root) => format!("{advice}, or change {root}, from which the rest is derived"),
            None => advice,
        }
    }
}

fn find(lengths: &[Length], name: &str) -> Option<Length> {
    lengths.iter().find(|length| length.name == name).copied()
}

/// Returns the given lengths, then those from which they are derived, nearest first, each once.
fn with_ancestors(given: impl Iterator<Item = Length>, lengths: &[Length]) -> Vec<Length> {
    let mut involved: Vec<Length> = given.collect();
    let mut next = 0;
    while let Some(length) = involved.get(next) {
        next += 1;
        let ancestor = derived_from(length).and_then(|name| find(lengths, name));
        if let Some(ancestor) = ancestor
            && involved.iter().all(|known| known.name != ancestor.name)
        {
            involved.push(ancestor);
        }
    }
    involved
}

fn derived_from(length: &Length) -> Option<&'static str> {
    match (length.origin, table::find(length.name)?.default) {
        (Origin::Derived(_), Fallback::Derived { from, .. }) => Some(from),
        _ => None,
    }
}

fn describe(length: &Length) -> String {
    let Length {
        name,
        value,
        origin,
    } = length;
    format!("{name} is {} ({})", format(*value), origin.describe(name))
}
