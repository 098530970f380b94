//! What is asked, what lasts too long, and when.

use super::*;
use crate::digest::StreamsDigest;
use crate::ids::{AssignmentVersion, Incarnation};
use crate::instance::InstanceStatus;
use proptest::prelude::*;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn limits() -> ReleaseLimits {
    ReleaseLimits::from_thresholds(&LivenessThresholds::default())
}

/// A leased instance that is to run stream 9 and to release so many others.
fn standing(releasing: usize) -> Standing {
    Standing {
        incarnation: Incarnation::new(1),
        status: InstanceStatus::Active,
        flaps: 0,
        silence_expected: false,
        assignment_version: AssignmentVersion::new(7),
        held: 1 + releasing,
        owned: 1 + releasing,
        undelivered: 0,
        unconfirmed: 0,
        leased: true,
        lease: Duration::from_secs(240),
        withdrawn: None,
        releasing,
        lingering: 0,
        exclusive: 1,
        to_run: 1,
        digest: of(&[9]),
        processors: None,
    }
}

fn of(ids: &[i64]) -> StreamsDigest {
    StreamsDigest::of(ids.iter().copied().map(StreamId::new))
}

fn ids(ids: &[i64]) -> Vec<StreamId> {
    ids.iter().copied().map(StreamId::new).collect()
}

fn disabled(streams: &[i64]) -> Vec<(StreamId, TakenAs)> {
    let disabled = ids(streams).into_iter();
    disabled.map(|id| (id, TakenAs::Disabled)).collect()
}

/// What the fleet has if the listed streams are disabled and releasing.
fn listed(streams: &[i64]) -> Taken {
    Taken {
        releasing: disabled(streams),
        overlapping: Vec::new(),
        surplus: Some(disabled(streams)),
    }
}

fn releasing(streams: &[i64], why: TakenAs) -> Taken {
    let releasing = ids(streams).into_iter().map(|id| (id, why.clone()));
    Taken {
        releasing: releasing.collect(),
        ..Taken::default()
    }
}

/// Heartbeats 30 s apart from `from` on; at which moments the fleet was looked at, and what had
/// lasted too long then.
fn beats(
    watch: &mut ReleaseWatch,
    from: u64,
    until: u64,
    hearing: Hearing,
    taken: &Taken,
) -> Vec<(u64, Overdue)> {
    let standing = standing(taken.releasing.len());
    let mut looks = Vec::new();
    for second in (from..=until).step_by(30) {
        if watch.heard(hearing, &standing, at(second)) {
            looks.push((second, watch.looked(hearing, taken, &standing, at(second))));
        }
    }
    looks
}

#[test]
fn a_reported_stream_that_should_not_run_is_found_within_a_timeout() {
    let mut watch = ReleaseWatch::new(limits());
    let looks = beats(&mut watch, 0, 300, Hearing::Behind, &listed(&[1, 2]));
    let surplus = Some(Surplus::Named(disabled(&[1, 2])));
    let when: Vec<u64> = looks.iter().map(|(second, _)| *second).collect();
    assert_eq!(when[..3], [0, 60, 120], "twice a minute is enough");
    let found = looks.iter().find(|(_, overdue)| overdue.surplus.is_some());
    let (second, overdue) = found.unwrap();
    assert_eq!((*second, &overdue.surplus), (120, &surplus));
    assert!(overdue.refused.is_empty());
    assert_eq!(when[2..], [120, 150, 180, 210, 240, 270, 300], "to close");
}

#[test]
fn it_is_over_with_the_first_report_that_leaves_it_out() {
    let open = |watch: &mut ReleaseWatch| {
        beats(watch, 0, 120, Hearing::Behind, &listed(&[1]));
        assert!(watch.reports_surplus());
    };
    let in_step = |watch: &mut ReleaseWatch| {
        assert!(!watch.heard(Hearing::InStep, &standing(0), at(150)));
    };
    let leaves_it_out = |watch: &mut ReleaseWatch| {
        let mut taken = releasing(&[1], TakenAs::Disabled);
        taken.surplus = Some(Vec::new());
        let looks = beats(watch, 150, 150, Hearing::Behind, &taken);
        assert_eq!(looks[0].1.surplus, None);
    };
    let is_judged_and_leaves_it_out = |watch: &mut ReleaseWatch| {
        let mut taken = releasing(&[], TakenAs::Disabled);
        taken.surplus = Some(Vec::new());
        let looks = beats(watch, 150, 150, Hearing::Judged, &taken);
        assert_eq!(looks[0].1.surplus, None);
    };
    let says_nothing_for_a_timeout = |watch: &mut ReleaseWatch| {
        watch.heard(Hearing::Nothing, &standing(0), at(419));
        assert!(watch.reports_surplus());
        watch.heard(Hearing::Nothing, &standing(0), at(420));
    };
    let ends: [&dyn Fn(&mut ReleaseWatch); 5] = [
        &in_step,
        &leaves_it_out,
        &is_judged_and_leaves_it_out,
        &says_nothing_for_a_timeout,
        &ReleaseWatch::forget,
    ];
    for end in ends {
        let mut watch = ReleaseWatch::new(limits());
        open(&mut watch);
        end(&mut watch);
        assert!(!watch.reports_surplus());
    }
}

#[test]
fn a_heartbeat_that_is_judged_starts_the_clock_again() {
    let mut watch = ReleaseWatch::new(limits());
    for from in [0, 150, 300] {
        let looks = beats(&mut watch, from, from + 90, Hearing::Behind, &listed(&[1]));
        assert!(looks.iter().all(|(_, overdue)| overdue.surplus.is_none()));
        let judged = (Hearing::Judged, standing(1), at(from + 120));
        watch.heard(judged.0, &judged.1, judged.2);
    }
    // One that is reported stays so until `streams_differ` reports it.
    beats(&mut watch, 450, 600, Hearing::Behind, &listed(&[1]));
    assert!(watch.reports_surplus());
    let looks = beats(&mut watch, 630, 630, Hearing::Judged, &listed(&[1, 2]));
    let still = Some(Surplus::Named(disabled(&[1])));
    assert_eq!(looks[0].1.surplus, still, "2 is not its affair");
    watch.forget_surplus();
    assert!(!watch.reports_surplus());
}

#[test]
fn a_digest_counts_if_it_stands_for_more_than_should_run() {
    let report = |version, running: &[i64]| Report {
        version: Some(AssignmentVersion::new(version)),
        digest: of(running),
        count: running.len() as u64,
    };
    let cases = [
        (report(6, &[9]), Hearing::InStep),
        (report(7, &[1, 9]), Hearing::Judged),
        (report(6, &[1, 9]), Hearing::BehindUnnamed(1)),
        (report(6, &[1]), Hearing::Nothing),
        (report(6, &[]), Hearing::Nothing),
    ];
    for (report, expected) in cases {
        assert_eq!(Hearing::of_digest(&report, &standing(0)), expected);
    }
    assert_eq!(
        Hearing::of_list(&report(6, &[1]), &standing(0)),
        Hearing::Behind
    );
    let mut watch = ReleaseWatch::new(limits());
    let hearing = Hearing::BehindUnnamed(2);
    let looks = beats(&mut watch, 0, 120, hearing, &Taken::default());
    let found: Vec<Option<Surplus>> = looks.into_iter().map(|(_, found)| found.surplus).collect();
    assert_eq!(found, [None, None, Some(Surplus::Counted(2))]);
}

#[test]
fn what_is_not_released_in_time_is_given_up_or_called_refused() {
    for (why, abandoned, refused) in [
        (TakenAs::Releasing, Some(300), Some(360)),
        (TakenAs::Disabled, None, Some(360)),
        (TakenAs::Deleted, None, Some(360)),
    ] {
        for hearing in [Hearing::Nothing, Hearing::InStep, Hearing::BehindUnnamed(1)] {
            let mut watch = ReleaseWatch::new(limits());
            let looks = beats(&mut watch, 0, 420, hearing, &releasing(&[1], why.clone()));
            let first = |lasts: &dyn Fn(&Overdue) -> bool| {
                let found = looks.iter().find(|(_, overdue)| lasts(overdue));
                found.map(|(second, _)| *second)
            };
            let when = first(&|overdue| overdue.abandon == ids(&[1]));
            assert_eq!(when, abandoned, "{why:?} {hearing:?}");
            let when = first(&|overdue| overdue.refused == ids(&[1]));
            assert_eq!(when, refused, "{why:?} {hearing:?}");
        }
    }
}

#[test]
fn each_stream_has_its_own_clock() {
    let mut watch = ReleaseWatch::new(limits());
    beats(
        &mut watch,
        0,
        240,
        Hearing::Nothing,
        &releasing(&[1], TakenAs::Disabled),
    );
    let mut both = releasing(&[1], TakenAs::Disabled);
    both.releasing.push((StreamId::new(2), TakenAs::Releasing));
    let looks = beats(&mut watch, 300, 660, Hearing::Nothing, &both);
    let abandoned = looks.iter().find(|(_, found)| !found.abandon.is_empty());
    assert_eq!(abandoned.unwrap().0, 600, "a timeout after it began");
    let refused = looks.iter().find(|(_, found)| !found.refused.is_empty());
    assert_eq!(refused.unwrap().0, 360);
}

#[test]
fn an_overlap_that_does_not_end_is_found_after_a_timeout() {
    let mut watch = ReleaseWatch::new(limits());
    let beside = vec![(StreamId::new(4), InstanceId::from("b"))];
    let taken = Taken {
        overlapping: beside.clone(),
        ..Taken::default()
    };
    let mut standing = standing(0);
    standing.lingering = 1;
    let mut found = None;
    for second in (0..=330).step_by(30) {
        if watch.heard(Hearing::InStep, &standing, at(second)) {
            let overdue = watch.looked(Hearing::InStep, &taken, &standing, at(second));
            found = found.or((overdue.unfinished == beside).then_some(second));
        }
    }
    assert_eq!(found, Some(300));
}

#[test]
fn nothing_is_asked_while_nothing_is_taken() {
    let mut watch = ReleaseWatch::new(limits());
    let none = Taken::default();
    for hearing in [Hearing::Nothing, Hearing::InStep, Hearing::Judged] {
        assert_eq!(beats(&mut watch, 0, 900, hearing, &none), []);
    }
}

proptest! {
    /// Whatever the limits are, a worker that reports every quarter of the warning threshold is
    /// found within one timeout, and a planned move is given up before it is called refused.
    #[test]
    fn the_limits_fit_any_thresholds(timeout in 5_u64..10_000, part in 1_u64..99) {
        let timeout = Duration::from_secs(timeout);
        let warning = timeout.mul_f64(part as f64 / 100.0);
        let thresholds = LivenessThresholds {
            warning,
            ..LivenessThresholds::from_timeout(timeout)
        };
        let limits = ReleaseLimits::from_thresholds(&thresholds);
        let interval = warning / 4;
        let mut watch = ReleaseWatch::new(limits);
        let (hearing, taken, standing) = (Hearing::Behind, listed(&[1]), standing(1));
        let (mut now, mut found) = (at(0), false);
        while now <= at(0) + timeout && !found {
            if watch.heard(hearing, &standing, now) {
                found = watch.looked(hearing, &taken, &standing, now).surplus.is_some();
            }
            now = now + interval;
        }
        prop_assert!(found, "{limits:?}");
        prop_assert!(limits.refused_after > limits.overdue_after);
    }
}
