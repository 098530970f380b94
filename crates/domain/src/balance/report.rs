//! How balanced a fleet is, instance by instance, and what would be done about it.

use super::input::{BalanceInput, BalanceMeasure, BalanceRole};
use super::outcome::BalancePlan;
use super::planner::plan;
use super::shares::Shares;
use crate::ids::InstanceId;
use crate::settings::BalanceLimits;

/// How many instances a reason names.
const NAMED_INSTANCES: usize = 5;

/// The balance of an instance, once the moves under way are done.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct InstanceBalance {
    pub id: InstanceId,
    pub streams: u32,
    /// What its streams weigh.
    pub weight: u64,
    /// Its limit: `capacity`, else `max_streams`.
    pub limit: u64,
    pub max_streams: u32,
    /// How many more streams it may own.
    pub free: u32,
    /// None: it takes no streams.
    pub fair_share: Option<f64>,
    /// How far it is outside of its band; 0 if the fleet is balanced.
    pub excess: i64,
}

impl InstanceBalance {
    /// Returns its load as a part of its limit.
    pub fn load(&self) -> f64 {
        self.weight as f64 / self.limit.max(1) as f64
    }
}

/// The instances that take streams, summed up. They are those over which fair shares are taken: what
/// another instance holds is neither here nor in the total of the shares.
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct BalanceStatistics {
    pub instances: usize,
    pub streams: u64,
    pub weight: u64,
    pub most_streams: u32,
    pub fewest_streams: u32,
    pub highest_load: f64,
    pub lowest_load: f64,
}

impl BalanceStatistics {
    /// Returns how many streams an instance has on average.
    pub fn average_streams(&self) -> f64 {
        self.streams as f64 / self.instances.max(1) as f64
    }
}

/// The balance of a fleet.
#[derive(Debug, Clone, PartialEq, Default)]
#[expect(missing_docs, reason = "the names say it")]
pub struct BalanceReport {
    /// The instances that take or own streams, ascending by name.
    pub instances: Vec<InstanceBalance>,
    pub plan: BalancePlan,
}

impl BalanceReport {
    /// Reports on a snapshot, with the plan for it.
    pub fn of(input: &BalanceInput, limits: BalanceLimits, measure: BalanceMeasure) -> Self {
        let shares = Shares::of(input, limits, measure);
        let is_balanced = shares.is_balanced(input);
        let instances = input.instances().iter().filter_map(|instance| {
            let takes = instance.role == BalanceRole::Shares;
            if !takes && instance.streams.is_empty() {
                return None;
            }
            let weights = instance.streams.iter().map(|held| u64::from(held.weight));
            let weight: u64 = weights.sum();
            let streams = u32::try_from(instance.streams.len()).unwrap_or(u32::MAX);
            let held = match measure {
                BalanceMeasure::Weight => i64::try_from(weight).unwrap_or(i64::MAX),
                BalanceMeasure::Count => i64::from(streams),
            };
            let taken = streams.saturating_add(instance.leaving_streams);
            Some(InstanceBalance {
                id: instance.id.clone(),
                streams,
                weight,
                limit: instance.limit(measure),
                max_streams: instance.max_streams,
                free: instance.max_streams.saturating_sub(taken),
                fair_share: shares.share(instance).map(super::shares::FairShare::as_f64),
                excess: match shares.band(instance) {
                    Some(band) if !is_balanced => band.excess(held),
                    Some(_) | None => 0,
                },
            })
        });
        Self {
            instances: instances.collect(),
            plan: plan(input, limits, measure),
        }
    }

    /// Returns whether moves would make the fleet better balanced.
    pub fn needs_moves(&self) -> bool {
        !self.plan.moves.is_empty()
    }

    /// Sums up the instances that take streams.
    pub fn statistics(&self) -> BalanceStatistics {
        let sharing = || {
            let instances = self.instances.iter();
            instances.filter(|instance| instance.fair_share.is_some())
        };
        let streams = || sharing().map(|instance| instance.streams);
        let loads = || sharing().map(InstanceBalance::load);
        BalanceStatistics {
            instances: sharing().count(),
            streams: streams().map(u64::from).sum(),
            weight: sharing().map(|instance| instance.weight).sum(),
            most_streams: streams().max().unwrap_or(0),
            fewest_streams: streams().min().unwrap_or(0),
            highest_load: loads().reduce(f64::max).unwrap_or(0.0),
            lowest_load: loads().reduce(f64::min).unwrap_or(0.0),
        }
    }

    /// Returns in a sentence which instances are how far from their share.
    pub fn reason(&self) -> String {
        let mut outside: Vec<&InstanceBalance> = self
            .instances
            .iter()
            .filter(|instance| instance.excess != 0)
            .collect();
        outside.sort_by_key(|instance| std::cmp::Reverse(instance.excess.abs()));
        if outside.is_empty() {
            return "Every instance is near enough to its fair share.".to_owned();
        }
        let named: Vec<String> = outside
            .iter()
            .take(NAMED_INSTANCES)
            .map(|instance| deviation(instance))
            .collect();
        let more = match outside.len() - named.len() {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        let advice = if self.needs_moves() {
            let moves = self.plan.moves.len();
            let streams = if moves == 1 { "stream" } else { "streams" };
            format!("{moves} {streams} would move")
        } else {
            "no stream may move: hard limits, or moves under way".to_owned()
        };
        format!("{}{more}. {advice}.", named.join("; ")).replace("no stream may", "No stream may")
    }
}

fn deviation(instance: &InstanceBalance) -> String {
    let share = instance.fair_share.unwrap_or_default();
    let difference = instance.weight as f64 - share;
    let side = if instance.excess > 0 {
        "above"
    } else {
        "below"
    };
    format!(
        "`{}` holds {}, {:.1} {side} its fair share of {share:.1}",
        instance.id,
        instance.weight,
        difference.abs()
    )
}
