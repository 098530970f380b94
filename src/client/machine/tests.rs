//! The rules, one by one.

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const INTERVAL: Duration = Duration::from_secs(10);
const LEASE: Duration = Duration::from_secs(100);

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn stream(id: StreamId, epoch: Epoch) -> StreamAssignment {
    StreamAssignment {
        epoch,
        ..StreamAssignment::new(id)
    }
}

fn overlap(id: StreamId, epoch: Epoch) -> StreamAssignment {
    StreamAssignment {
        handoff: Handoff::Overlap,
        ..stream(id, epoch)
    }
}

fn failed() -> Answer {
    Answer::Failed { retry_after: None }
}

/// A heartbeat's answer with a lease.
fn beat(version: i64, changes: Option<Changes>) -> Answer {
    Answer::Beaten(Beat {
        lease: Some(LEASE),
        version: Some(version),
        changes,
    })
}

fn full(version: i64, set: Vec<StreamAssignment>) -> Answer {
    beat(version, Some(Changes::Full(set)))
}

fn difference(version: i64, assign: Vec<StreamAssignment>, revoke: Vec<StreamId>) -> Answer {
    beat(version, Some(Changes::Difference { assign, revoke }))
}

/// Everything there is to do at one moment, in short words.
fn all(machine: &mut Machine, now: Duration) -> Vec<String> {
    let mut words = Vec::new();
    while let Some(action) = machine.next(now) {
        words.push(match action {
            Action::Start(stream) => format!("start {}@{}", stream.id, stream.epoch),
            Action::Stop(stream, reason) => {
                format!("stop {}@{} {reason:?}", stream.id, stream.epoch)
            }
            Action::Send(Request::Register) => "register".to_owned(),
            Action::Send(Request::Heartbeat {
                version, running, ..
            }) => format!("beat v{version} {running:?}"),
            Action::Send(Request::List { requested, .. }) => format!("list {requested}"),
            Action::Send(Request::Release { streams, .. }) => format!("release {streams:?}"),
            Action::Send(Request::Leave { streams, .. }) => format!("leave {streams:?}"),
            Action::End(ending) => format!("end {ending:?}"),
        });
        assert!(words.len() < 100, "it never rests: {words:?}");
    }
    words
}

/// A machine that registered and beat at second 0, and was told of this set.
fn living(set: Vec<StreamAssignment>) -> Machine {
    let mut machine = Machine::new(20);
    assert_eq!(all(&mut machine, at(0)), ["register"]);
    let registered = Answer::Registered {
        incarnation: 7,
        interval: INTERVAL,
    };
    machine.answered(at(0), registered, 0.0);
    assert_eq!(all(&mut machine, at(0)), ["beat v0 []"]);
    let starts: Vec<String> = set
        .iter()
        .map(|stream| format!("start {}@{}", stream.id, stream.epoch))
        .collect();
    machine.answered(at(0), full(1, set), 0.0);
    assert_eq!(all(&mut machine, at(0)), starts);
    machine
}

#[test]
fn a_worker_registers_beats_and_runs_what_it_is_told() {
    let mut machine = living(vec![stream(1, 11), stream(2, 12)]);
    assert_eq!(machine.next_deadline(), Some(at(10)));
    assert_eq!(all(&mut machine, at(9)), [""; 0]);
    assert_eq!(all(&mut machine, at(10)), ["beat v1 [1, 2]"]);
    machine.answered(at(10), difference(2, vec![stream(3, 13)], vec![1]), 0.0);
    assert_eq!(
        all(&mut machine, at(10)),
        ["stop 1@11 Revoked", "start 3@13"]
    );
    assert_eq!(all(&mut machine, at(20)), ["beat v2 [2, 3]"]);
    machine.answered(at(20), full(9, vec![stream(3, 13), stream(4, 14)]), 0.0);
    assert_eq!(
        all(&mut machine, at(20)),
        ["stop 2@12 Revoked", "start 4@14"],
        "3 goes on under the same epoch"
    );
}

#[test]
fn a_new_epoch_stops_before_it_starts_and_an_old_one_is_not_heard() {
    let mut machine = living(vec![stream(1, 11)]);
    assert_eq!(all(&mut machine, at(10)), ["beat v1 [1]"]);
    machine.answered(at(10), difference(2, vec![stream(1, 15)], vec![]), 0.0);
    assert_eq!(
        all(&mut machine, at(10)),
        ["stop 1@11 Replaced", "start 1@15"]
    );
    assert_eq!(all(&mut machine, at(20)), ["beat v2 [1]"]);
    machine.answered(at(20), difference(3, vec![stream(1, 14)], vec![]), 0.0);
    assert_eq!(all(&mut machine, at(20)), [""; 0]);
    assert_eq!(all(&mut machine, at(30)), ["beat v3 [1]"]);
    machine.answered(at(30), full(4, vec![stream(1, 14)]), 0.0);
    assert_eq!(all(&mut machine, at(30)), ["stop 1@15 Revoked"]);
}

#[test]
fn exclusive_streams_stop_nine_tenths_into_the_lease_as_of_sending() {
    let mut machine = living(vec![stream(1, 11), overlap(2, 12)]);
    assert_eq!(all(&mut machine, at(10)), ["beat v1 [1, 2]"]);
    // The answer takes its time; the lease counts from the request.
    machine.answered(at(14), beat(1, None), 0.0);
    assert_eq!(machine.stop_at(), at(100));
    let mut now = at(20);
    while now < at(100) {
        all(&mut machine, now);
        machine.answered(now, failed(), 0.0);
        now += SECOND;
    }
    assert_eq!(
        machine.next_deadline().map(|at| at.min(machine.stop_at())),
        machine.next_deadline(),
        "the stop is not slept through"
    );
    let words = all(&mut machine, at(100));
    assert_eq!(words[0], "stop 1@11 LeaseEnded", "{words:?}");
    // Back again, and nothing changed: it is still its own.
    all(&mut machine, at(120));
    machine.answered(at(120), beat(1, None), 0.0);
    assert_eq!(all(&mut machine, at(120)), ["start 1@11"]);
}

#[test]
fn who_was_suspended_stops_before_anything_else() {
    let mut machine = living(vec![stream(1, 11)]);
    assert_eq!(all(&mut machine, at(10)), ["beat v1 [1]"]);
    machine.answered(at(10), difference(2, vec![stream(2, 12)], vec![]), 0.0);
    // Suspended before it could start the new one, for longer than the lease.
    assert_eq!(
        all(&mut machine, at(500)),
        ["stop 1@11 LeaseEnded", "beat v2 []"]
    );
    // An answer from before the suspension grants nothing any more.
    let mut machine = living(vec![stream(1, 11)]);
    assert_eq!(all(&mut machine, at(10)), ["beat v1 [1]"]);
    machine.answered(at(500), difference(2, vec![stream(2, 12)], vec![]), 0.0);
    assert_eq!(
        all(&mut machine, at(500)),
        ["stop 1@11 LeaseEnded", "beat v2 []"]
    );
}

#[test]
fn without_a_lease_nothing_exclusive_starts() {
    let mut machine = living(vec![]);
    all(&mut machine, at(95));
    let no_lease = Answer::Beaten(Beat {
        lease: Some(Duration::ZERO),
        version: Some(2),
        changes: Some(Changes::Full(vec![stream(1, 11), overlap(2, 12)])),
    });
    machine.answered(at(95), no_lease, 0.0);
    assert_eq!(all(&mut machine, at(95)), ["start 2@12"]);
    assert_eq!(all(&mut machine, at(105)), ["beat v2 [2]"]);
    machine.answered(at(105), beat(2, None), 0.0);
    assert_eq!(all(&mut machine, at(105)), ["start 1@11"]);
}

#[test]
fn who_is_unknown_stops_all_and_registers_again() {
    let mut machine = living(vec![stream(1, 11), overlap(2, 12)]);
    all(&mut machine, at(10));
    machine.answered(at(10), Answer::Unknown, 0.0);
    assert_eq!(
        all(&mut machine, at(10)),
        [
            "stop 1@11 Unregistered",
            "stop 2@12 Unregistered",
            "register"
        ]
    );
    // Forgotten again and again: it waits.
    let registered = Answer::Registered {
        incarnation: 8,
        interval: INTERVAL,
    };
    machine.answered(at(10), registered, 0.0);
    assert_eq!(all(&mut machine, at(10)), ["beat v0 []"]);
    machine.answered(at(10), Answer::Unknown, 0.0);
    assert_eq!(all(&mut machine, at(10)), [""; 0]);
    assert!(machine.next_deadline() > Some(at(10)));
}

#[test]
fn another_process_ends_it_for_good() {
    let mut machine = living(vec![stream(1, 11), overlap(2, 12)]);
    all(&mut machine, at(10));
    machine.answered(at(10), Answer::OtherProcess("newer".to_owned()), 0.0);
    assert_eq!(
        all(&mut machine, at(10)),
        [
            "stop 1@11 OtherProcess",
            "stop 2@12 OtherProcess",
            "end OtherProcess(\"newer\")"
        ]
    );
    assert_eq!(all(&mut machine, at(1_000)), [""; 0]);
    assert_eq!(machine.next_deadline(), None);
}

#[test]
fn a_registration_that_is_refused_ends_it_and_one_that_fails_does_not() {
    let mut machine = Machine::new(20);
    all(&mut machine, at(0));
    machine.answered(at(0), failed(), 0.0);
    assert_eq!(machine.next_deadline(), Some(Duration::from_millis(500)));
    all(&mut machine, at(1));
    let wait = Answer::Failed {
        retry_after: Some(at(5)),
    };
    machine.answered(at(1), wait, 0.0);
    assert_eq!(machine.next_deadline(), Some(at(6)), "as it was asked to");
    assert_eq!(all(&mut machine, at(6)), ["register"]);
    machine.answered(at(6), Answer::Refused("no port".to_owned()), 0.0);
    assert_eq!(all(&mut machine, at(6)), ["end Refused(\"no port\")"]);
}

#[test]
fn waits_double_up_to_the_interval_and_jitter_shortens_them() {
    let mut machine = living(vec![]);
    let mut now = at(10);
    let mut waits = Vec::new();
    for _ in 0..6 {
        all(&mut machine, now);
        machine.answered(now, failed(), 0.0);
        let next = machine.next_deadline().unwrap();
        waits.push((next - now).as_secs());
        now = next;
    }
    assert_eq!(waits, [1, 2, 4, 8, 10, 10]);
    all(&mut machine, now);
    machine.answered(now, failed(), 1.0);
    assert_eq!(machine.next_deadline(), Some(now + at(5)));
    let absurd = Answer::Failed {
        retry_after: Some(Duration::MAX),
    };
    all(&mut machine, now + at(5));
    machine.answered(now, absurd, 0.0);
    assert_eq!(machine.next_deadline(), Some(now + LONGEST_RETRY_AFTER));
}

#[test]
fn what_cannot_be_started_is_given_back_and_heartbeats_go_on() {
    let mut machine = living(vec![stream(1, 11), stream(2, 12)]);
    machine.start_failed(1);
    assert_eq!(all(&mut machine, at(1)), ["release [1]"]);
    machine.give_back(2);
    machine.answered(at(1), failed(), 0.0);
    assert_eq!(all(&mut machine, at(1)), ["stop 2@12 GivenBack"]);
    // The database is out: releases are refused with a long wait, heartbeats are not.
    let wait = Answer::Failed {
        retry_after: Some(at(30)),
    };
    assert_eq!(all(&mut machine, at(3)), ["release [1, 2]"]);
    machine.answered(at(3), wait, 0.0);
    assert_eq!(all(&mut machine, at(10)), ["beat v1 []"]);
    machine.answered(at(10), beat(1, None), 0.0);
    assert_eq!(all(&mut machine, at(20)), ["beat v1 []"]);
    machine.answered(at(20), beat(1, None), 0.0);
    assert_eq!(all(&mut machine, at(30)), ["beat v1 []"]);
    machine.answered(at(30), beat(1, None), 0.0);
    assert_eq!(all(&mut machine, at(33)), ["release [1, 2]"]);
    machine.answered(at(33), Answer::Released, 0.0);
    assert_eq!(all(&mut machine, at(33)), [""; 0]);
    // Later they are assigned anew, under another epoch.
    all(&mut machine, at(40));
    machine.answered(at(40), difference(4, vec![stream(1, 20)], vec![2]), 0.0);
    assert_eq!(all(&mut machine, at(40)), ["start 1@20"]);
}

#[test]
fn an_orchestrator_that_does_not_tell_is_asked() {
    let mut machine = living(vec![]);
    all(&mut machine, at(10));
    machine.answered(at(10), Answer::Beaten(Beat::default()), 0.0);
    assert_eq!(all(&mut machine, at(10)), ["list 20"]);
    machine.answered(at(10), Answer::Listed(vec![1, 2]), 0.0);
    assert_eq!(all(&mut machine, at(10)), ["start 1@0", "start 2@0"]);
    assert_eq!(all(&mut machine, at(20)), ["beat v0 [1, 2]"]);
    machine.answered(at(20), Answer::Beaten(Beat::default()), 0.0);
    assert_eq!(all(&mut machine, at(20)), ["list 18"]);
    machine.answered(at(20), Answer::Listed(vec![2, 3]), 0.0);
    assert_eq!(all(&mut machine, at(20)), ["stop 1@0 Revoked", "start 3@0"]);
}

#[test]
fn a_version_without_its_changes_is_asked_for_again() {
    let mut machine = living(vec![stream(1, 11)]);
    all(&mut machine, at(10));
    machine.answered(at(10), beat(5, None), 0.0);
    assert_eq!(all(&mut machine, at(20)), ["beat v1 [1]"]);
}

#[test]
fn who_leaves_stops_first_and_says_goodbye_not_forever() {
    let mut machine = living(vec![stream(1, 11), overlap(2, 12)]);
    machine.leave();
    let goodbye = ["stop 1@11 Leaving", "stop 2@12 Leaving", "leave [1, 2]"];
    assert_eq!(all(&mut machine, at(5)), goodbye);
    machine.answered(at(5), Answer::Left, 0.0);
    assert_eq!(all(&mut machine, at(5)), ["end Left"]);

    let mut machine = living(vec![stream(1, 11)]);
    assert_eq!(all(&mut machine, at(10)), ["beat v1 [1]"]);
    machine.leave();
    assert_eq!(all(&mut machine, at(10)), ["stop 1@11 Leaving"]);
    machine.answered(at(10), difference(2, vec![stream(2, 12)], vec![]), 0.0);
    for second in [10, 12, 15] {
        let words = all(&mut machine, at(second));
        assert_eq!(words, ["leave [1, 2]"], "at {second}");
        machine.answered(at(second), failed(), 0.0);
    }
    assert_eq!(all(&mut machine, at(15)), ["end Left"]);

    let mut machine = Machine::new(20);
    machine.leave();
    assert_eq!(
        all(&mut machine, at(0)),
        ["end Left"],
        "it never registered"
    );
}
