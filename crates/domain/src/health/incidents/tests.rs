//! What is remembered of incidents, what is cut, and what it says of failures.

use std::time::Duration;

use super::*;
use crate::ids::Incarnation;
use crate::incident::{StepName, StepRecord, StepResult};

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

fn noting(ids: impl Iterator<Item = i64>) -> RecentIncidents {
    let mut recent = RecentIncidents::default();
    recent.note(ids.map(|id| incident(id, None)));
    recent
}

fn remembering(ids: impl DoubleEndedIterator<Item = i64>) -> RecentIncidents {
    noting(ids.rev())
}

fn page(recent: &RecentIncidents, filter: &IncidentFilter, limit: u32) -> Option<(Vec<i64>, bool)> {
    let page = recent.page(filter, limit)?;
    let ids = page.incidents.iter().map(|incident| incident.id.get());
    Some((ids.collect(), page.more))
}

#[test]
fn what_is_all_there_is_has_an_end() {
    let recent = remembering(1..=3);
    let all = IncidentFilter::default();
    assert_eq!(page(&recent, &all, 2), Some((vec![3, 2], true)));
    assert_eq!(page(&recent, &all, 3), Some((vec![3, 2, 1], false)));
    let older = IncidentFilter::before(Some(IncidentId::new(1)));
    assert_eq!(page(&recent, &older, 3), Some((vec![], false)));
    assert_eq!(
        page(&RecentIncidents::default(), &all, 3),
        Some((vec![], false))
    );
}

#[test]
fn what_was_forgotten_is_neither_shown_nor_denied() {
    let most = MAX_WHOLE as i64;
    let recent = remembering(1..=most + 1);
    let older = IncidentFilter::before(Some(IncidentId::new(4)));
    assert_eq!(page(&recent, &older, 9), Some((vec![3, 2], true)));
    let forgotten = IncidentFilter::before(Some(IncidentId::new(2)));
    assert_eq!(page(&recent, &forgotten, 9), None);
    assert_eq!(recent.one(IncidentId::new(1)), None);
    assert!(recent.is_cut());
}

#[test]
fn a_later_word_replaces_an_earlier_one() {
    let mut recent = remembering(1..=1);
    let ended = Incident {
        attempts: 7,
        ..incident(1, None)
    };
    recent.note([ended]);
    assert_eq!(
        recent.one(IncidentId::new(1)).map(|one| one.attempts),
        Some(7)
    );
}

#[test]
fn only_the_newest_incidents_keep_their_steps() {
    let step = StepRecord {
        name: StepName::Detect,
        result: StepResult::Done,
        attempt: 1,
        started_at: WallTime::from_micros(9),
        duration_us: 0,
        detail: String::new(),
    };
    let many = 1..=(MAX_WHOLE as i64 + 1);
    let mut recent = RecentIncidents::default();
    recent.note(many.map(|id| Incident {
        steps: vec![step.clone()],
        ..incident(id, None)
    }));
    let whole = recent
        .iter()
        .filter(|one| !one.incident.steps.is_empty())
        .count();
    assert_eq!(whole, MAX_WHOLE);
    let oldest = recent.iter().next().unwrap();
    assert_eq!(
        oldest.last_attempt,
        Some(step.started_at),
        "it is still known"
    );
}
