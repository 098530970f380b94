//! The incidents of the last weeks, in memory, so that questions about failures need no database.

use std::collections::BTreeMap;

use crate::ids::{IncidentId, InstanceId};
use crate::incident::{FailureCause, Incident, IncidentOutcome};
use crate::time::WallTime;
use crate::timeline::Recent;

/// How many incidents are remembered at the most, the newest ones: a bound on memory.
pub const MAX_REMEMBERED: usize = 5_000;

/// Returns whether an incident is a critical failure: it escalated by itself, its recovery failed,
/// or it left streams without an instance. A successful emergency that an operator ordered is none.
pub fn is_critical_failure(incident: &Incident) -> bool {
    incident.escalated_at.is_some()
        || incident.cause == FailureCause::EmergencyThreshold
        || incident.outcome == Some(IncidentOutcome::Failed)
        || incident.streams_orphaned > 0
}

/// Returns whether an incident is an emergency, by its cause or because its attempts were used up.
pub fn is_emergency(incident: &Incident) -> bool {
    incident.escalated_at.is_some()
        || matches!(
            incident.cause,
            FailureCause::EmergencyThreshold | FailureCause::Emergency
        )
}

/// Returns whether an instance really failed. An averted or interrupted recovery moved nothing.
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

/// An incident without its steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// The incident, without its steps.
    pub incident: Incident,
    /// When its last attempt began, as far as its steps show.
    pub last_attempt: Option<WallTime>,
}

impl Remembered {
    fn of(mut incident: Incident) -> Self {
        let last_step = incident.steps.iter().map(|step| step.started_at).max();
        let last_attempt = last_step
            .or(incident.ended_at)
            .filter(|_| incident.attempts > 0);
        incident.steps = Vec::new();
        Self {
            incident,
            last_attempt,
        }
    }
}

/// The newest incidents, by id.
#[derive(Debug, Clone, Default)]
pub struct RecentIncidents {
    by_id: BTreeMap<IncidentId, Remembered>,
}

impl RecentIncidents {
    /// Adds incidents; a newer state of one replaces the older. Open incidents are forgotten last.
    pub fn note(&mut self, incidents: impl IntoIterator<Item = Incident>) {
        for incident in incidents {
            self.by_id.insert(incident.id, Remembered::of(incident));
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
        }
    }

    /// Returns all of them, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Remembered> {
        self.by_id.values()
    }

    /// Returns the newest incident of an instance.
    pub fn last_of(&self, instance: &InstanceId) -> Option<&Remembered> {
        let mut newest_first = self.iter().rev();
        newest_first.find(|one| one.incident.instance == *instance)
    }

    /// Returns how many critical failures there were lately.
    pub fn critical_in(&self, lately: &Recent) -> usize {
        let detected = self
            .iter()
            .filter(|one| lately.contains(one.incident.detected_at));
        detected
            .filter(|one| is_failure(&one.incident) && is_critical_failure(&one.incident))
            .count()
    }

    /// Forgets incidents that ended longer ago than incidents are kept.
    pub fn forget(&mut self, kept: &Recent) {
        self.by_id.retain(|_, one| {
            let ended_at = one.incident.ended_at;
            ended_at.is_none_or(|end| kept.contains(end))
        });
    }

    /// Returns the instances whose emergency is not over.
    pub fn open_emergencies(&self) -> impl Iterator<Item = &InstanceId> {
        let open = self.iter().filter(|one| one.incident.ended_at.is_none());
        open.filter(|one| is_emergency(&one.incident))
            .map(|one| &one.incident.instance)
    }

    /// Returns how often each instance failed.
    pub fn failure_counts(&self) -> BTreeMap<InstanceId, u32> {
        let mut counts = BTreeMap::new();
        for one in self.iter().filter(|one| is_failure(&one.incident)) {
            *counts.entry(one.incident.instance.clone()).or_default() += 1;
        }
        counts
    }

    /// Returns the share of finished recoveries that succeeded; `None` if there were none. Partial
    /// recoveries succeeded: a lack of room is not a failed attempt. Averted and interrupted ones
    /// count for neither side.
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
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ids::Incarnation;

    fn incident(id: i64, outcome: Option<IncidentOutcome>) -> Incident {
        let at = WallTime::from_micros(id * 1_000_000);
        Incident {
            id: IncidentId::new(id),
            instance: "a".into(),
            incarnation: Incarnation::new(1),
            cause: FailureCause::HeartbeatTimeout,
            detected_at: at,
            ended_at: outcome.map(|_| at),
            outcome,
            streams_affected: 3,
            streams_moved: 3,
            streams_orphaned: 0,
            attempts: 1,
            reason: None,
            escalated_at: None,
            steps: Vec::new(),
        }
    }

    #[test]
    fn what_is_critical_escalated_by_itself_failed_or_left_orphans() {
        let plain = incident(1, Some(IncidentOutcome::Recovered));
        assert!(!is_critical_failure(&plain));
        let silent = Incident {
            cause: FailureCause::EmergencyThreshold,
            ..plain.clone()
        };
        assert!(is_critical_failure(&silent));
        let failed = incident(1, Some(IncidentOutcome::Failed));
        assert!(is_critical_failure(&failed));
        let escalated = Incident {
            escalated_at: Some(WallTime::from_micros(1)),
            ..plain.clone()
        };
        assert!(is_critical_failure(&escalated));
        let left_orphans = Incident {
            streams_orphaned: 1,
            ..plain
        };
        assert!(is_critical_failure(&left_orphans));
        assert!(!is_emergency(&left_orphans));
    }

    #[test]
    fn an_ordered_emergency_is_critical_only_if_it_failed_or_left_orphans() {
        let ordered = |outcome, streams_orphaned| Incident {
            cause: FailureCause::Emergency,
            streams_orphaned,
            ..incident(1, outcome)
        };
        let under_way = ordered(None, 0);
        assert!(is_emergency(&under_way) && !is_critical_failure(&under_way));
        use IncidentOutcome::{Failed, Recovered, RecoveredPartially};
        assert!(!is_critical_failure(&ordered(Some(Recovered), 0)));
        assert!(is_critical_failure(&ordered(Some(RecoveredPartially), 2)));
        assert!(is_critical_failure(&ordered(Some(Failed), 0)));
    }

    #[test]
    fn a_rate_needs_recoveries_and_partial_ones_went_well() {
        let mut recent = RecentIncidents::default();
        assert_eq!(recent.success_rate(), None);
        recent.note([
            incident(1, None),
            incident(2, Some(IncidentOutcome::Averted)),
            incident(3, Some(IncidentOutcome::Interrupted)),
        ]);
        assert_eq!(recent.success_rate(), None);
        assert_eq!(recent.failure_counts()[&InstanceId::from("a")], 1);
        recent.note([
            incident(4, Some(IncidentOutcome::RecoveredPartially)),
            incident(5, Some(IncidentOutcome::Failed)),
            incident(1, Some(IncidentOutcome::Recovered)),
            incident(6, Some(IncidentOutcome::Recovered)),
        ]);
        assert_eq!(recent.success_rate(), Some(0.75));
        assert_eq!(recent.failure_counts()[&InstanceId::from("a")], 4);
        assert_eq!(
            recent.last_of(&"a".into()).unwrap().incident.id,
            IncidentId::new(6)
        );
        assert_eq!(recent.last_of(&"b".into()), None);
    }

    #[test]
    fn critical_failures_are_forgotten_in_time_and_emergencies_when_they_end() {
        let mut recent = RecentIncidents::default();
        let open = Incident {
            cause: FailureCause::EmergencyThreshold,
            ..incident(10, None)
        };
        recent.note([open.clone()]);
        assert_eq!(recent.open_emergencies().count(), 1);
        let hour = Duration::from_secs(3_600);
        let after = |seconds| open.detected_at + Duration::from_secs(seconds);
        let hour_until = |seconds| Recent::since(after(seconds) - hour);
        assert_eq!(recent.critical_in(&hour_until(3_600)), 1);
        assert_eq!(recent.critical_in(&hour_until(3_601)), 0);
        recent.note([Incident {
            ended_at: Some(after(1)),
            outcome: Some(IncidentOutcome::Recovered),
            ..open.clone()
        }]);
        assert_eq!(recent.open_emergencies().count(), 0);
        assert_eq!(recent.critical_in(&hour_until(2)), 1);
    }

    #[test]
    fn an_ended_incident_is_forgotten_when_it_is_old_and_an_open_one_is_not() {
        let mut recent = RecentIncidents::default();
        recent.note([
            incident(1, Some(IncidentOutcome::Recovered)),
            incident(2, None),
            incident(3, Some(IncidentOutcome::Recovered)),
        ]);
        recent.forget(&Recent::since(WallTime::from_micros(3_000_000)));
        let left: Vec<i64> = recent.iter().map(|one| one.incident.id.get()).collect();
        assert_eq!(left, [2, 3]);
    }

    #[test]
    fn memory_is_bounded_and_what_is_open_stays() {
        let mut recent = RecentIncidents::default();
        recent.note([incident(1, None)]);
        let many = 2..=(MAX_REMEMBERED as i64 + 10);
        recent.note(many.map(|id| incident(id, Some(IncidentOutcome::Recovered))));
        assert_eq!(recent.iter().count(), MAX_REMEMBERED);
        assert_eq!(recent.iter().next().unwrap().incident.id.get(), 1);
        assert_eq!(recent.iter().nth(1).unwrap().incident.id.get(), 12);
    }
}
