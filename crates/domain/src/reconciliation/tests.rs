//! What is done about a difference, and when.

use super::*;
use crate::ids::{Incarnation, StreamId};
use crate::instance::InstanceStatus;
use proptest::prelude::*;

const GRACE: u64 = 60;
const VERSION: i64 = 7;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn of(ids: &[i64]) -> StreamsDigest {
    StreamsDigest::of(ids.iter().copied().map(StreamId::new))
}

/// A leased instance that is to run these.
fn standing(ids: &[i64]) -> Standing {
    Standing {
        incarnation: Incarnation::new(1),
        status: InstanceStatus::Active,
        flaps: 0,
        silence_expected: false,
        assignment_version: AssignmentVersion::new(VERSION),
        held: ids.len(),
        owned: ids.len(),
        undelivered: 0,
        unconfirmed: 0,
        leased: true,
        lease: Duration::from_secs(240),
        withdrawn: None,
        releasing: 0,
        lingering: 0,
        exclusive: ids.len(),
        to_run: ids.len(),
        digest: of(ids),
        processors: None,
    }
}

fn report(ids: &[i64], version: Option<i64>) -> Report {
    Report {
        version: version.map(AssignmentVersion::new),
        digest: of(ids),
        count: ids.len() as u64,
    }
}

fn machine() -> ReconciliationMachine {
    ReconciliationMachine::new(Duration::from_secs(GRACE))
}

const TOLD: Option<AssignmentVersion> = Some(AssignmentVersion::new(VERSION));
const FIRST: Measure = Measure::Settle(Settling {
    is_new: true,
    told: TOLD,
});
const AGAIN: Measure = Measure::Settle(Settling {
    is_new: false,
    told: TOLD,
});

/// Every 30 s a heartbeat that says these run, of 1 to 4; each is settled at once.
fn run(beats: &[&[i64]]) -> Vec<Measure> {
    let (mut machine, standing) = (machine(), standing(&[1, 2, 3, 4]));
    let mut measures = Vec::new();
    for (beat, now) in beats.iter().zip((0..).step_by(30)) {
        let measure = machine.heard(&report(beat, Some(VERSION)), &standing, at(now));
        if let Measure::Settle(_) = measure {
            machine.settled(TOLD, true, at(now));
        }
        measures.push(measure);
    }
    measures
}

/// What it shows, what runs at each heartbeat, and what is done.
type Case<'a> = (&'a str, &'a [&'a [i64]], &'a [Measure]);

#[test]
fn a_difference_that_lasts_is_told_again_and_then_settled_each_grace() {
    use Measure::{None, Resync};
    let (all, less): (&[i64], &[i64]) = (&[1, 2, 3, 4], &[1, 2]);
    let (more, other): (&[i64], &[i64]) = (&[1, 2, 3, 4, 5], &[1, 2, 3, 5]);
    let told: &[Case<'_>] = &[
        ("in step", &[all, all, all], &[None, None, None]),
        ("for a moment", &[less, less, all, less], &[None; 4]),
        (
            "missing",
            &[less; 9],
            &[None, None, Resync, Resync, FIRST, None, AGAIN, None, AGAIN],
        ),
        ("too many", &[more; 5], &[None, None, Resync, Resync, FIRST]),
        (
            "one instead of the other",
            &[other; 5],
            &[None, None, Resync, Resync, FIRST],
        ),
        (
            "it helps to be told",
            &[less, less, less, all, less, less],
            &[None, None, Resync, None, None, None],
        ),
        (
            "now and then",
            &[less, all, less, all, less, all, less],
            &[None; 7],
        ),
        (
            "it starts one after the other",
            &[&[], &[1], &[1], &[1, 2], &[1, 2], &[1, 2, 3], all],
            &[None; 7],
        ),
        (
            "in step for a moment only, after it was reported",
            &[less, less, less, less, less, all, less, less, all, less],
            &[
                None, None, Resync, Resync, FIRST, None, AGAIN, None, None, AGAIN,
            ],
        ),
        (
            "in step for good, and another time out of it",
            &[
                less, less, less, less, less, all, all, all, less, less, less, less, less,
            ],
            &[
                None, None, Resync, Resync, FIRST, None, None, None, None, None, Resync, Resync,
                FIRST,
            ],
        ),
    ];
    for (name, beats, expected) in told {
        assert_eq!(run(beats), *expected, "{name}");
    }
}

#[test]
fn what_is_on_its_way_is_no_difference() {
    let mut leased = standing(&[1, 2]);
    let mut classic = Standing {
        leased: false,
        ..leased
    };
    let judged = |standing: &Standing, version| report(&[1], version).is_judged(standing);
    assert!(judged(&leased, Some(VERSION)));
    assert!(!judged(&leased, Some(VERSION - 1)), "behind");
    assert!(!judged(&leased, Some(VERSION + 1)), "from the future");
    assert!(!judged(&leased, Some(0)), "asks for all");
    assert!(!judged(&leased, None), "about to stop something");
    assert!(judged(&classic, None));
    assert!(judged(&classic, Some(VERSION)));
    classic.unconfirmed = 1;
    assert!(!judged(&classic, None), "it was not told of all");
    leased.unconfirmed = 1;
    assert!(judged(&leased, Some(VERSION)), "it has the version");

    // A heartbeat that is not judged neither begins nor ends anything.
    let mut machine = machine();
    let should = standing(&[1, 2]);
    machine.heard(&report(&[1], Some(VERSION)), &should, at(0));
    machine.heard(&report(&[1, 2], Some(VERSION - 1)), &should, at(30));
    machine.heard(&report(&[1, 2], None), &should, at(45));
    let measure = machine.heard(&report(&[1], Some(VERSION)), &should, at(60));
    assert_eq!(measure, Measure::Resync);
}

#[test]
fn until_it_is_saved_it_is_settled_with_each_heartbeat() {
    let (mut machine, should) = (machine(), standing(&[1, 2]));
    let beat = report(&[1], Some(VERSION));
    machine.heard(&beat, &should, at(0));
    assert_eq!(machine.heard(&beat, &should, at(60)), Measure::Resync);
    assert_eq!(machine.heard(&beat, &should, at(120)), FIRST);
    assert_eq!(machine.heard(&beat, &should, at(121)), FIRST);
    // What differed was on its way, as those who look closer say.
    machine.settled(TOLD, false, at(122));
    assert_eq!(machine.heard(&beat, &should, at(150)), Measure::None);
    assert_eq!(machine.heard(&beat, &should, at(182)), Measure::Resync);
    assert_eq!(machine.heard(&beat, &should, at(242)), FIRST);
    machine.settled(TOLD, true, at(243));
    assert!(!machine.is_in_step());
    machine.forget();
    assert!(machine.is_in_step());
    machine.settled(TOLD, true, at(244));
    assert!(machine.is_in_step(), "too late");
}

#[test]
fn who_cannot_be_told_is_settled_with_nothing_told() {
    let (mut machine, mut should) = (machine(), standing(&[1, 2]));
    should.leased = false;
    let beat = report(&[1], None);
    machine.heard(&beat, &should, at(0));
    machine.heard(&beat, &should, at(60));
    let expected = Measure::Settle(Settling {
        is_new: true,
        told: None,
    });
    assert_eq!(machine.heard(&beat, &should, at(120)), expected);
}

proptest! {
    /// Nothing is done before a difference has lasted for a grace, nothing is settled before it was
    /// told again for another, and each time out of step is new once.
    #[test]
    fn no_measure_comes_early(
        beats in proptest::collection::vec((1_u64..40, 0_usize..6, 0_usize..8), 1..120)
    ) {
        let sets: [&[i64]; 6] = [&[], &[1], &[1, 2], &[1, 2, 3], &[1, 2, 3, 4], &[1, 2, 3, 5]];
        let (mut machine, should) = (machine(), standing(&[1, 2, 3]));
        let (mut now, mut out_since, mut told_since) = (0, None, None);
        let (mut is_settled, mut last_out) = (false, 0);
        for (step, set, version) in beats {
            now += step;
            // One in eight is behind.
            let version = VERSION - i64::from(version == 0);
            let beat = report(sets[set], Some(version));
            let measure = machine.heard(&beat, &should, at(now));
            if version != VERSION {
                prop_assert_eq!(measure, Measure::None);
                continue;
            }
            if sets[set] == [1, 2, 3] {
                prop_assert_eq!(measure, Measure::None);
                (out_since, told_since) = (None, None);
                if is_settled && machine.is_in_step() {
                    prop_assert!(now >= last_out + GRACE);
                    is_settled = false;
                }
                continue;
            }
            last_out = now;
            prop_assert!(!machine.is_in_step());
            let since = *out_since.get_or_insert(now);
            match measure {
                Measure::None => {}
                Measure::Resync => {
                    prop_assert!(!is_settled && now >= since + GRACE);
                    told_since.get_or_insert(now);
                }
                Measure::Settle(settling) => {
                    prop_assert_eq!(settling.is_new, !is_settled);
                    if settling.is_new {
                        prop_assert!(now >= told_since.unwrap() + GRACE);
                        prop_assert!(now >= since + 2 * GRACE);
                    }
                    machine.settled(TOLD, true, at(now));
                    is_settled = true;
                }
            }
        }
    }
}
