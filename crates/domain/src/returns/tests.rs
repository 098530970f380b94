//! Which returns count, how long a pause lasts, and what is due when.

use proptest::prelude::*;

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::handover::HandoverMode;
use crate::ids::Epoch;
use crate::ids::{AssignmentVersion, Incarnation};
use crate::return_timer::{Deadline, Due, ReturnTimer, deadline};
use crate::stream::{AssignReason, Assignment};
use crate::stream::{Place, Stream};
use crate::time::Timestamp;

const STREAM: StreamId = StreamId::new(7);

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn at(seconds: i64) -> WallTime {
    WallTime::from_micros(seconds * 1_000_000)
}

fn on(seconds: u64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn returned(by: &[&str]) -> Returns {
    let mut returns = None;
    for (worker, now) in by.iter().zip(0..) {
        let by = InstanceId::from(*worker);
        returns = Some(Returns::after(returns.as_ref(), STREAM, &by, None, at(now)));
    }
    returns.expect("somebody gave it back")
}

fn stream(returns: Option<Returns>) -> Stream {
    Stream {
        id: STREAM,
        name: "s".into(),
        url: None,
        labels: BTreeMap::new(),
        priority: 0,
        weight: 1,
        constraints: None,
        enabled: true,
        handoff: HandoverMode::Exclusive,
        created_at: at(0),
        deleted: false,
        returns: returns.map(Box::new),
        suspicion: None,
    }
}

fn owned(epoch: i64, since: i64) -> Place {
    Place::Assigned(Assignment {
        instance: "a".into(),
        epoch: Epoch::new(epoch),
        reason: AssignReason::Requested,
        delivered: Some(Incarnation::new(1)),
        version: AssignmentVersion::new(1),
        assigned_at: at(since),
        handover: None,
    })
}

fn waiting() -> Place {
    let (released_by, since) = (None, at(0));
    Place::Unclaimed { released_by, since }
}

#[test]
fn quick_releases_and_those_with_a_reason_count() {
    let policy = ReturnPolicy::default();
    for (owned, reason, counts) in [
        (0, None, true),
        (119, None, true),
        (120, None, false),
        (9_999, None, false),
        (9_999, Some("no signal"), true),
    ] {
        assert_eq!(policy.counts(seconds(owned), reason), counts, "{owned}");
    }
    assert!(policy.counts_not_run(seconds(299)));
    assert!(!policy.counts_not_run(seconds(300)));
}

#[test]
fn the_pause_doubles_from_a_second_to_minutes() {
    let pauses = [2, 3, 4, 5, 10, 11, 1_000, u32::MAX].map(|count| whole_pause(count).as_secs());
    assert_eq!(pauses, [1, 2, 4, 8, 256, 300, 300, 300]);
}

proptest! {
    #[test]
    fn jitter_shortens_a_pause_by_a_quarter_at_most(id in any::<i64>(), count in 1_u32..) {
        let (pause, whole) = (pause(StreamId::new(id), count), whole_pause(count));
        prop_assert!(pause <= whole && pause >= whole.mul_f64(0.749), "{pause:?} of {whole:?}");
        prop_assert_eq!(pause, super::pause(StreamId::new(id), count));
    }
}

#[test]
fn streams_that_failed_together_are_not_tried_together() {
    let pauses: BTreeSet<Duration> = (1..=100).map(|id| pause(StreamId::new(id), 9)).collect();
    assert!(pauses.len() > 90, "{} of 100 differ", pauses.len());
}

#[test]
fn a_first_return_does_not_pause_the_stream() {
    let first = returned(&["a"]);
    assert_eq!((first.count, first.is_paused()), (1, false));
    assert!(
        first.retry_at.is_some(),
        "only for the one that gave it back"
    );
    let second = returned(&["a", "b"]);
    assert_eq!((second.count, second.is_paused()), (2, true));
    let over = Returns {
        retry_at: None,
        ..second
    };
    assert!(!over.is_paused());
}

#[test]
fn the_newest_workers_are_remembered_once_each() {
    let names = |returns: &Returns| {
        let names = returns.workers.iter().map(ToString::to_string);
        names.collect::<Vec<_>>()
    };
    assert_eq!(names(&returned(&["a", "b", "a"])), ["b", "a"]);
    let many = ["1", "2", "3", "4", "5", "6", "7", "8", "9"];
    assert_eq!(names(&returned(&many)), many[1..]);
}

#[test]
fn the_last_reason_given_is_kept() {
    let give_back = |before: Option<&Returns>, reason: Option<&str>| {
        let reason = reason.map(Into::into);
        Returns::after(before, STREAM, &"a".into(), reason, at(0))
    };
    let first = give_back(None, Some("no signal"));
    let second = give_back(Some(&first), None);
    assert_eq!(second.reason.as_deref(), Some("no signal"));
    let third = give_back(Some(&second), Some("wrong password"));
    assert_eq!(third.reason.as_deref(), Some("wrong password"));
}

#[test]
fn what_is_due_follows_from_where_the_stream_is() {
    let policy = ReturnPolicy::default();
    let returns = returned(&["a", "b"]);
    let retry_at = returns.retry_at;
    let due = |returns: Option<Returns>, place: &Place| deadline(&stream(returns), place, &policy);
    assert_eq!(due(None, &owned(3, 5)), None, "it was never given back");
    let steady = Deadline {
        due: Due::Steady {
            epoch: Epoch::new(3),
        },
        at: at(305),
        within: seconds(300),
    };
    assert_eq!(due(Some(returns.clone()), &owned(3, 5)), Some(steady));
    let retry = due(Some(returns.clone()), &waiting()).expect("paused");
    assert_eq!(retry.due, Due::Retry { count: 2 });
    assert_eq!(Some(retry.at), retry_at);
    let over = Returns {
        retry_at: None,
        ..returns.clone()
    };
    assert_eq!(due(Some(over), &waiting()), None, "it waits for room");
    assert_eq!(due(Some(returns), &Place::Disabled), None);
}

fn retry(count: u32, at: WallTime) -> Deadline {
    Deadline {
        due: Due::Retry { count },
        at,
        within: seconds(8),
    }
}

#[test]
fn a_jump_of_the_clock_on_the_wall_moves_no_deadline() {
    let mut timer = ReturnTimer::default();
    timer.follow(STREAM, Some(retry(5, at(1_008))), on(0), at(1_000));
    // The clock goes back by a day; the stream is looked at again for another reason.
    timer.follow(STREAM, Some(retry(5, at(1_008))), on(3), at(-85_400));
    assert_eq!(timer.next_deadline(), Some(on(8)));
    // A start after such a jump waits for one pause, not for a day.
    let mut timer = ReturnTimer::default();
    timer.follow(STREAM, Some(retry(5, at(1_008))), on(0), at(-85_400));
    assert_eq!(timer.next_deadline(), Some(on(8)));
}

#[test]
fn what_is_due_is_due_again_until_it_is_done() {
    let mut timer = ReturnTimer::default();
    timer.follow(STREAM, Some(retry(2, at(4))), on(0), at(0));
    assert_eq!(timer.due(on(3)), []);
    let due = [(STREAM, Due::Retry { count: 2 })];
    assert_eq!(timer.due(on(4)), due);
    assert_eq!(timer.due(on(5)), [], "it is being saved");
    assert_eq!(timer.due(on(9)), due, "that came to nothing");
    timer.follow(STREAM, None, on(9), at(9));
    assert_eq!(timer.next_deadline(), None);
}

#[test]
fn a_new_epoch_is_a_new_trial() {
    let mut timer = ReturnTimer::default();
    let policy = ReturnPolicy::default();
    let stream = stream(Some(returned(&["a"])));
    let trial = |epoch, since| deadline(&stream, &owned(epoch, since), &policy);
    timer.follow(STREAM, trial(3, 0), on(0), at(0));
    timer.follow(STREAM, trial(4, 200), on(200), at(200));
    assert_eq!(timer.next_deadline(), Some(on(500)));
    let steady = Due::Steady {
        epoch: Epoch::new(4),
    };
    assert_eq!(timer.due(on(500)), [(STREAM, steady)]);
}
