//! When a stream is quarantined, how long it waits, and who is suspected with it.

use std::time::Duration;

use super::*;

fn at(seconds: i64) -> WallTime {
    WallTime::from_micros(seconds * 1_000_000)
}

fn failure(owner: &str, seconds: i64) -> OwnerFailure {
    OwnerFailure {
        server_id: owner.into(),
        at: at(seconds),
        what: OwnerFault::Failed,
        owned_ms: 1_000,
        reason: None,
    }
}

/// The suspicion after these owners failed, one a second, in a fleet with these instances.
fn row_in(fleet: &[&str], owners: &[&str], policy: &QuarantinePolicy) -> Suspicion {
    let mut suspicion = None;
    for (owner, now) in owners.iter().zip(1..) {
        let one = failure(owner, now);
        let has_others = |failed: &[InstanceId]| {
            let mut others = fleet.iter().filter(|id| !failed.contains(&(**id).into()));
            others.next().is_some()
        };
        let before = suspicion.as_ref();
        suspicion = Some(Suspicion::after(before, one, policy, at(now), has_others));
    }
    suspicion.expect("an owner failed")
}

/// The same in a fleet that has no other instance.
fn row(owners: &[&str], policy: &QuarantinePolicy) -> Suspicion {
    row_in(&[], owners, policy)
}

#[test]
fn the_third_failure_in_a_row_quarantines() {
    let policy = QuarantinePolicy::default();
    for (owners, is_quarantined) in [
        (&["a"][..], false),
        (&["a", "b"], false),
        (&["a", "b", "c"], true),
        (&["a", "a", "a"], true),
    ] {
        let suspicion = row(owners, &policy);
        assert_eq!(suspicion.quarantine.is_some(), is_quarantined, "{owners:?}");
    }
    let quarantine = row(&["a", "b", "c"], &policy).quarantine;
    let expected = Quarantine {
        since: at(3),
        retries: 0,
        retry_at: Some(at(303)),
    };
    assert_eq!(quarantine, Some(expected));
}

#[test]
fn one_sick_worker_counts_once_while_another_instance_is_left() {
    let policy = QuarantinePolicy::default();
    for (fleet, owners, is_quarantined, kept) in [
        // The stream is pinned to the sick one, and comes back to it.
        (&["a", "b"][..], &["a", "a", "a", "a"][..], false, 4),
        (&["a", "b", "c"], &["a", "b", "a", "b", "a"], false, 5),
        // Two workers that it kills in turns are not its prey for ever.
        (&["a", "b", "c"], &["a", "b", "a", "b", "a", "b"], true, 3),
        (&["a", "b", "c"], &["a", "a", "b", "a", "c"], true, 3),
        // Nobody else is left: a poisonous stream would go round for ever.
        (&["a"], &["a", "a", "a"], true, 3),
        (&["a", "b"], &["a", "b", "a"], true, 3),
        (&["a", "b"], &["b", "a", "b"], true, 3),
    ] {
        let suspicion = row_in(fleet, owners, &policy);
        assert_eq!(suspicion.quarantine.is_some(), is_quarantined, "{owners:?}");
        assert_eq!(suspicion.failures.len(), kept, "{owners:?}");
    }
    let suspicion = row_in(&["a", "b", "c"], &["a", "b", "a", "c"], &policy);
    let times: Vec<WallTime> = suspicion.failures.iter().map(|one| one.at).collect();
    assert_eq!(times, [at(2), at(3), at(4)], "its last failure counts");
}

#[test]
fn a_failed_trial_counts_whoever_fails() {
    let policy = QuarantinePolicy::default();
    let on_trial = row(&["a", "b", "c"], &policy).on_trial();
    let again = failure("c", 9);
    let failed = Suspicion::after(Some(&on_trial), again, &policy, at(9), |_| true);
    assert_eq!(failed.quarantine.map(|one| one.retries), Some(1));
    assert_eq!(failed.failures.len(), 3);
}

#[test]
fn each_failed_retry_doubles_the_wait_up_to_a_day() {
    let policy = QuarantinePolicy::default();
    let mut suspicion = row(&["a", "b", "c"], &policy);
    for (owner, retries, wait) in [("d", 1, 600), ("e", 2, 1_200), ("f", 3, 2_400)] {
        let on_trial = suspicion.on_trial();
        assert_eq!(on_trial.quarantine.and_then(|one| one.retry_at), None);
        let one = failure(owner, 50);
        suspicion = Suspicion::after(Some(&on_trial), one, &policy, at(50), |_| false);
        let expected = Quarantine {
            since: at(3),
            retries,
            retry_at: Some(at(50 + wait)),
        };
        assert_eq!(suspicion.quarantine, Some(expected));
    }
    let day = Duration::from_secs(24 * 3_600);
    assert_eq!(policy.wait(8), Duration::from_secs(76_800));
    assert_eq!([policy.wait(9), policy.wait(u32::MAX)], [day; 2]);
}

#[test]
fn the_evidence_is_bounded_and_the_newest_is_kept() {
    let policy = QuarantinePolicy::default();
    let owners = |suspicion: &Suspicion| {
        let owners = suspicion.owners();
        owners.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let suspicion = row(&["a", "b", "c", "b", "d"], &policy);
    assert_eq!(suspicion.failures.len(), 3);
    assert_eq!(owners(&suspicion), ["c", "b", "d"], "the oldest first");
    let suspicion = row(&["b", "a", "b"], &policy);
    assert_eq!(owners(&suspicion), ["a", "b"], "each once, by its last one");
}

#[test]
fn suspects_together_share_every_failure() {
    let policy = QuarantinePolicy::default();
    let suspicion = row(&["a", "b", "c"], &policy);
    let mut other = suspicion.clone();
    other.failures[0].owned_ms = 5;
    assert!(suspicion.is_fellow_of(&other), "owned for another while");
    other.failures[1].at = at(9);
    assert!(!suspicion.is_fellow_of(&other), "it failed twice");
    assert!(!suspicion.is_fellow_of(&row(&["a", "b", "d"], &policy)));
    assert!(!suspicion.is_fellow_of(&row(&["a", "b"], &policy)));
    let mut given_back = suspicion.clone();
    given_back.failures[2].what = OwnerFault::GaveBack;
    let speaks = given_back.is_fellow_of(&given_back.clone());
    assert!(!speaks, "its worker named it");
}

#[test]
fn a_cleared_fellow_is_one_failure_away_from_its_quarantine() {
    let policy = QuarantinePolicy::default();
    let cleared = row(&["a", "b", "c"], &policy).cleared();
    let cleared = cleared.expect("two failures are left");
    assert_eq!((cleared.failures.len(), cleared.quarantine), (2, None));
    let one = failure("d", 9);
    let again = Suspicion::after(Some(&cleared), one, &policy, at(9), |_| true);
    assert!(again.quarantine.is_some());
    let strict = QuarantinePolicy { after: 1, ..policy };
    assert_eq!(row(&["a"], &strict).cleared(), None);
}
