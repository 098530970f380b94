//! Fair shares, and how far from its share an instance may be.
//!
//! A fleet is *balanced* if no instance is farther from its share than two streams of average weight
//! (or the heaviest stream, if weights differ), and no two relative loads differ by more than is
//! allowed. Then nothing moves.
//!
//! If it is not, a plan brings each instance into its *band*: two streams, as above, or half the allowed
//! difference of relative loads if that is less, but one stream in any case. Then no two relative
//! loads differ by more than is allowed, as far as whole streams can achieve that.

use super::input::{BalanceInput, BalanceInstance, BalanceMeasure, BalanceRole};
use crate::settings::BalanceLimits;

/// Parts of a whole stream in which shares are shown.
const PARTS: i128 = 1_000_000;

/// What an instance should hold, as an exact fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FairShare {
    numerator: i128,
    denominator: i128,
}

impl FairShare {
    /// Returns it as a number, exact to a millionth.
    pub fn as_f64(self) -> f64 {
        (self.numerator * PARTS / self.denominator) as f64 / PARTS as f64
    }
}

/// The least and the most an instance may hold in a balanced fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Band {
    pub least: i64,
    pub most: i64,
}

impl Band {
    /// Returns how far `held` is outside: positive above, negative below.
    pub const fn excess(self, held: i64) -> i64 {
        if held > self.most {
            held - self.most
        } else if held < self.least {
            held - self.least
        } else {
            0
        }
    }
}

/// The whole of which instances have shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shares {
    /// What counts as load.
    pub measure: BalanceMeasure,
    limits: BalanceLimits,
    total: i128,
    limit_sum: i128,
    streams: i128,
    lightest: i128,
    heaviest: i128,
}

impl Shares {
    /// Adds up what is shared: what the instances hold that take streams.
    pub fn of(input: &BalanceInput, limits: BalanceLimits, measure: BalanceMeasure) -> Self {
        let (mut total, mut limit_sum, mut streams) = (0_i128, 0_i128, 0_i128);
        let (mut lightest, mut heaviest) = (u32::MAX, 0);
        for instance in input.instances() {
            match instance.role {
                BalanceRole::Shares => limit_sum += i128::from(instance.limit(measure)),
                BalanceRole::Keeps => continue,
            }
            for stream in &instance.streams {
                let size = stream.size(measure);
                total += i128::from(size);
                streams += 1;
                lightest = lightest.min(size);
                heaviest = heaviest.max(size);
            }
        }
        Self {
            measure,
            limits,
            total,
            limit_sum,
            streams,
            lightest: i128::from(lightest.min(heaviest)),
            heaviest: i128::from(heaviest),
        }
    }

    /// Returns whether all streams count the same.
    pub const fn is_uniform(&self) -> bool {
        self.lightest == self.heaviest
    }

    /// Returns what an instance should hold. An instance that takes no streams has no share.
    pub fn share(&self, instance: &BalanceInstance) -> Option<FairShare> {
        let is_sharing = instance.role == BalanceRole::Shares && self.limit_sum > 0;
        is_sharing.then(|| FairShare {
            numerator: self.total * i128::from(instance.limit(self.measure)),
            denominator: self.limit_sum,
        })
    }

    /// Returns by how much `held` exceeds the share of an instance, in units that are the same for
    /// every instance.
    pub(super) fn deviation(&self, instance: &BalanceInstance, held: i64) -> i128 {
        let held = i128::from(held) * self.limit_sum;
        match instance.role {
            BalanceRole::Shares => held - self.total * i128::from(instance.limit(self.measure)),
            BalanceRole::Keeps => held,
        }
    }

    /// Returns what an instance may hold, if that is limited.
    pub fn band(&self, instance: &BalanceInstance) -> Option<Band> {
        if self.limit_sum == 0 || instance.role == BalanceRole::Keeps {
            return None;
        }
        let sum = self.limit_sum;
        let share = self.total * i128::from(instance.limit(self.measure));
        let tolerance = self.tolerance_in_limit_sums(instance);
        let least = (share - tolerance).max(0);
        Some(Band {
            least: whole((least + sum - 1) / sum),
            most: whole((share + tolerance) / sum),
        })
    }

    /// Returns whether a fleet is balanced: no plan is needed.
    pub fn is_balanced(&self, input: &BalanceInput) -> bool {
        let mut lightest: Option<(i128, i128)> = None;
        let mut heaviest: Option<(i128, i128)> = None;
        let is_lighter = |one: (i128, i128), two: (i128, i128)| one.0 * two.1 < two.0 * one.1;
        for instance in input.instances() {
            match instance.role {
                BalanceRole::Keeps => continue,
                BalanceRole::Shares => {}
            }
            let sizes = instance.streams.iter().map(|held| held.size(self.measure));
            let held: i64 = sizes.map(i64::from).sum();
            if self.deviation(instance, held).abs() > self.most_in_limit_sums() {
                return false;
            }
            let limit = i128::from(instance.limit(self.measure)).max(1);
            let load = (i128::from(held), limit);
            if lightest.is_none_or(|least| is_lighter(load, least)) {
                lightest = Some(load);
            }
            if heaviest.is_none_or(|most| is_lighter(most, load)) {
                heaviest = Some(load);
            }
        }
        let (Some(least), Some(most)) = (lightest, heaviest) else {
            return true;
        };
        let difference = most.0 * least.1 - least.0 * most.1;
        let threshold = i128::from(self.limits.imbalance_threshold.millionths());
        difference * 1_000_000 <= threshold * least.1 * most.1
    }

    /// Returns what a stream of average weight counts, times the sum of the limits.
    fn stream_in_limit_sums(&self) -> i128 {
        match self.streams {
            0 => 0,
            streams => self.total * self.limit_sum / streams,
        }
    }

    /// Returns how far an instance of a balanced fleet may be from its share, times the sum of the
    /// limits.
    fn most_in_limit_sums(&self) -> i128 {
        let difference = i128::from(self.limits.max_stream_difference);
        let stream = self.stream_in_limit_sums();
        let most = self.heaviest.max(self.lightest * difference) * self.limit_sum;
        stream.max((stream * difference).min(most))
    }

    /// Returns how far an instance may be from its share after a plan, times the sum of the limits.
    fn tolerance_in_limit_sums(&self, instance: &BalanceInstance) -> i128 {
        let half_of_threshold = i128::from(instance.limit(self.measure))
            * i128::from(self.limits.imbalance_threshold.millionths())
            * self.limit_sum
            / 2_000_000;
        let most = self.most_in_limit_sums().min(half_of_threshold);
        self.stream_in_limit_sums().max(most)
    }
}

fn whole(number: i128) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
