//! Which alert a failed instance is in: one of its own, or that of the rack, the network or the fleet.
//!
//! The instances of a rack do not fail at the same moment, but fall silent together: when the first one
//! fails, the others are late. So the late ones count when it is judged what is lost:
//!
//! | what is lost | the alert is about |
//! | --- | --- |
//! | at least [`MIN_SHARED`] instances, and at least half of those with one value of a label | `label rack=r7` |
//! | the same, for the addresses of a /24 or of a /64 | `network 192.0.2.0/24` |
//! | the same, for all instances | `fleet` |
//! | many instances with nothing in common | `fleet` |
//! | otherwise | the instance |
//!
//! Of several the one is taken that explains most: it has the most lost and the fewest other instances. A
//! property that all instances have explains nothing. An alert that has opened stays with what it is about
//! until the last of its instances is back; if more is lost than it is about, it is widened, and keeps its
//! id. What drains, or is absent as planned, is in no alert.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::alert::kind::{FLEET, MAX_LISTED, Severity};
use crate::ids::InstanceId;
use crate::patterns::{LostFacts, MIN_SHARED, Trait};

/// From more failures without anything in common on, one alert is about all of them: this number, or this
/// part of the fleet, whichever is more.
const MAX_ALONE: usize = 20;
const ALONE_SHARE: usize = 20;

/// How many instances a sentence names; the others are counted.
const MAX_NAMED: usize = 10;

/// An open alert about lost instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OpenLoss {
    pub(super) subject: String,
    /// Whether it is about what instances share.
    pub(super) is_shared: bool,
    pub(super) instances: Vec<InstanceId>,
}

/// An alert about lost instances, as it is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Loss {
    pub(super) subject: String,
    /// Those that have failed.
    pub(super) failed: BTreeSet<InstanceId>,
    /// Those that share it and are late.
    pub(super) late: BTreeSet<InstanceId>,
    /// How many share it, if it is about what they share.
    pub(super) of: Option<usize>,
}

/// What instances share.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Scope {
    Shared(Trait),
    Fleet,
}

impl Scope {
    fn subject(&self) -> String {
        match self {
            Self::Shared(what) => what.to_string(),
            Self::Fleet => FLEET.to_owned(),
        }
    }
}

/// The lost instances by what they share.
struct Shares<'f> {
    facts: &'f LostFacts,
    by: BTreeMap<Trait, BTreeSet<&'f InstanceId>>,
}

impl<'f> Shares<'f> {
    fn of(facts: &'f LostFacts) -> Self {
        let mut by: BTreeMap<Trait, BTreeSet<&InstanceId>> = BTreeMap::new();
        for (id, lost) in &facts.lost {
            for what in Trait::all_of(&lost.facts) {
                by.entry(what).or_default().insert(id);
            }
        }
        Self { facts, by }
    }

    /// The lost instances of a scope, those that have failed first.
    fn members(&self, scope: &Scope) -> (BTreeSet<InstanceId>, BTreeSet<InstanceId>) {
        let has_failed =
            |id: &InstanceId| self.facts.lost.get(id).is_some_and(|lost| lost.has_failed);
        match scope {
            Scope::Shared(what) => {
                let members = self.by.get(what).into_iter().flatten().copied().cloned();
                members.partition(has_failed)
            }
            Scope::Fleet => self.facts.lost.keys().cloned().partition(has_failed),
        }
    }

    fn carriers(&self, scope: &Scope) -> usize {
        match scope {
            Scope::Shared(what) => self.facts.carriers.get(what).copied().unwrap_or_default(),
            Scope::Fleet => self.facts.all,
        }
    }

    /// The scope of an open alert, if one of its instances is lost still.
    fn scope_of(&self, subject: &str) -> Option<Scope> {
        if subject == FLEET {
            return Some(Scope::Fleet);
        }
        let mut shared = self.by.keys();
        let found = shared.find(|what| what.to_string() == subject)?;
        Some(Scope::Shared(found.clone()))
    }

    /// The scope that explains most of the failures that are left.
    fn best(&self, left: &BTreeSet<InstanceId>) -> Option<Scope> {
        let mut best = None;
        // The first of equals is taken: labels before networks, and both before the fleet.
        for is_label in [true, false] {
            for (what, lost) in &self.by {
                let carriers = self.facts.carriers.get(what).copied().unwrap_or_default();
                let explains_nothing = carriers >= self.facts.all;
                if matches!(what, Trait::Label { .. }) != is_label || explains_nothing {
                    continue;
                }
                if let Some(rank) = rank(lost.len(), carriers)
                    && best.as_ref().is_none_or(|(other, _)| rank > *other)
                    && lost.iter().any(|id| left.contains(*id))
                {
                    best = Some((rank, Scope::Shared(what.clone())));
                }
            }
        }
        if let Some(rank) = rank(self.facts.lost.len(), self.facts.all)
            && best.as_ref().is_none_or(|(other, _)| rank > *other)
            && !left.is_empty()
        {
            return Some(Scope::Fleet);
        }
        best.map(|(_, scope)| scope)
    }
}

/// How much a scope explains, if it is lost: how many more are lost than not.
fn rank(lost: usize, carriers: usize) -> Option<usize> {
    let others = carriers.saturating_sub(lost);
    (lost >= MIN_SHARED && lost >= others).then(|| lost - others)
}

impl LostFacts {
    /// The alerts that are to be open, given those that are.
    pub(super) fn losses(&self, open: &[OpenLoss]) -> Vec<Loss> {
        let shares = Shares::of(self);
        let failed = self.lost.iter().filter(|(_, lost)| lost.has_failed);
        let mut left: BTreeSet<InstanceId> = failed.map(|(id, _)| id.clone()).collect();
        let mut losses: Vec<Loss> = Vec::new();
        for before in open.iter().filter(|open| open.is_shared) {
            let scope = shares.scope_of(&before.subject);
            let (mut failed, late) = scope
                .as_ref()
                .map(|scope| shares.members(scope))
                .unwrap_or_default();
            failed.extend(before.instances.iter().cloned());
            failed.retain(|id| left.contains(id));
            if failed.is_empty() {
                continue;
            }
            left.retain(|id| !failed.contains(id));
            losses.push(Loss {
                subject: before.subject.clone(),
                failed,
                late,
                of: Some(scope.map_or(0, |scope| shares.carriers(&scope))),
            });
        }
        while let Some(scope) = shares.best(&left) {
            let (mut failed, late) = shares.members(&scope);
            left.retain(|id| !failed.contains(id));
            // What is about a part of it joins it.
            losses.retain(|loss| !loss.failed.is_subset(&failed));
            failed.retain(|id| !losses.iter().any(|loss| loss.failed.contains(id)));
            if failed.is_empty() {
                break;
            }
            losses.push(Loss {
                subject: scope.subject(),
                failed,
                late,
                of: Some(shares.carriers(&scope)),
            });
        }
        if left.len() > MAX_ALONE.max(self.all / ALONE_SHARE) {
            let (failed, late) = shares.members(&Scope::Fleet);
            return vec![Loss {
                subject: FLEET.to_owned(),
                failed,
                late,
                of: Some(self.all),
            }];
        }
        let alone = left.into_iter().map(|id| Loss {
            subject: id.to_string(),
            failed: BTreeSet::from([id]),
            late: BTreeSet::new(),
            of: None,
        });
        losses.extend(alone);
        losses
    }

    /// How urgent an alert is: a single failure can wait until the day if most of the fleet is well.
    pub(super) fn severity(&self, loss: &Loss) -> Severity {
        let well = self.all.saturating_sub(self.lost.len());
        match loss.of.is_some() || well * 2 < self.all {
            true => Severity::Critical,
            false => Severity::Warning,
        }
    }
}

impl Loss {
    /// The instances it lists: those that have failed first.
    pub(super) fn instances(&self) -> Vec<InstanceId> {
        let all = self.failed.iter().chain(&self.late);
        all.take(MAX_LISTED).cloned().collect()
    }

    /// What happened, in a sentence.
    pub(super) fn sentence(&self) -> String {
        let Some(of) = self.of else {
            return format!("Instance {} has failed.", self.subject);
        };
        let whose = match self.subject.as_str() {
            FLEET => "of the fleet".to_owned(),
            subject => format!("with {subject}"),
        };
        let lost = self.failed.len() + self.late.len();
        let mut text = format!(
            "{lost} of the {} instances {whose} are lost: {} failed ({})",
            of.max(lost),
            self.failed.len(),
            named(&self.failed)
        );
        if !self.late.is_empty() {
            // Writing to a String cannot fail.
            let _ = write!(text, ", {} late ({})", self.late.len(), named(&self.late));
        }
        text.push('.');
        text
    }
}

fn named(instances: &BTreeSet<InstanceId>) -> String {
    let names: Vec<&str> = instances
        .iter()
        .take(MAX_NAMED)
        .map(InstanceId::as_str)
        .collect();
    let mut text = names.join(", ");
    if let Some(more) = instances
        .len()
        .checked_sub(MAX_NAMED)
        .filter(|more| *more > 0)
    {
        // Writing to a String cannot fail.
        let _ = write!(text, " and {more} more");
    }
    text
}

#[cfg(test)]
mod tests;
