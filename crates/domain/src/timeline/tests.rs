//! What the timeline says of clocks that go steadily, jump and flap.

use proptest::prelude::*;

use super::*;

const DAY: u64 = 86_400;
const YEAR: u64 = 365 * DAY;
/// Some day in 2023.
const START: WallTime = WallTime::from_micros(1_700_000_000_000_000);

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A timeline whose wall clock is `ahead` (seconds, may be negative) from `from` on, read each
/// minute until `until`.
fn run(timeline: &mut Timeline, from: u64, until: u64, ahead: i64) {
    for second in (from..=until).step_by(60) {
        timeline.note(at(second), wall(second, ahead));
    }
}

fn wall(second: u64, ahead: i64) -> WallTime {
    let micros = i64::try_from(second).unwrap() + ahead;
    WallTime::from_micros(START.as_micros() + micros * 1_000_000)
}

#[test]
fn a_steady_clock_makes_one_span_that_ends_after_now() {
    let mut timeline = Timeline::starting_at(Timestamp::ZERO, START);
    run(&mut timeline, 0, 3_600, 0);
    let recent = timeline.recent(secs(600), at(3_600));
    assert!(!recent.contains(wall(2_999, 0)));
    assert!(recent.contains(wall(3_000, 0)));
    assert!(recent.contains(wall(3_700, 0)), "stamped a moment later");
    assert_eq!(timeline.age(wall(3_000, 0), at(3_600)), secs(600));
    assert_eq!(recent.past().len(), 2);
}

#[test]
fn a_clock_that_jumps_a_year_ahead_makes_nothing_old() {
    let mut timeline = Timeline::starting_at(Timestamp::ZERO, START);
    run(&mut timeline, 0, 600, 0);
    run(&mut timeline, 660, 1_200, YEAR as i64);
    let recent = timeline.recent(secs(30 * DAY), at(1_200));
    assert!(
        recent.contains(wall(300, 0)),
        "seen a quarter of an hour ago"
    );
    assert!(recent.contains(wall(900, YEAR as i64)));
    assert!(
        recent.contains(START - secs(29 * DAY)),
        "young at the start"
    );
    assert!(!recent.contains(START - secs(31 * DAY)), "old at the start");
    assert_eq!(timeline.age(wall(300, 0), at(1_200)), secs(900));
}

#[test]
fn a_clock_that_jumps_back_keeps_nothing_for_ever() {
    let back = -(20 * YEAR as i64);
    let mut timeline = Timeline::starting_at(Timestamp::ZERO, START);
    run(&mut timeline, 0, 600, 0);
    run(&mut timeline, 660, 40 * 3_600, back);
    let now = at(40 * 3_600);
    let recent = timeline.recent(secs(DAY), now);
    assert!(
        !recent.contains(wall(300, 0)),
        "dated twenty years ahead of the clock"
    );
    assert!(!recent.contains(wall(3_600, back)));
    assert!(recent.contains(wall(39 * 3_600, back)));
    assert_eq!(timeline.age(wall(300, 0), now), secs(40 * 3_600 - 300));
}

#[test]
fn a_row_from_before_the_start_ages_with_running_time() {
    let mut timeline = Timeline::starting_at(Timestamp::ZERO, START);
    run(&mut timeline, 0, 7_200, 0);
    let hour_before = START - secs(3_600);
    assert_eq!(timeline.age(hour_before, at(7_200)), secs(3 * 3_600));
    assert!(
        timeline
            .recent(secs(3 * 3_600), at(7_200))
            .contains(hour_before)
    );
    assert!(
        !timeline
            .recent(secs(3 * 3_600 - 1), at(7_200))
            .contains(hour_before)
    );
}

#[test]
fn a_row_dated_after_the_start_counts_as_written_at_the_start() {
    let mut timeline = Timeline::starting_at(Timestamp::ZERO, START);
    run(&mut timeline, 0, 2 * DAY, 0);
    let ahead = START + secs(50 * YEAR);
    assert_eq!(timeline.age(ahead, at(2 * DAY)), secs(2 * DAY));
    assert!(timeline.recent(secs(2 * DAY), at(2 * DAY)).contains(ahead));
    assert!(!timeline.recent(secs(DAY), at(2 * DAY)).contains(ahead));
}

#[test]
fn a_wall_time_that_was_shown_twice_is_the_younger_one() {
    let mut timeline = Timeline::starting_at(Timestamp::ZERO, START);
    run(&mut timeline, 0, 3_600, 0);
    run(&mut timeline, 3_660, 3_900, -3_600);
    assert_eq!(timeline.age(wall(120, 0), at(3_900)), secs(180));
    assert_eq!(timeline.age(wall(1_800, 0), at(3_900)), secs(2_100));
}

#[test]
fn a_clock_that_flaps_keeps_memory_and_statements_bounded_and_still_forgets() {
    let mut timeline = Timeline::starting_at(Timestamp::ZERO, START);
    let end = 60 * 20_000;
    for minute in 0..=20_000_u64 {
        let ahead = if minute % 2 == 0 { 0 } else { YEAR as i64 };
        timeline.note(at(minute * 60), wall(minute * 60, ahead));
    }
    assert!(timeline.past.len() <= MAX_STRETCHES);
    let recent = timeline.recent(secs(DAY), at(end));
    assert!(recent.spans.len() <= MAX_SPANS);
    assert!(recent.contains(wall(end - 600, YEAR as i64)) || recent.contains(wall(end - 600, 0)));
    assert!(!recent.contains(wall(60, YEAR as i64)), "two weeks ago");
    assert!(!recent.contains(wall(120, 0)), "two weeks ago");
}

#[test]
fn small_corrections_are_no_step_and_jumps_are() {
    let mut detector = StepDetector::starting_at(Duration::ZERO, START);
    let mut wall = START;
    for tick in 1..=36_000_u64 {
        // 500 ppm: what a time server slews by.
        wall = wall + Duration::from_micros(100_050);
        detector.note(Duration::from_millis(tick * 100), wall);
    }
    assert_eq!(detector.last(), None, "an hour of slewing");
    detector.note(secs(3_600), wall + secs(1));
    assert_eq!(detector.last(), None, "a leap second");
    detector.note(secs(3_601), wall + secs(3_602));
    let step = detector.last().unwrap();
    assert_eq!(step.count, 1);
    assert!(
        (3_599_000_000..=3_602_000_000).contains(&step.by_micros),
        "{step:?}"
    );
    detector.note(secs(3_602), wall - secs(YEAR));
    assert!(
        detector
            .last()
            .is_some_and(|step| step.count == 2 && step.by_micros < 0)
    );
}

#[test]
fn small_jumps_that_add_up_are_a_step() {
    let mut detector = StepDetector::starting_at(Duration::ZERO, START);
    for second in 1..=10 {
        detector.note(secs(second), START + secs(second * 2));
    }
    assert!(detector.last().is_some());
}

proptest! {
    /// Whatever the clock does, what this process stamped within a time is recent, and what is
    /// called recent and past covers every moment once.
    #[test]
    fn what_was_stamped_lately_is_recent(
        steps in proptest::collection::vec((1_u64..100_000, -3_000_000_i64..3_000_000), 1..60),
        within in 1_u64..1_000_000,
    ) {
        let mut timeline = Timeline::starting_at(Timestamp::ZERO, START);
        let (mut now, mut ahead) = (0, 0);
        let mut stamped = Vec::new();
        for (wait, jump) in steps {
            now += wait;
            ahead += jump;
            timeline.note(at(now), wall(now, ahead));
            stamped.push((now, wall(now, ahead)));
        }
        let recent = timeline.recent(secs(within), at(now));
        let past = recent.past();
        for (when, wall) in stamped {
            let age = timeline.age(wall, at(now));
            prop_assert!(age <= secs(now - when) + secs(2), "{age:?}, {} s", now - when);
            if now - when < within {
                prop_assert!(recent.contains(wall));
            }
            let is_past = past.iter().any(|span| span.first <= wall && wall <= span.last);
            prop_assert_ne!(is_past, recent.contains(wall));
        }
    }
}
