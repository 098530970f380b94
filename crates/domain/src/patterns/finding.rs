//! Finds the properties that failures have in common.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::chance::{at_least, at_least_of_drawn};
use super::shared::{InstanceFacts, Shared, Trait, carriers, shared_by};
use crate::health::is_failure;
use crate::ids::{IncidentId, InstanceId};
use crate::incident::{FailureCause, Incident};
use crate::time::WallTime;

/// How often one instance fails before it is a pattern.
pub const LEAST_FAILURES: usize = 3;

/// How many instances it takes for a shared property to be a pattern.
pub const LEAST_INSTANCES: usize = 3;

/// On how many days failures fall into one hour before it is a pattern.
pub const LEAST_DAYS: usize = 3;

/// How likely a pattern may be by chance.
pub const CHANCE: f64 = 0.05;

/// Failures this close together are several at once.
pub const AT_ONCE: Duration = Duration::from_secs(120);

/// How many patterns of a kind are reported at most, the clearest ones.
pub const MOST_OF_A_KIND: usize = 50;

const HOURS: u32 = 24;
pub(super) const HOUR: i64 = 3_600_000_000;

/// What the failures of a pattern have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum PatternKind {
    SameInstance(InstanceId),
    /// The hour of the day, UTC.
    SameHour(u32),
    SameLabel(Shared),
    /// The moment, and further properties.
    SeveralAtOnce(Vec<Shared>),
}

/// A pattern with the incidents behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Pattern {
    pub kind: PatternKind,
    /// The pattern as a sentence.
    pub sentence: String,
    /// The incidents, oldest first.
    pub incidents: Vec<IncidentId>,
    /// The instances, each once.
    pub instances: Vec<InstanceId>,
    /// When the first failure was noticed.
    pub first: WallTime,
    /// When the last failure was noticed.
    pub last: WallTime,
}

impl Pattern {
    /// Creates a pattern from incidents in order of time; `None` if there are none.
    fn of(kind: PatternKind, sentence: String, incidents: &[&Incident]) -> Option<Self> {
        let instances: BTreeSet<&InstanceId> = incidents.iter().map(|one| &one.instance).collect();
        Some(Self {
            kind,
            sentence,
            first: incidents.first()?.detected_at,
            last: incidents.last()?.detected_at,
            incidents: incidents.iter().map(|one| one.id).collect(),
            instances: instances.into_iter().cloned().collect(),
        })
    }
}

/// Returns the patterns in incidents, the clearest of each kind first.
pub fn find_patterns<'a>(
    incidents: impl IntoIterator<Item = &'a Incident>,
    facts: &BTreeMap<InstanceId, InstanceFacts>,
) -> Vec<Pattern> {
    let mut failures: Vec<&Incident> = incidents
        .into_iter()
        .filter(|one| is_failure(one) && happened_by_itself(one.cause))
        .collect();
    failures.sort_by_key(|one| (one.detected_at, one.id));
    let mut patterns = several_at_once(&failures, facts);
    patterns.extend(same_instance(&failures));
    patterns.extend(same_label(&failures, facts));
    patterns.extend(same_hour(&failures));
    patterns
}

/// Returns whether no operator ordered the recovery.
const fn happened_by_itself(cause: FailureCause) -> bool {
    match cause {
        FailureCause::HeartbeatTimeout
        | FailureCause::Reported
        | FailureCause::FoundFailed
        | FailureCause::EmergencyThreshold => true,
        FailureCause::Forced | FailureCause::Emergency => false,
    }
}

/// Keeps the clearest patterns: those with most incidents, then the newest.
fn clearest(mut patterns: Vec<Pattern>) -> Vec<Pattern> {
    patterns.sort_by_key(|one| std::cmp::Reverse((one.incidents.len(), one.last)));
    patterns.truncate(MOST_OF_A_KIND);
    patterns
}

fn same_instance(failures: &[&Incident]) -> Vec<Pattern> {
    let mut by_instance: BTreeMap<&InstanceId, Vec<&Incident>> = BTreeMap::new();
    for one in failures {
        by_instance.entry(&one.instance).or_default().push(one);
    }
    let found = by_instance.into_iter().filter_map(|(id, failures)| {
        let times = failures.len();
        let sentence = format!("Instance {id} failed {times} times.");
        (times >= LEAST_FAILURES)
            .then(|| Pattern::of(PatternKind::SameInstance(id.clone()), sentence, &failures))?
    });
    clearest(found.collect())
}

fn same_hour(failures: &[&Incident]) -> Vec<Pattern> {
    let mut by_hour: BTreeMap<i64, (BTreeSet<i64>, Vec<&Incident>)> = BTreeMap::new();
    for one in failures {
        let hours = one.detected_at.as_micros().div_euclid(HOUR);
        let (days, found) = by_hour
            .entry(hours.rem_euclid(i64::from(HOURS)))
            .or_default();
        days.insert(hours.div_euclid(i64::from(HOURS)));
        found.push(one);
    }
    let all: usize = by_hour.values().map(|(days, _)| days.len()).sum();
    let found = by_hour.into_iter().filter_map(|(hour, (days, failures))| {
        let unlucky = days.len();
        let chance = at_least(unlucky, all, 1.0 / f64::from(HOURS)) * f64::from(HOURS);
        if unlucky < LEAST_DAYS || chance >= CHANCE {
            return None;
        }
        let hour = u32::try_from(hour).ok()?;
        let sentence = format!(
            "Between {hour:02}:00 and {:02}:00 UTC something failed on {unlucky} days; failures \
             were seen in {all} hours altogether.",
            (hour + 1) % HOURS
        );
        Pattern::of(PatternKind::SameHour(hour), sentence, &failures)
    });
    clearest(found.collect())
}

fn same_label(failures: &[&Incident], facts: &BTreeMap<InstanceId, InstanceFacts>) -> Vec<Pattern> {
    let failed: BTreeSet<&InstanceId> = failures
        .iter()
        .map(|one| &one.instance)
        .filter(|id| facts.contains_key(*id))
        .collect();
    let keys: BTreeSet<&String> = facts.values().flat_map(|one| one.labels.keys()).collect();
    let all = carriers(facts);
    let found = carriers_of_labels(&failed, facts)
        .into_iter()
        .filter_map(|(label, unlucky)| {
            let carriers = all.get(&label).copied().unwrap_or_default();
            let chance = at_least_of_drawn(unlucky.len(), failed.len(), carriers, facts.len());
            if unlucky.len() < LEAST_INSTANCES || chance * keys.len() as f64 > CHANCE + 1e-9 {
                return None;
            }
            let of_label: Vec<&Incident> = failures
                .iter()
                .copied()
                .filter(|one| unlucky.contains(&one.instance))
                .collect();
            let sentence = format!(
                "{} of the {carriers} instances with {label} failed, and {} of the {} others.",
                unlucky.len(),
                failed.len() - unlucky.len(),
                facts.len() - carriers
            );
            let shared = Shared {
                what: label,
                by: unlucky.len(),
                carriers,
            };
            Pattern::of(PatternKind::SameLabel(shared), sentence, &of_label)
        });
    clearest(found.collect())
}

/// Returns the labels of instances, with the instances that have them.
fn carriers_of_labels<'a>(
    instances: &BTreeSet<&'a InstanceId>,
    facts: &BTreeMap<InstanceId, InstanceFacts>,
) -> BTreeMap<Trait, BTreeSet<&'a InstanceId>> {
    let mut found: BTreeMap<Trait, BTreeSet<&InstanceId>> = BTreeMap::new();
    for id in instances {
        for label in facts.get(*id).into_iter().flat_map(Trait::labels_of) {
            found.entry(label).or_default().insert(id);
        }
    }
    found
}

fn several_at_once(
    failures: &[&Incident],
    facts: &BTreeMap<InstanceId, InstanceFacts>,
) -> Vec<Pattern> {
    let all = carriers(facts);
    let mut patterns = Vec::new();
    let mut rest = failures;
    while let Some(first) = rest.first() {
        let within = rest.partition_point(|one| one.detected_at <= first.detected_at + AT_ONCE);
        let (group, later) = rest.split_at(within);
        let instances: BTreeSet<&InstanceId> = group.iter().map(|one| &one.instance).collect();
        let shared = shared_by(&instances, facts, &all, LEAST_INSTANCES);
        // Alone, the first one may keep a group apart that begins with the next.
        let Some(closest) = shared.first() else {
            rest = &rest[1..];
            continue;
        };
        let sentence = format!(
            "{} instances failed within {} s; {} of them share {}, which {} of the {} registered \
             instances have.",
            instances.len(),
            AT_ONCE.as_secs(),
            closest.by,
            closest.what,
            closest.carriers,
            facts.len()
        );
        let kind = PatternKind::SeveralAtOnce(shared);
        patterns.extend(Pattern::of(kind, sentence, group));
        rest = later;
    }
    clearest(patterns)
}
