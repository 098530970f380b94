//! Calls that take their time, and heartbeats beside them.

use super::*;

#[test]
fn a_slow_call_costs_no_other_stream_its_lease() {
    let mut machine = living(vec![stream(1, 11), stream(2, 12)]);
    all(&mut machine, at(10));
    let told = difference(2, vec![stream(3, 13)], vec![1]);
    answer(&mut machine, at(10), told, 0.0);
    assert_eq!(one(&mut machine, at(10)), "stop 1@11 Revoked");
    assert_eq!(one(&mut machine, at(10)), "rest");
    // It is still stopping: that is not confirmed, and nothing is started.
    for second in [20, 30] {
        assert_eq!(machine.next_deadline(), Some(at(second)));
        assert_eq!(one(&mut machine, at(second)), "beat v? [1, 2]");
        answer(&mut machine, at(second), beat(2, None), 0.0);
        assert_eq!(machine.stop_at(), at(second + 90));
        assert_eq!(one(&mut machine, at(second)), "rest");
    }
    machine.done(Outcome::Done);
    assert_eq!(one(&mut machine, at(31)), "start 3@13");
    assert_eq!(one(&mut machine, at(31)), "rest");
    machine.done(Outcome::Done);
    assert_eq!(one(&mut machine, at(31)), "beat v2 [2, 3]", "at once");
}

#[test]
fn a_call_that_hangs_ends_the_heartbeats() {
    let mut machine = living(vec![stream(1, 11), stream(2, 12)]);
    machine.give_back(1);
    assert_eq!(one(&mut machine, at(1)), "stop 1@11 GivenBack");
    let mut last = 0;
    for second in 2..300 {
        if one(&mut machine, at(second)).starts_with("beat") {
            last = second;
            answer(&mut machine, at(second), beat(1, None), 0.0);
        }
    }
    assert_eq!(last, 90, "nine tenths of a lease after it began");
    assert!(machine.stop_at() < at(300));
    assert_eq!(machine.next_deadline(), None);
    // It comes back after all: what is left is stopped before anything else.
    machine.done(Outcome::Done);
    assert_eq!(one(&mut machine, at(300)), "stop 2@12 LeaseEnded");
    machine.done(Outcome::Done);
    assert_eq!(one(&mut machine, at(300)), "beat v1 []");
}

#[test]
fn who_leaves_keeps_its_lease_until_all_is_stopped() {
    let mut machine = living(vec![stream(1, 11)]);
    machine.leave();
    assert_eq!(one(&mut machine, at(5)), "stop 1@11 Leaving");
    assert_eq!(one(&mut machine, at(10)), "beat v? [1]");
    answer(&mut machine, at(10), beat(1, None), 0.0);
    machine.done(Outcome::Done);
    assert_eq!(one(&mut machine, at(11)), "leave [1]");
}

#[test]
fn a_start_that_came_too_late_is_made_up_for() {
    let mut machine = living(vec![]);
    all(&mut machine, at(10));
    answer(
        &mut machine,
        at(10),
        difference(2, vec![stream(1, 11)], vec![]),
        0.0,
    );
    assert_eq!(one(&mut machine, at(10)), "start 1@11");
    machine.done(Outcome::TooLate);
    assert_eq!(one(&mut machine, at(100)), "beat v2 []");
    answer(&mut machine, at(100), beat(2, None), 0.0);
    assert_eq!(one(&mut machine, at(100)), "start 1@11");
}

#[test]
fn what_is_revoked_or_changed_during_a_call_is_done_after_it() {
    let mut machine = living(vec![]);
    all(&mut machine, at(10));
    answer(
        &mut machine,
        at(10),
        difference(2, vec![stream(1, 11)], vec![]),
        0.0,
    );
    assert_eq!(one(&mut machine, at(10)), "start 1@11");
    assert_eq!(one(&mut machine, at(20)), "beat v2 [1]");
    answer(
        &mut machine,
        at(20),
        difference(3, vec![stream(1, 12)], vec![]),
        0.0,
    );
    assert_eq!(one(&mut machine, at(30)), "beat v? [1]");
    // The start of what is not assigned any more fails: that gives nothing back.
    machine.done(Outcome::Failed);
    answer(&mut machine, at(30), beat(3, None), 0.0);
    assert_eq!(one(&mut machine, at(30)), "start 1@12");
    machine.done(Outcome::Done);
    assert_eq!(one(&mut machine, at(30)), "beat v3 [1]");
    answer(&mut machine, at(30), difference(4, vec![], vec![1]), 0.0);
    assert_eq!(one(&mut machine, at(30)), "stop 1@12 Revoked");
    machine.done(Outcome::Done);
}

#[test]
fn what_runs_since_is_said_at_once_and_news_are_asked_for() {
    let mut machine = living(vec![stream(1, 11)]);
    machine.news(7, 1);
    assert_eq!(one(&mut machine, at(2)), "rest", "that is no news");
    machine.news(6, 2);
    assert_eq!(
        one(&mut machine, at(2)),
        "rest",
        "nor is what another life is told"
    );
    machine.news(7, 2);
    assert_eq!(one(&mut machine, at(2)), "beat v1 [1]");
    answer(&mut machine, at(2), difference(2, vec![], vec![1]), 0.0);
    assert_eq!(one(&mut machine, at(2)), "stop 1@11 Revoked");
    machine.done(Outcome::Done);
    assert_eq!(
        one(&mut machine, at(2)),
        "rest",
        "not faster than it could be answered"
    );
    assert_eq!(one(&mut machine, at(2) + SHORTEST_WAIT), "beat v2 []");
}
