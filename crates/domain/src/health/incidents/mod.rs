//! The incidents of the last weeks, in memory: what is said about failures needs no database, and while it
//! is out the newest incidents are shown from here.

use std::collections::BTreeMap;

use crate::ids::{IncidentId, InstanceId};
use crate::incident::{FailureCause, Incident, IncidentFilter, IncidentOutcome};
use crate::time::WallTime;
use crate::timeline::Recent;

/// How many incidents are remembered at the most, the newest ones: a bound on memory.
pub const MAX_REMEMBERED: usize = 5_000;

/// How many of them are remembered whole, with their steps: the newest ones, and more than an operator
/// reads by hand.
pub const MAX_WHOLE: usize = 500;

/// Whether an incident is a critical failure: it escalated by itself, its recovery failed, or it left
/// streams without an instance. An emergency that an operator ordered is none if it succeeded.
pub fn is_critical_failure(incident: &Incident) -> bool {
    incident.escalated_at.is_some()
        || incident.cause == FailureCause::EmergencyThreshold
        || incident.outcome == Some(IncidentOutcome::Failed)
        || incident.streams_orphaned > 0
}

/// Whether an incident is an emergency, by its cause or because its attempts were used up.
pub fn is_emergency(incident: &Incident) -> bool {
    incident.escalated_at.is_some()
        || matches!(
            incident.cause,
            FailureCause::EmergencyThreshold | FailureCause::Emergency
        )
}

/// Whether an instance really failed. What was averted or interrupted moved nothing.
pub fn is_failure(incident: &Incident) -> bool {
    match incident.outcome {
        Some(IncidentOutcome::Averted | IncidentOutcome::Interrupted) => false,
        Some(
            IncidentOutcome::Recovered
            | IncidentOutcome::RecoveredPartially
            | IncidentOutcome::Failed,
        )
        | None => true,
    }
}

/// An incident as it is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// The incident; its steps are left out unless it is one of the newest.
    pub incident: Incident,
    /// When its last attempt began, as far as its steps show.
    pub last_attempt: Option<WallTime>,
}

impl Remembered {
    fn of(incident: Incident) -> Self {
        let last_step = incident.steps.iter().map(|step| step.started_at).max();
        let last_attempt = last_step
            .or(incident.ended_at)
            .filter(|_| incident.attempts > 0);
        Self {
            incident,
            last_attempt,
        }
    }
}

/// Some incidents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentPage {
    /// Newest first.
    pub incidents: Vec<Incident>,
    /// Whether there are, or may be, older ones.
    pub more: bool,
}

/// The newest incidents, by id.
#[derive(Debug, Clone, Default)]
pub struct RecentIncidents {
    by_id: BTreeMap<IncidentId, Remembered>,
    /// The first that is remembered whole; none if no older one is known or was forgotten for want of room.
    whole_from: Option<IncidentId>,
}

impl RecentIncidents {
    /// Remembers incidents; a later word on one replaces an earlier one. Open ones are forgotten
    /// last.
    pub fn note(&mut self, incidents: impl IntoIterator<Item = Incident>) {
        for incident in incidents {
            let mut one = Remembered::of(incident);
            if Some(one.incident.id) < self.whole_from {
                one.incident.steps = Vec::new();
            }
            self.by_id.insert(one.incident.id, one);
        }
        while self.by_id.len() > MAX_REMEMBERED {
            let ended = self
                .by_id
                .values()
                .find(|one| one.incident.ended_at.is_some());
            let Some(gone) = ended
                .map(|one| one.incident.id)
                .or_else(|| self.by_id.keys().next().copied())
            else {
                break;
            };
            self.by_id.remove(&gone);
            self.whole_from = self.whole_from.max(Some(gone.next()));
        }
        self.cut_steps();
    }

    /// Drops the steps of those that are no longer among the newest.
    fn cut_steps(&mut self) {
        let Some(newest_cut) = self.by_id.keys().rev().nth(MAX_WHOLE).copied() else {
            return;
        };
        let (before, from) = (self.whole_from.unwrap_or_default(), newest_cut.next());
        if before < from {
            for (_, one) in self.by_id.range_mut(before..from) {
                one.incident.steps = Vec::new();
            }
            self.whole_from = Some(from);
        }
    }

    fn whole(&self) -> impl DoubleEndedIterator<Item = &Incident> {
        let from = self.whole_from.unwrap_or_default();
        self.by_id.range(from..).map(|(_, one)| &one.incident)
    }

    /// The incidents a filter wants, newest first, at most `limit`, of those that are remembered whole.
    /// None if that is nothing and there may be more.
    pub fn page(&self, filter: &IncidentFilter, limit: u32) -> Option<IncidentPage> {
        let mut wanted = self.whole().rev().filter(|incident| filter.wants(incident));
        let incidents: Vec<Incident> = wanted.by_ref().take(limit as usize).cloned().collect();
        let more = self.is_cut() || wanted.next().is_some();
        (!incidents.is_empty() || !more).then_some(IncidentPage { incidents, more })
    }

    /// One incident, if it is remembered whole.
    pub fn one(&self, id: IncidentId) -> Option<&Incident> {
        self.whole().find(|incident| incident.id == id)
    }

    /// Whether there are older ones that are not remembered whole.
    pub const fn is_cut(&self) -> bool {
        self.whole_from.is_some()
    }

    /// All of them, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Remembered> {
        self.by_id.values()
    }

    /// Those that were detected lately, oldest first, without their steps.
    pub fn detected_in(&self, lately: &Recent) -> Vec<Incident> {
        let detected = self
            .iter()
            .filter(|one| lately.contains(one.incident.detected_at));
        detected
            .map(|one| Incident {
                steps: Vec::new(),
                ..one.incident.clone()
            })
            .collect()
    }

    /// The newest one of an instance.
    pub fn last_of(&self, instance: &InstanceId) -> Option<&Remembered> {
        let mut newest_first = self.iter().rev();
        newest_first.find(|one| one.incident.instance == *instance)
    }

    /// How many critical failures there were lately.
    pub fn critical_in(&self, lately: &Recent) -> usize {
        let detected = self
            .iter()
            .filter(|one| lately.contains(one.incident.detected_at));
        detected
            .filter(|one| is_failure(&one.incident) && is_critical_failure(&one.incident))
            .count()
    }

    /// Forgets those that ended longer ago than incidents are kept.
    pub fn forget(&mut self, kept: &Recent) {
        self.by_id.retain(|_, one| {
            let ended_at = one.incident.ended_at;
            ended_at.is_none_or(|end| kept.contains(end))
        });
    }

    /// The instances whose emergency is not over.
    pub fn open_emergencies(&self) -> impl Iterator<Item = &InstanceId> {
        let open = self.iter().filter(|one| one.incident.ended_at.is_none());
        open.filter(|one| is_emergency(&one.incident))
            .map(|one| &one.incident.instance)
    }

    /// How often each instance failed.
    pub fn failure_counts(&self) -> BTreeMap<InstanceId, u32> {
        let mut counts = BTreeMap::new();
        for one in self.iter().filter(|one| is_failure(&one.incident)) {
            *counts.entry(one.incident.instance.clone()).or_default() += 1;
        }
        counts
    }

    /// Which part of the recoveries that came to an end went well; none if there were none.
    /// Partial ones did: no room is not a failed attempt. What was averted or interrupted is
    /// neither.
    pub fn success_rate(&self) -> Option<f64> {
        let (mut well, mut all) = (0_u32, 0_u32);
        for one in self.iter().filter(|one| one.incident.attempts > 0) {
            match one.incident.outcome {
                Some(IncidentOutcome::Recovered | IncidentOutcome::RecoveredPartially) => {
                    well += 1;
                    all += 1;
                }
                Some(IncidentOutcome::Failed) => all += 1,
                Some(IncidentOutcome::Averted | IncidentOutcome::Interrupted) | None => {}
            }
        }
        (all > 0).then(|| f64::from(well) / f64::from(all))
    }
}

#[cfg(test)]
mod tests;
