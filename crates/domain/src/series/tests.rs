//! Rings that stay small, steps that add up, and clocks that jump.

use std::time::Duration;

use super::*;
use crate::time::WallTime;

/// A day that begins with a whole step of every length.
const DAY: i64 = 20_000 * 86_400;

fn at(seconds: i64) -> WallTime {
    WallTime::from_micros((DAY + seconds) * 1_000_000)
}

fn empty() -> SeriesHistory {
    SeriesHistory::new(Vec::new(), at(0), Counters::default())
}

/// `beats` heartbeats since the start, and `waiting` streams that wait.
fn sample(seconds: i64, beats: u64, waiting: usize) -> SeriesSample {
    SeriesSample {
        at: at(seconds),
        counters: Counters {
            heartbeats: beats,
            ..Counters::default()
        },
        levels: Levels {
            waiting,
            active_instances: 3,
            load_percentage: 12.5,
        },
    }
}

fn span(now: i64, from: i64, to: i64, step: u64) -> SeriesSpan {
    let step = Some(Duration::from_secs(step));
    SeriesSpan::new(at(now), Some(at(from)), Some(at(to)), step).unwrap()
}

/// The points as seconds and values.
fn points(history: &SeriesHistory, name: SeriesName, span: &SeriesSpan) -> Vec<(i64, f64)> {
    let points = history.points(name, span).into_iter();
    points
        .map(|(moment, value)| (moment.as_micros() / 1_000_000 - DAY, value))
        .collect()
}

use SeriesName::{Heartbeats, Instances, Load, Waiting};

#[test]
fn counts_are_added_up_and_levels_are_averaged() {
    let mut history = empty();
    for (seconds, beats, waiting) in [(5, 7, 1), (15, 10, 2), (25, 10, 9), (35, 11, 0)] {
        history.note(sample(seconds, beats, waiting));
    }
    let each = span(40, 0, 40, 10);
    assert_eq!(
        points(&history, Heartbeats, &each),
        [(0, 7.0), (10, 3.0), (20, 0.0), (30, 1.0)]
    );
    let longer = span(40, 0, 40, 30);
    assert_eq!(
        points(&history, Heartbeats, &longer),
        [(0, 10.0), (30, 1.0)]
    );
    assert_eq!(points(&history, Waiting, &longer), [(0, 4.0), (30, 0.0)]);
    assert_eq!(points(&history, Load, &longer), [(0, 12.5), (30, 12.5)]);
    assert_eq!(points(&history, Instances, &longer), [(0, 3.0), (30, 3.0)]);
}

#[test]
fn what_was_not_sampled_is_absent_and_no_zero() {
    let mut history = empty();
    history.note(sample(5, 1, 0));
    history.note(sample(95, 100, 0));
    assert_eq!(
        points(&history, Heartbeats, &span(100, 0, 100, 10)),
        [(0, 1.0), (90, 99.0)]
    );
    assert_eq!(points(&history, Heartbeats, &span(100, 10, 90, 10)), []);
}

#[test]
fn the_rings_hold_six_hours_and_seven_days_and_no_more() {
    let mut history = empty();
    let week = 7 * 86_400;
    for number in 0..(week + 86_400) / 10 {
        history.note(sample(number * 10 + 5, number as u64 + 1, 0));
    }
    let now = week + 86_400;
    let fine = points(&history, Heartbeats, &span(now, now - 6 * 3_600, now, 10));
    assert_eq!((fine.len(), fine[0]), (2_160, (now - 6 * 3_600, 1.0)));
    let coarse = points(&history, Heartbeats, &span(now, now - 2 * week, now, 3_600));
    assert_eq!((coarse.len(), coarse[0]), (7 * 24, (now - week, 360.0)));
    let kept: usize = Resolution::ALL.iter().map(|one| one.places()).sum();
    assert_eq!(history.take_unsaved().len(), kept);
}

#[test]
fn a_clock_that_goes_back_takes_its_points_along() {
    let mut history = empty();
    for (seconds, beats) in [(5, 1), (15, 2), (1_005, 3), (1_015, 4), (25, 5)] {
        history.note(sample(seconds, beats, 0));
    }
    assert_eq!(
        points(&history, Heartbeats, &span(1_100, 0, 1_100, 10)),
        [(0, 1.0), (10, 1.0), (20, 1.0)]
    );
}

#[test]
fn a_restart_goes_on_with_what_was_saved() {
    let mut history = empty();
    for (seconds, beats) in [(5, 10), (15, 30)] {
        history.note(sample(seconds, beats, 2));
    }
    let mut saved = history.take_unsaved();
    assert_eq!(saved.len(), 3, "two fine points and a coarse one");
    assert!(history.take_unsaved().is_empty());
    saved.reverse();
    let counted = Counters {
        heartbeats: 4,
        ..Counters::default()
    };
    let mut after = SeriesHistory::new(saved, at(50), counted);
    after.note(sample(55, 9, 8));
    assert_eq!(
        points(&after, Heartbeats, &span(60, 0, 60, 10)),
        [(0, 10.0), (10, 20.0), (50, 5.0)]
    );
    assert_eq!(
        points(&after, Waiting, &span(60, 0, 60, 300)),
        [(0, 4.0)],
        "the mean of three samples"
    );
    let unsaved = after.take_unsaved();
    assert_eq!(unsaved.len(), 2, "only what has grown is saved again");
    after.put_back(&unsaved);
    after.note(sample(65, 9, 8));
    assert_eq!(after.take_unsaved().len(), 3);
}

#[test]
fn saved_points_of_another_time_are_left_out() {
    let mut history = empty();
    history.note(sample(5, 1, 0));
    history.note(sample(1_005, 2, 0));
    let saved = history.take_unsaved();
    // The clock went back; later, the first point is too old.
    for (now, left) in [(10, 2), (8 * 86_400, 0)] {
        let mut after = SeriesHistory::new(saved.clone(), at(now), Counters::default());
        let found: usize = [10, 300]
            .map(|step| points(&after, Heartbeats, &span(10, 0, 400, step)).len())
            .iter()
            .sum();
        assert_eq!(found, left, "{now}");
        assert!(after.take_unsaved().is_empty());
    }
}

#[test]
fn a_place_is_used_again_by_the_point_that_replaces_it() {
    let mut history = empty();
    history.note(sample(5, 1, 0));
    history.note(sample(5 + 6 * 3_600, 1, 0));
    let places: Vec<i64> = history
        .take_unsaved()
        .iter()
        .map(SeriesPoint::place)
        .collect();
    let fine = i64::try_from(Resolution::Fine.places()).unwrap();
    let first = Resolution::Fine.slot(at(5)).rem_euclid(fine);
    assert_eq!(places[0], first, "the first point is gone from the ring");
    assert_eq!(places.len(), 3);
}

#[test]
fn a_span_says_what_is_wrong_with_it() {
    let now = 10 * 86_400;
    let fault = |from: i64, to: i64, step: u64| {
        let step = Some(Duration::from_secs(step));
        SeriesSpan::new(at(now), Some(at(from)), Some(at(to)), step).unwrap_err()
    };
    let hour_ago = now - 3_600;
    assert_eq!(fault(now, hour_ago, 10), SpanFault::FromAfterTo);
    assert_eq!(
        fault(hour_ago, now, 15),
        SpanFault::StepUneven {
            unit: Duration::from_secs(10)
        }
    );
    assert_eq!(fault(hour_ago, now, 86_410), SpanFault::StepTooLarge);
    assert!(matches!(
        fault(hour_ago, now, 9),
        SpanFault::StepTooSmall { .. }
    ));
    let old = fault(now - 7 * 3_600, now, 60);
    assert_eq!(
        (old.field(), old.to_string().as_str()),
        (
            "step",
            "must be at least 300 s, because `from` is more than 6 h ago; shorter points are not kept for so long",
        )
    );
    assert_eq!(
        fault(0, now, 300),
        SpanFault::TooManyPoints { points: 2_880 }
    );
    assert_eq!(fault(hour_ago, now, 0).field(), "step");
}

#[test]
fn a_step_is_chosen_if_none_is_given() {
    let now = at(10 * 86_400);
    let chosen = |back: u64| {
        let span = SeriesSpan::new(now, Some(now - Duration::from_secs(back)), None, None);
        let span = span.unwrap();
        (span.step().as_secs(), span.resolution())
    };
    use Resolution::{Coarse, Fine};
    assert_eq!(chosen(0), (10, Fine));
    assert_eq!(chosen(3_600), (10, Fine));
    assert_eq!(chosen(6 * 3_600), (60, Fine));
    assert_eq!(chosen(7 * 3_600), (300, Coarse));
    assert_eq!(chosen(7 * 86_400), (1_800, Coarse));
    let default = SeriesSpan::new(now, None, None, None).unwrap();
    assert_eq!(default.from(), now - DEFAULT_SPAN);
    let earliest = WallTime::from_micros(i64::MIN);
    assert!(SeriesSpan::new(now, Some(earliest), None, None).is_err());
}
