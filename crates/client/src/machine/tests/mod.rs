//! The rules, one by one.

use super::*;

mod calls;
mod doubts;

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
        ..Beat::default()
    })
}

fn full(version: i64, set: Vec<StreamAssignment>) -> Answer {
    beat(version, Some(Changes::Full(set)))
}

fn difference(version: i64, assign: Vec<StreamAssignment>, revoke: Vec<StreamId>) -> Answer {
    beat(version, Some(Changes::Difference { assign, revoke }))
}

/// Hands in an answer in time.
fn answer(machine: &mut Machine, now: Duration, answer: Answer, jitter: f64) {
    let ticket = machine.last_ticket;
    machine.answered(ticket, now, answer, jitter);
}

fn word(action: Action) -> String {
    match action {
        Action::Start(stream) => format!("start {}@{}", stream.id, stream.epoch),
        Action::Stop(stream, reason) => {
            format!("stop {}@{} {reason:?}", stream.id, stream.epoch)
        }
        Action::Bind(id, handoff) => format!("bind {id} {handoff:?}"),
        Action::Send(_, Request::Register) => "register".to_owned(),
        Action::Send(
            _,
            Request::Heartbeat {
                version, running, ..
            },
        ) => {
            let version = version.map_or("?".to_owned(), |version| version.to_string());
            match running {
                Running::Streams(ids) => format!("beat v{version} {ids:?}"),
                Running::Digest { count, digest } => {
                    format!("beat v{version} {count} {digest:016x}")
                }
            }
        }
        Action::Send(_, Request::List { requested, .. }) => format!("list {requested}"),
        Action::Send(_, Request::Release { streams, .. }) => format!("release {streams:?}"),
        Action::Send(_, Request::Leave { streams, .. }) => format!("leave {streams:?}"),
        Action::End(ending) => format!("end {ending:?}"),
    }
}

/// The next thing to do, whose call has not ended.
fn one(machine: &mut Machine, now: Duration) -> String {
    machine.next(now).map_or("rest".to_owned(), word)
}

/// Everything there is to do at one moment, in short words; calls end at once. That it says at
/// once what it runs since is answered without a lease, and left out.
fn all(machine: &mut Machine, now: Duration) -> Vec<String> {
    all_of(machine, now, Outcome::Done)
}

fn all_of(machine: &mut Machine, now: Duration, outcome: Outcome) -> Vec<String> {
    let mut words = Vec::new();
    loop {
        let owed = machine.owes_word && now < machine.next_beat;
        let Some(action) = machine.next(now) else {
            return words;
        };
        match &action {
            Action::Start(_) => assert!(machine.done(outcome).is_some()),
            Action::Stop(..) => assert!(machine.done(Outcome::Done).is_some()),
            Action::Send(_, Request::Heartbeat { version, .. }) if owed && version.is_some() => {
                let none = Beat {
                    lease: Some(Duration::ZERO),
                    version: *version,
                    ..Beat::default()
                };
                answer(machine, now, Answer::Beaten(none), 0.0);
                continue;
            }
            _ => {}
        }
        words.push(word(action));
        assert!(words.len() < 1_000, "it never rests: {words:?}");
    }
}

/// A machine that registered and beat at second 0, and was told of this set.
fn living(set: Vec<StreamAssignment>) -> Machine {
    let mut machine = Machine::new(20);
    assert_eq!(all(&mut machine, at(0)), ["register"]);
    let registered = Answer::Registered {
        incarnation: 7,
        interval: INTERVAL,
        request_limit: None,
    };
    answer(&mut machine, at(0), registered, 0.0);
    assert_eq!(all(&mut machine, at(0)), ["beat v0 []"]);
    let starts: Vec<String> = set
        .iter()
        .map(|stream| format!("start {}@{}", stream.id, stream.epoch))
        .collect();
    answer(&mut machine, at(0), full(1, set), 0.0);
    assert_eq!(all(&mut machine, at(0)), starts);
    machine
}

#[test]
fn a_worker_registers_beats_and_runs_what_it_is_told() {
    let mut machine = living(vec![stream(1, 11), stream(2, 12)]);
    assert_eq!(machine.next_deadline(), Some(at(10)));
    assert_eq!(all(&mut machine, at(9)), [""; 0]);
    assert_eq!(all(&mut machine, at(10)), ["beat v1 [1, 2]"]);
    answer(
        &mut machine,
        at(10),
        difference(2, vec![stream(3, 13)], vec![1]),
        0.0,
    );
    assert_eq!(
        all(&mut machine, at(10)),
        ["stop 1@11 Revoked", "start 3@13"]
    );
    assert_eq!(all(&mut machine, at(20)), ["beat v2 [2, 3]"]);
    answer(
        &mut machine,
        at(20),
        full(9, vec![stream(3, 13), stream(4, 14)]),
        0.0,
    );
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
    answer(
        &mut machine,
        at(10),
        difference(2, vec![stream(1, 15)], vec![]),
        0.0,
    );
    assert_eq!(
        all(&mut machine, at(10)),
        ["stop 1@11 Replaced", "start 1@15"]
    );
    assert_eq!(all(&mut machine, at(20)), ["beat v2 [1]"]);
    answer(
        &mut machine,
        at(20),
        difference(3, vec![stream(1, 14)], vec![]),
        0.0,
    );
    assert_eq!(all(&mut machine, at(20)), [""; 0]);
    assert_eq!(all(&mut machine, at(30)), ["beat v3 [1]"]);
    answer(&mut machine, at(30), full(4, vec![stream(1, 14)]), 0.0);
    assert_eq!(all(&mut machine, at(30)), ["stop 1@15 Revoked"]);
}

#[test]
fn exclusive_streams_stop_nine_tenths_into_the_lease_as_of_sending() {
    let mut machine = living(vec![stream(1, 11), overlap(2, 12)]);
    assert_eq!(all(&mut machine, at(10)), ["beat v1 [1, 2]"]);
    // The answer takes its time; the lease counts from the request.
    answer(&mut machine, at(14), beat(1, None), 0.0);
    assert_eq!(machine.stop_at(), at(100));
    let mut now = at(20);
    while now < at(100) {
        all(&mut machine, now);
        answer(&mut machine, now, failed(), 0.0);
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
    answer(&mut machine, at(120), beat(1, None), 0.0);
    assert_eq!(all(&mut machine, at(120)), ["start 1@11"]);
}

#[test]
fn who_was_suspended_stops_before_anything_else() {
    let mut machine = living(vec![stream(1, 11)]);
    assert_eq!(all(&mut machine, at(10)), ["beat v1 [1]"]);
    answer(
        &mut machine,
        at(10),
        difference(2, vec![stream(2, 12)], vec![]),
        0.0,
    );
    // Suspended before it could start the new one, for longer than the lease.
    assert_eq!(
        all(&mut machine, at(500)),
        ["stop 1@11 LeaseEnded", "beat v2 []"]
    );
    // An answer from before the suspension grants nothing any more.
    let mut machine = living(vec![stream(1, 11)]);
    assert_eq!(all(&mut machine, at(10)), ["beat v1 [1]"]);
    answer(
        &mut machine,
        at(500),
        difference(2, vec![stream(2, 12)], vec![]),
        0.0,
    );
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
        ..Beat::default()
    });
    answer(&mut machine, at(95), no_lease, 0.0);
    assert_eq!(all(&mut machine, at(95)), ["start 2@12"]);
    assert_eq!(all(&mut machine, at(105)), ["beat v2 [2]"]);
    answer(&mut machine, at(105), beat(2, None), 0.0);
    assert_eq!(all(&mut machine, at(105)), ["start 1@11"]);
}

#[test]
fn who_is_unknown_stops_all_and_registers_again() {
    let mut machine = living(vec![stream(1, 11), overlap(2, 12)]);
    all(&mut machine, at(10));
    answer(&mut machine, at(10), Answer::Unknown, 0.0);
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
        request_limit: None,
    };
    answer(&mut machine, at(10), registered, 0.0);
    assert_eq!(all(&mut machine, at(10)), ["beat v0 []"]);
    answer(&mut machine, at(10), Answer::Unknown, 0.0);
    assert_eq!(all(&mut machine, at(10)), [""; 0]);
    assert!(machine.next_deadline() > Some(at(10)));
}

#[test]
fn another_process_ends_it_for_good() {
    let mut machine = living(vec![stream(1, 11), overlap(2, 12)]);
    all(&mut machine, at(10));
    answer(
        &mut machine,
        at(10),
        Answer::OtherProcess("newer".to_owned()),
        0.0,
    );
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
    answer(&mut machine, at(0), failed(), 0.0);
    assert_eq!(machine.next_deadline(), Some(Duration::from_millis(500)));
    all(&mut machine, at(1));
    let wait = Answer::Failed {
        retry_after: Some(at(5)),
    };
    answer(&mut machine, at(1), wait, 0.0);
    assert_eq!(machine.next_deadline(), Some(at(6)), "as it was asked to");
    assert_eq!(all(&mut machine, at(6)), ["register"]);
    answer(
        &mut machine,
        at(6),
        Answer::Refused("no port".to_owned()),
        0.0,
    );
    assert_eq!(all(&mut machine, at(66)), ["end Refused(\"no port\")"]);
}

#[test]
fn waits_double_up_to_the_interval_and_jitter_shortens_them() {
    let mut machine = living(vec![]);
    let mut now = at(10);
    let mut waits = Vec::new();
    for _ in 0..6 {
        all(&mut machine, now);
        answer(&mut machine, now, failed(), 0.0);
        let next = machine.next_deadline().unwrap();
        waits.push((next - now).as_secs());
        now = next;
    }
    assert_eq!(waits, [1, 2, 4, 8, 10, 10]);
    all(&mut machine, now);
    answer(&mut machine, now, failed(), 1.0);
    assert_eq!(machine.next_deadline(), Some(now + at(5)));
    let absurd = Answer::Failed {
        retry_after: Some(Duration::MAX),
    };
    all(&mut machine, now + at(5));
    answer(&mut machine, now, absurd, 0.0);
    let patience_that_costs_no_lease = now + INTERVAL;
    assert_eq!(machine.next_deadline(), Some(patience_that_costs_no_lease));
}

#[test]
fn what_cannot_be_started_is_given_back_and_heartbeats_go_on() {
    let mut machine = living(vec![stream(2, 12)]);
    all(&mut machine, at(10));
    answer(
        &mut machine,
        at(10),
        difference(2, vec![stream(1, 11)], vec![]),
        0.0,
    );
    let words = all_of(&mut machine, at(10), Outcome::Failed);
    assert_eq!(words, ["start 1@11", "release [1]"]);
    machine.give_back(2);
    answer(&mut machine, at(11), failed(), 0.0);
    assert_eq!(all(&mut machine, at(11)), ["stop 2@12 GivenBack"]);
    // The database is out: releases are refused with a long wait, heartbeats are not.
    let wait = Answer::Failed {
        retry_after: Some(at(30)),
    };
    assert_eq!(all(&mut machine, at(13)), ["release [1, 2]"]);
    answer(&mut machine, at(13), wait, 0.0);
    for second in [21, 31, 41] {
        assert_eq!(all(&mut machine, at(second)), ["beat v2 []"]);
        answer(&mut machine, at(second), beat(2, None), 0.0);
    }
    assert_eq!(all(&mut machine, at(43)), ["release [1, 2]"]);
    answer(&mut machine, at(43), Answer::Released, 0.0);
    assert_eq!(all(&mut machine, at(43)), [""; 0]);
    // Later they are assigned anew, under another epoch.
    all(&mut machine, at(51));
    let told = difference(4, vec![stream(1, 20)], vec![2]);
    answer(&mut machine, at(51), told, 0.0);
    assert_eq!(all(&mut machine, at(51)), ["start 1@20"]);
}

#[test]
fn the_reason_of_a_failed_start_goes_with_the_release() {
    let mut machine = living(vec![stream(1, 11), stream(2, 12), stream(3, 13)]);
    all(&mut machine, at(10));
    answer(&mut machine, at(10), beat(1, None), 0.0);
    machine.give_back_because(1, "  no\nsignal ");
    machine.give_back_because(2, &"x".repeat(2_000));
    machine.give_back(3);
    let mut releases = Vec::new();
    for second in 11..20 {
        while let Some(action) = machine.next(at(second)) {
            match action {
                Action::Stop(..) => assert!(machine.done(Outcome::Done).is_some()),
                Action::Send(
                    ticket,
                    Request::Release {
                        streams, reason, ..
                    },
                ) => {
                    releases.push((streams, reason));
                    machine.answered(ticket, at(second), Answer::Released, 0.0);
                }
                Action::Send(ticket, _) => {
                    machine.answered(ticket, at(second), beat(1, None), 0.0);
                }
                other => panic!("{other:?}"),
            }
        }
    }
    let expected = [
        (vec![1], Some("no signal".to_owned())),
        (vec![2], Some("x".repeat(512))),
        (vec![3], None),
    ];
    assert_eq!(releases, expected);
}

#[test]
fn a_reason_is_forgotten_when_the_stream_is_assigned_anew() {
    let mut machine = living(vec![stream(2, 12)]);
    all(&mut machine, at(10));
    answer(
        &mut machine,
        at(10),
        difference(2, vec![stream(1, 11)], vec![]),
        0.0,
    );
    assert_eq!(one(&mut machine, at(10)), "start 1@11");
    assert_eq!(machine.start_failed("no signal"), Some(1));
    assert_eq!(machine.reasons.len(), 1);
    machine.give_back_because(9, "not its own");
    assert_eq!(machine.reasons.len(), 1);
    // It starts the next time, and is given back for no reason later.
    answer(&mut machine, at(11), failed(), 0.0);
    all(&mut machine, at(20));
    let told = difference(3, vec![stream(1, 20)], vec![]);
    answer(&mut machine, at(20), told, 0.0);
    assert_eq!(all(&mut machine, at(20)), ["start 1@20"]);
    machine.give_back(1);
    assert!(machine.reasons.is_empty());
}

#[test]
fn an_orchestrator_that_does_not_tell_is_asked() {
    let mut machine = living(vec![]);
    all(&mut machine, at(10));
    answer(&mut machine, at(10), Answer::Beaten(Beat::default()), 0.0);
    assert_eq!(all(&mut machine, at(10)), ["list 20"]);
    answer(&mut machine, at(10), Answer::Listed(vec![1, 2]), 0.0);
    assert_eq!(all(&mut machine, at(10)), ["start 1@0", "start 2@0"]);
    assert_eq!(all(&mut machine, at(20)), ["beat v0 [1, 2]"]);
    answer(&mut machine, at(20), Answer::Beaten(Beat::default()), 0.0);
    assert_eq!(all(&mut machine, at(20)), ["list 18"]);
    answer(&mut machine, at(20), Answer::Listed(vec![2, 3]), 0.0);
    assert_eq!(all(&mut machine, at(20)), ["stop 1@0 Revoked", "start 3@0"]);
}

#[test]
fn a_version_without_its_changes_is_asked_for_again() {
    let mut machine = living(vec![stream(1, 11)]);
    all(&mut machine, at(10));
    answer(&mut machine, at(10), beat(5, None), 0.0);
    assert_eq!(all(&mut machine, at(20)), ["beat v1 [1]"]);
}

#[test]
fn who_leaves_stops_first_and_says_goodbye_not_forever() {
    let mut machine = living(vec![stream(1, 11), overlap(2, 12)]);
    machine.leave();
    let goodbye = ["stop 1@11 Leaving", "stop 2@12 Leaving", "leave [1, 2]"];
    assert_eq!(all(&mut machine, at(5)), goodbye);
    answer(&mut machine, at(5), Answer::Left, 0.0);
    assert_eq!(all(&mut machine, at(5)), ["end Left"]);

    let mut machine = living(vec![stream(1, 11)]);
    assert_eq!(all(&mut machine, at(10)), ["beat v1 [1]"]);
    machine.leave();
    assert_eq!(all(&mut machine, at(10)), ["stop 1@11 Leaving"]);
    answer(
        &mut machine,
        at(10),
        difference(2, vec![stream(2, 12)], vec![]),
        0.0,
    );
    for second in [10, 12, 15] {
        let words = all(&mut machine, at(second));
        assert_eq!(words, ["leave [1, 2]"], "at {second}");
        answer(&mut machine, at(second), failed(), 0.0);
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
