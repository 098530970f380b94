//! The brake: tables for the formula and the states, properties for what must hold whatever
//! comes.

use std::collections::BTreeSet;

use std::time::Duration;

use super::*;
use crate::ids::{Incarnation, InstanceId};
use crate::instance::InstanceStatus;
use crate::settings::Fraction;
use crate::settings::{LivenessThresholds, MassFailureSettings};
use crate::time::Timestamp;
use proptest::prelude::*;

const TIMEOUT: u64 = 300;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn brake() -> Brake {
    Brake::new(
        MassFailureSettings::default(),
        LivenessThresholds::default(),
    )
}

fn sighting(last_beat: u64) -> Sighting {
    Sighting {
        incarnation: Incarnation::new(1),
        status: InstanceStatus::Active,
        held: 0,
        last_beat: at(last_beat),
        serving_since: at(0),
    }
}

fn name(number: usize) -> InstanceId {
    InstanceId::new(format!("i{number:05}"))
}

/// `silent` instances that last beat at `last_beat`, `beating` that beat just now.
fn fleet(silent: usize, last_beat: u64, beating: usize, now: u64) -> Vec<(InstanceId, Sighting)> {
    let silent = std::iter::repeat_n(sighting(last_beat), silent);
    let all = silent.chain(std::iter::repeat_n(sighting(now), beating));
    all.enumerate()
        .map(|(number, one)| (name(number), one))
        .collect()
}

fn seen(fleet: &[(InstanceId, Sighting)]) -> Vec<Sighting> {
    fleet.iter().map(|(_, one)| *one).collect()
}

/// A brake that engaged at 300 s for 6 of 10 that last beat at 0 s.
fn engaged() -> (Brake, Vec<(InstanceId, Sighting)>) {
    let (mut brake, fleet) = (brake(), fleet(6, 0, 4, TIMEOUT));
    let verdict = brake.expired(&name(0), at(0), at(TIMEOUT), || seen(&fleet));
    let census = Census {
        late: 6,
        active: 10,
    };
    assert_eq!(verdict, Verdict::Engaged(census));
    (brake, fleet)
}

#[test]
fn a_mass_is_at_least_three_and_more_than_half() {
    for (silent, beating, is_held) in [
        (1, 0, false),
        (2, 0, false),
        (3, 0, true),
        (3, 2, true),
        (3, 3, false),
        (5, 5, false),
        (6, 5, true),
        (5_000, 5_000, false),
        (5_001, 5_000, true),
    ] {
        let fleet = fleet(silent, 0, beating, TIMEOUT);
        let verdict = brake().expired(&name(0), at(0), at(TIMEOUT), || seen(&fleet));
        let engaged = matches!(verdict, Verdict::Engaged(_));
        assert_eq!(engaged, is_held, "{silent} silent, {beating} beating");
    }
}

#[test]
fn who_serves_and_was_there_a_timeout_ago_is_counted() {
    let now = 1_000;
    let thresholds = LivenessThresholds::default();
    let table = [
        ("beats", sighting(now), (0, 1)),
        ("late exactly now", sighting(now - 120), (1, 1)),
        ("not late yet", sighting(now - 119), (0, 1)),
        (
            "silent for less than two timeouts",
            sighting(now - 599),
            (1, 1),
        ),
        ("given up long ago", sighting(now - 600), (0, 0)),
        (
            "registered before the silence was noticed",
            Sighting {
                serving_since: at(now - 180),
                ..sighting(now)
            },
            (0, 1),
        ),
        (
            "a replacement, registered after",
            Sighting {
                serving_since: at(now - 179),
                ..sighting(now)
            },
            (0, 0),
        ),
        (
            "registered a short while ago, and late",
            Sighting {
                serving_since: at(now - 130),
                ..sighting(now - 130)
            },
            (1, 1),
        ),
    ];
    for (what, one, expected) in table {
        let census = count(&thresholds, None, at(now), &[one]);
        assert_eq!((census.late, census.active), expected, "{what}");
    }
    for status in InstanceStatus::ALL {
        let one = Sighting {
            status,
            ..sighting(now - 130)
        };
        let census = count(&thresholds, None, at(now), &[one]);
        let counts = usize::from(status.is_serving());
        assert_eq!((census.late, census.active), (counts, counts), "{status}");
    }
    let old = count(&thresholds, Some(at(870)), at(now), &[sighting(870)]);
    assert_eq!(old, Census::default(), "held once already");
}

#[test]
fn a_ratio_of_one_holds_nothing_and_a_ratio_of_zero_asks_only_for_the_minimum() {
    let settings = |ratio| MassFailureSettings {
        ratio: Fraction::new(ratio).unwrap(),
        ..MassFailureSettings::default()
    };
    let census = |late, active| Census { late, active };
    assert!(!is_mass(&settings(1.0), census(1_000, 1_000)));
    assert!(is_mass(&settings(0.0), census(3, 1_000_000)));
    assert!(!is_mass(&settings(0.0), census(2, 2)));
}

#[test]
fn a_mass_that_stays_silent_is_released_most_loaded_first_and_never_held_again() {
    let (mut brake, mut fleet) = engaged();
    for (number, (_, one)) in fleet.iter_mut().enumerate() {
        one.held = [3, 9, 1, 9, 0, 5, 7, 7, 7, 7][number];
    }
    for second in 0..30 {
        let look = brake.look(at(300 + second), || fleet.clone());
        assert_eq!(look, Look::default(), "after {second} s");
        let verdict = brake.expired(&name(5), at(0), at(300 + second), || seen(&fleet));
        assert_eq!(verdict, Verdict::Held);
    }
    assert_eq!(brake.next_deadline(), Some(at(330)));
    let look = brake.look(at(330), || fleet.clone());
    assert_eq!(look.ended, Some((Ending::TimeOver, 6)));
    let mut order = look.due;
    assert_eq!(brake.phase(), Phase::Releasing);
    let queued = brake.expired(&name(4), at(0), at(330), || seen(&fleet));
    assert_eq!(queued, Verdict::Held, "its turn comes");
    while let Some(deadline) = brake.next_deadline() {
        order.extend(brake.look(deadline, || fleet.clone()).due);
    }
    let names: Vec<_> = order.iter().map(|(id, _)| id.clone()).collect();
    assert_eq!(names, [1, 3, 5, 0, 2, 4].map(name));
    for (id, _) in &order {
        let again = brake.expired(id, at(0), at(400), || seen(&fleet));
        assert_eq!(again, Verdict::Proceed, "no endless hold");
    }
    assert_eq!(brake.phase(), Phase::Open);
}

#[test]
fn a_hold_is_over_when_everybody_beats_again_and_a_new_mass_is_held_anew() {
    let (mut brake, mut fleet) = engaged();
    for (_, one) in &mut fleet {
        one.last_beat = at(310);
    }
    let look = brake.look(at(311), || fleet.clone());
    assert_eq!(look.ended, Some((Ending::NobodySilent, 0)));
    assert_eq!(brake.phase(), Phase::Open);
    let verdict = brake.expired(&name(0), at(310), at(610), || seen(&fleet));
    assert!(matches!(verdict, Verdict::Engaged(_)), "{verdict:?}");
}

#[test]
fn who_beat_during_the_hold_and_falls_silent_later_is_outside() {
    let (mut brake, mut fleet) = engaged();
    brake
        .order(Order::Prolong(MAX_PROLONGATION), at(301))
        .unwrap();
    fleet[0].1.last_beat = at(310);
    for one in fleet.iter_mut().skip(6) {
        one.1.last_beat = at(610);
    }
    let own = brake.expired(&name(0), at(310), at(610), || seen(&fleet));
    assert_eq!(own, Verdict::Proceed);
    let mass = brake.expired(&name(1), at(0), at(610), || seen(&fleet));
    assert_eq!(mass, Verdict::Held);
}

#[test]
fn newcomers_that_are_a_mass_themselves_join_and_the_end_stays_where_it_is() {
    let (mut brake, mut fleet) = engaged();
    brake
        .order(Order::Prolong(MAX_PROLONGATION), at(300))
        .unwrap();
    let until = brake.engagement().unwrap().until;
    for (_, one) in fleet.iter_mut().skip(1) {
        one.last_beat = at(310);
    }
    let joined = brake.expired(&name(1), at(310), at(610), || seen(&fleet));
    assert_eq!(joined, Verdict::Held);
    let next = brake.expired(&name(2), at(310), at(610), Vec::new);
    assert_eq!(next, Verdict::Held);
    assert_eq!(brake.engagement().unwrap().until, until, "not a new hold");
}

#[test]
fn operators_release_and_prolong_what_is_held() {
    let mut open = brake();
    for order in [Order::Release, Order::Prolong(LOOK_INTERVAL)] {
        assert_eq!(open.order(order, at(1)), Err(OrderRefused::NothingHeld));
    }

    let (mut brake, fleet) = engaged();
    brake
        .order(Order::Prolong(Duration::from_secs(60)), at(310))
        .unwrap();
    let engagement = brake.engagement().unwrap();
    assert_eq!(engagement.until, at(390), "30 s and 60 s");
    assert!(engagement.is_prolonged);
    brake
        .order(Order::Prolong(MAX_PROLONGATION), at(320))
        .unwrap();
    let until = brake.engagement().unwrap().until;
    assert_eq!(until, at(320) + MAX_PROLONGATION, "bounded");

    brake.order(Order::Release, at(330)).unwrap();
    let look = brake.look(at(330), || fleet.clone());
    assert_eq!(look.ended, Some((Ending::Released, 6)));
    assert_eq!(look.due, [(name(0), Incarnation::new(1))]);
    let again = brake.order(Order::Release, at(330));
    assert_eq!(again, Err(OrderRefused::AlreadyReleased));

    brake
        .order(Order::Prolong(Duration::from_secs(10)), at(331))
        .unwrap();
    assert_eq!(brake.phase(), Phase::Held, "second thoughts");
    assert_eq!(brake.look(at(340), || fleet.clone()), Look::default());
    let look = brake.look(at(341), || fleet);
    assert_eq!(look.ended.map(|(why, _)| why), Some(Ending::TimeOver));
}

#[test]
fn many_expiries_at_once_are_counted_once() {
    let fleet = fleet(4_000, 0, 6_000, TIMEOUT);
    let (mut brake, mut counts) = (brake(), 0);
    for (id, _) in fleet.iter().take(4_000) {
        let verdict = brake.expired(id, at(0), at(TIMEOUT), || {
            counts += 1;
            seen(&fleet)
        });
        assert_eq!(verdict, Verdict::Proceed);
    }
    assert_eq!(counts, 1);
}

#[test]
fn who_is_late_and_not_silent_when_the_hold_ends_is_recovered_at_its_own_timeout() {
    let (mut brake, mut fleet) = engaged();
    fleet[6].1.last_beat = at(100);
    let look = brake.look(at(330), || fleet.clone());
    assert_eq!(look.ended, Some((Ending::TimeOver, 6)), "one is only late");
    while let Some(deadline) = brake.next_deadline() {
        let due = brake.look(deadline, || fleet.clone()).due;
        assert!(!due.contains(&(name(6), Incarnation::new(1))));
    }
    let verdict = brake.expired(&name(6), at(100), at(400), || seen(&fleet));
    assert_eq!(verdict, Verdict::Proceed);
}

/// With a timeout of 30 s: six of ten that last beat at 0 s were held from 30 s and are released
/// from 60 s on; the four others last beat at 31 s. How many were released by 61 s.
fn releasing() -> (Brake, Vec<(InstanceId, Sighting)>, usize) {
    let thresholds = LivenessThresholds::from_timeout(Duration::from_secs(30));
    let mut brake = Brake::new(MassFailureSettings::default(), thresholds);
    let mut fleet = fleet(6, 0, 4, 30);
    let verdict = brake.expired(&name(0), at(0), at(30), || seen(&fleet));
    assert!(matches!(verdict, Verdict::Engaged(_)), "{verdict:?}");
    for (_, one) in fleet.iter_mut().skip(6) {
        one.last_beat = at(31);
    }
    let look = brake.look(at(60), || fleet.clone());
    assert_eq!(look.ended, Some((Ending::TimeOver, 6)));
    let released = look.due.len() + brake.look(at(61), || fleet.clone()).due.len();
    assert_eq!((released, brake.phase()), (2, Phase::Releasing));
    (brake, fleet, released)
}

#[test]
fn a_mass_that_falls_silent_while_an_earlier_one_is_released_has_a_hold_of_its_own() {
    let (mut brake, fleet, mut released) = releasing();
    let verdict = brake.expired(&name(6), at(31), at(61), || seen(&fleet));
    let census = Census { late: 4, active: 4 };
    assert_eq!(
        verdict,
        Verdict::Engaged(census),
        "the first mass is counted once"
    );
    assert_eq!(brake.phase(), Phase::Held);
    let engagement = brake.engagement().unwrap();
    assert_eq!((engagement.since, engagement.until), (at(61), at(91)));
    assert_eq!(engagement.waiting, 4 + 4, "both masses");
    for (number, verdict) in [
        (5, Verdict::Held),
        (7, Verdict::Held),
        (0, Verdict::Proceed),
    ] {
        let (id, one) = &fleet[number];
        let again = brake.expired(id, one.last_beat, at(61), || seen(&fleet));
        assert_eq!(again, verdict, "{id}");
    }
    for second in 62..91 {
        let look = brake.look(at(second), || fleet.clone());
        assert_eq!(look.ended, None, "after {second} s");
        released += look.due.len();
        let is_over = second >= 65;
        assert_eq!(released == 6, is_over, "the release goes on beside it");
    }
    let look = brake.look(at(91), || fleet.clone());
    assert_eq!(look.ended, Some((Ending::TimeOver, 4)));
    released += look.due.len();
    while let Some(deadline) = brake.next_deadline() {
        assert!(deadline < at(91 + 20));
        released += brake.look(deadline, || fleet.clone()).due.len();
    }
    assert_eq!(released, 10, "nobody is lost");
}

#[test]
fn releasing_a_second_hold_does_not_hurry_the_first_release() {
    let (mut brake, fleet, released) = releasing();
    brake.expired(&name(6), at(31), at(61), || seen(&fleet));
    brake.order(Order::Release, at(61)).unwrap();
    let look = brake.look(at(61), || fleet.clone());
    assert_eq!(look.ended, Some((Ending::Released, 4)));
    assert_eq!(look.due, [(name(6), Incarnation::new(1))]);
    assert_eq!(brake.engagement().unwrap().waiting, 10 - released - 1);
    assert_eq!(brake.phase(), Phase::Releasing);
}

#[test]
fn prolonging_a_second_hold_calls_the_first_release_back() {
    let (mut brake, mut fleet, released) = releasing();
    brake.expired(&name(6), at(31), at(61), || seen(&fleet));
    for (_, one) in fleet.iter_mut().take(released) {
        one.status = InstanceStatus::Failed;
    }
    brake
        .order(Order::Prolong(Duration::from_secs(60)), at(62))
        .unwrap();
    assert_eq!(brake.look(at(62), || fleet.clone()), Look::default());
    let engagement = brake.engagement().unwrap();
    assert_eq!((engagement.since, engagement.until), (at(30), at(151)));
    assert_eq!(engagement.waiting, 8, "all that was not recovered yet");
    for (id, one) in fleet.iter().skip(released) {
        let verdict = brake.expired(id, one.last_beat, at(70), || seen(&fleet));
        assert_eq!(verdict, Verdict::Held, "{id}");
    }
    let look = brake.look(at(151), || fleet.clone());
    assert_eq!(look.ended, Some((Ending::TimeOver, 8)));
}

proptest! {
    #[test]
    fn a_whole_mass_of_any_size_is_released_once_each_within_the_window(
        loads in prop::collection::vec(0_usize..9, 3..3_000),
        lag_ms in 0_u64..300,
    ) {
        let fleet: Vec<_> = loads
            .iter()
            .enumerate()
            .map(|(number, held)| (name(number), Sighting { held: *held, ..sighting(0) }))
            .collect();
        let mut brake = brake();
        brake.expired(&name(0), at(0), at(TIMEOUT), || seen(&fleet));
        let mut released = Vec::new();
        while let Some(deadline) = brake.next_deadline() {
            let now = deadline + Duration::from_millis(lag_ms);
            prop_assert!(now.since(at(330)) < Duration::from_secs(17), "{:?}", now);
            let due = brake.look(now, || fleet.clone()).due;
            prop_assert!(due.len() <= loads.len() / 10 + 1, "a bounded rate");
            released.extend(due.into_iter().map(|(id, _)| id));
        }
        prop_assert_eq!(brake.phase(), Phase::Open);
        let load_of = |id: &InstanceId| fleet.iter().find(|(one, _)| one == id).unwrap().1.held;
        prop_assert!(released.is_sorted_by_key(|id| std::cmp::Reverse(load_of(id))));
        released.sort();
        let all: Vec<_> = fleet.into_iter().map(|(id, _)| id).collect();
        prop_assert_eq!(released, all);
    }

    /// Whoever beats, expires, orders and looks: without orders every hold ends in time, and a
    /// silence that was held is never held again after its release.
    #[test]
    fn it_always_ends_by_itself(
        steps in prop::collection::vec((0_u64..40, 0_usize..8, 0_u8..4), 1..300),
    ) {
        let mut brake = brake();
        let mut fleet = fleet(8, 0, 0, 0);
        let (mut now, mut busy_since) = (0, None::<u64>);
        let mut released: BTreeSet<(InstanceId, Timestamp)> = BTreeSet::new();
        for (wait, number, deed) in steps {
            let target = now + wait;
            while let Some(deadline) = brake.next_deadline().filter(|next| *next <= at(target)) {
                for (id, _) in brake.look(deadline, || fleet.clone()).due {
                    let one = fleet.iter().find(|(other, _)| *other == id).unwrap();
                    // Who beat while it waited for its turn is left alone by the fence.
                    if deadline.since(one.1.last_beat) >= Duration::from_secs(TIMEOUT) {
                        released.insert((id, one.1.last_beat));
                    }
                }
            }
            now = target;
            if brake.phase() == Phase::Open {
                busy_since = None;
            }
            match deed {
                0 => fleet[number].1.last_beat = at(now),
                1 => { brake.look(at(now), || fleet.clone()); }
                _ => {
                    for (id, one) in fleet.clone() {
                        if at(now).since(one.last_beat) < Duration::from_secs(TIMEOUT) {
                            continue;
                        }
                        let verdict = brake.expired(&id, one.last_beat, at(now), || seen(&fleet));
                        let is_old = released.contains(&(id, one.last_beat));
                        prop_assert!(!is_old || verdict == Verdict::Proceed, "{:?}", verdict);
                    }
                }
            }
            if brake.phase() != Phase::Open {
                let since = *busy_since.get_or_insert(now);
                prop_assert!(now - since <= 50, "busy since {} at {}", since, now);
            }
        }
    }

    /// Whatever is beaten, ordered and looked at: as soon as nobody beats or orders any more,
    /// everybody who was silent is given back, and nobody is held for ever.
    #[test]
    fn nobody_who_was_held_is_lost(
        steps in prop::collection::vec((0_u64..20, 0_usize..12, 0_u8..40), 1..200),
    ) {
        // Shorter than a hold and a release, so that masses meet.
        let thresholds = LivenessThresholds::from_timeout(SHORT);
        let mut brake = Brake::new(MassFailureSettings::default(), thresholds);
        let mut fleet = fleet(12, 0, 0, 0);
        let mut now = 0;
        for (wait, number, deed) in steps {
            for _ in 0..wait {
                now += 1;
                live_a_second(&mut brake, &mut fleet, now, number % 3 == 0);
            }
            let order = match deed {
                0..=35 => {
                    // A failed one returns.
                    fleet[number].1.status = InstanceStatus::Active;
                    fleet[number].1.last_beat = at(now);
                    continue;
                }
                36..=37 => Order::Release,
                38 => Order::Prolong(Duration::from_secs(40)),
                _ => Order::Prolong(MAX_PROLONGATION),
            };
            let before = brake.phase();
            let refused = brake.order(order, at(now)).is_err();
            prop_assert_eq!(refused, match order {
                Order::Release => before != Phase::Held,
                Order::Prolong(_) => before == Phase::Open,
            });
        }
        // The longest hold, the timeout of who beat last, a hold of its own, a release.
        for _ in 0..3_600 + 30 + 30 + 20 {
            now += 1;
            live_a_second(&mut brake, &mut fleet, now, true);
        }
        prop_assert_eq!(brake.phase(), Phase::Open);
        for (id, one) in &fleet {
            prop_assert_eq!(one.status, InstanceStatus::Failed, "{} was forgotten", id);
        }
    }
}

const SHORT: Duration = Duration::from_secs(30);

/// Looks, fails whoever is given back and still silent, and asks for all who are silent.
fn live_a_second(
    brake: &mut Brake,
    fleet: &mut [(InstanceId, Sighting)],
    now: u64,
    is_swept: bool,
) {
    let is_silent =
        |one: &Sighting| one.status.is_serving() && at(now).since(one.last_beat) >= SHORT;
    for (id, _) in brake.look(at(now), || fleet.to_vec()).due {
        let found = fleet.iter_mut().find(|(other, _)| *other == id);
        if let Some((_, one)) = found.filter(|(_, one)| is_silent(one)) {
            one.status = InstanceStatus::Failed;
        }
    }
    for number in 0..fleet.len() {
        let (id, one) = fleet[number].clone();
        // An expiry is noticed when it comes; the sweep only finds what was missed.
        let is_expiring = at(now).since(one.last_beat) == SHORT;
        if !is_silent(&one) || !(is_swept || is_expiring) {
            continue;
        }
        let verdict = brake.expired(&id, one.last_beat, at(now), || seen(fleet));
        if verdict == Verdict::Proceed {
            fleet[number].1.status = InstanceStatus::Failed;
        }
    }
}
