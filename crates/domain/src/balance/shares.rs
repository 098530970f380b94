//! Fair shares, and how far from its share an instance may be.
//!
//! An instance may differ from its share by two streams of average weight (by no more than the
//! heaviest, if weights differ), or by half the allowed difference of relative loads if that is
//! less, but by one stream in any case: then no two relative loads differ by more than is allowed,
//! as far as whole streams can achieve that.

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
    /// Adds up what is shared: what the instances hold that take streams, and what is to leave
    /// others.
    pub fn of(input: &BalanceInput, limits: BalanceLimits, measure: BalanceMeasure) -> Self {
        let (mut total, mut limit_sum, mut streams) = (0_i128, 0_i128, 0_i128);
        let (mut lightest, mut heaviest) = (u32::MAX, 0);
        for instance in input.instances() {
            match instance.role {
                BalanceRole::Shares => limit_sum += i128::from(instance.limit(measure)),
                BalanceRole::Leaves => {}
                BalanceRole::Keeps => continue,
            }
            for stream in &instance.streams {
                if instance.role == BalanceRole::Leaves && !stream.is_movable {
                    continue;
                }
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
            BalanceRole::Leaves | BalanceRole::Keeps => held,
        }
    }

    /// Returns what an instance may hold. One that leaves may hold only the streams that stay.
    pub fn band(&self, instance: &BalanceInstance) -> Option<Band> {
        if self.limit_sum == 0 {
            return None;
        }
        match instance.role {
            BalanceRole::Keeps => return None,
            BalanceRole::Leaves => return Some(Band { least: 0, most: 0 }),
            BalanceRole::Shares => {}
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

    /// Returns how far an instance may be from its share, times the sum of the limits.
    fn tolerance_in_limit_sums(&self, instance: &BalanceInstance) -> i128 {
        if self.streams == 0 {
            return 0;
        }
        let sum = self.limit_sum;
        let difference = i128::from(self.limits.max_stream_difference);
        let stream = self.total * sum / self.streams;
        let most = self.heaviest.max(self.lightest * difference) * sum;
        let half_of_threshold = i128::from(instance.limit(self.measure))
            * i128::from(self.limits.imbalance_threshold.millionths())
            * sum
            / 2_000_000;
        stream.max((stream * difference).min(most).min(half_of_threshold))
    }
}

fn whole(number: i128) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
