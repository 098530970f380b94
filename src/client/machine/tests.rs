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

#[test]
fn a_shorter_lease_than_the_last_one_counts_at_once() {
    let mut machine = living(vec![stream(1, 11)]);
    all(&mut machine, at(10));
    // The orchestrator came back with other settings: it waits for its own lease only.
    let short = Beat {
        lease: Some(at(20)),
        version: Some(1),
        ..Beat::default()
    };
    answer(&mut machine, at(10), Answer::Beaten(short), 0.0);
    assert_eq!(machine.stop_at(), at(28));
}

#[test]
fn nothing_said_about_leases_is_no_longer_lease_than_the_last() {
    let mut machine = living(vec![stream(1, 11)]);
    all(&mut machine, at(10));
    let silent = Beat {
        version: Some(1),
        ..Beat::default()
    };
    answer(&mut machine, at(10), Answer::Beaten(silent), 0.0);
    assert_eq!(machine.stop_at(), at(100));
}

#[test]
fn a_stream_that_becomes_exclusive_while_it_runs_stops_with_the_lease() {
    let mut machine = living(vec![overlap(1, 11), stream(2, 12)]);
    all(&mut machine, at(10));
    let told = difference(2, vec![stream(1, 11), overlap(2, 12)], vec![]);
    answer(&mut machine, at(10), told, 0.0);
    let words = all(&mut machine, at(10));
    assert_eq!(words, ["bind 1 Exclusive", "bind 2 Overlap"], "they run on");
    all(&mut machine, at(20));
    answer(&mut machine, at(99), failed(), 0.0);
    assert_eq!(all(&mut machine, at(100))[0], "stop 1@11 LeaseEnded");
    assert_eq!(all(&mut machine, at(100)), [""; 0], "2 goes on");
}

#[test]
fn an_absurdly_short_lease_does_not_make_it_beat_without_a_pause() {
    let mut machine = living(vec![]);
    all(&mut machine, at(10));
    let absurd = Beat {
        lease: Some(Duration::from_nanos(1)),
        version: Some(1),
        ..Beat::default()
    };
    answer(&mut machine, at(10), Answer::Beaten(absurd), 1.0);
    assert!(machine.next_deadline() >= Some(at(10) + SHORTEST_WAIT / 2));
}

#[test]
fn a_lease_shorter_than_the_interval_sets_the_pace_of_everything() {
    let mut machine = living(vec![stream(1, 11)]);
    all(&mut machine, at(10));
    let short = Beat {
        lease: Some(Duration::from_secs(2)),
        version: Some(1),
        ..Beat::default()
    };
    answer(&mut machine, at(10), Answer::Beaten(short), 0.0);
    assert!(machine.request_limit() <= Duration::from_millis(300));
    let mut now = at(10);
    for _ in 0..5 {
        now = machine.next_talk().unwrap();
        all(&mut machine, now);
        let wait = Answer::Failed {
            retry_after: Some(at(60)),
        };
        answer(&mut machine, now, wait, 0.0);
        let wait = machine.next_talk().unwrap() - now;
        assert!(wait <= Duration::from_millis(600), "{wait:?}");
    }
    assert!(now <= at(13), "{now:?}");
}

#[test]
fn another_database_counts_epochs_anew() {
    let mut machine = living(vec![stream(1, 500)]);
    all(&mut machine, at(10));
    answer(&mut machine, at(10), Answer::Unknown, 0.0);
    assert_eq!(
        all(&mut machine, at(10)),
        ["stop 1@500 Unregistered", "register"]
    );
    // Lives are counted by the same counter as epochs: this one has begun again.
    let registered = Answer::Registered {
        incarnation: 3,
        interval: INTERVAL,
        request_limit: None,
    };
    answer(&mut machine, at(10), registered, 0.0);
    all(&mut machine, at(10));
    answer(&mut machine, at(10), full(1, vec![stream(1, 4)]), 0.0);
    assert_eq!(all(&mut machine, at(10)), ["start 1@4"]);
}

#[test]
fn an_answer_to_a_request_that_timed_out_never_counts() {
    let mut machine = living(vec![stream(1, 11)]);
    all(&mut machine, at(10));
    let late = machine.last_ticket;
    answer(&mut machine, at(15), failed(), 0.0);
    assert_eq!(all(&mut machine, at(20)), ["beat v1 [1]"]);
    // It would renew the lease as if the second heartbeat had been answered.
    let told = || difference(2, vec![stream(2, 12)], vec![1]);
    machine.answered(late, at(20), told(), 0.0);
    assert_eq!(machine.stop_at(), at(90));
    assert_eq!(all(&mut machine, at(21)), [""; 0], "it still waits");
    let second = machine.last_ticket;
    machine.answered(second, at(21), beat(1, None), 0.0);
    machine.answered(second, at(22), told(), 0.0);
    assert_eq!(machine.stop_at(), at(110));
    assert_eq!(
        all(&mut machine, at(22)),
        [""; 0],
        "nor does a duplicate count"
    );
}

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

#[test]
fn large_sets_are_told_as_a_digest() {
    let set = |count| (1..=count).map(|id| stream(id, id)).collect();
    let mut machine = living(set(100));
    let words = all(&mut machine, at(10));
    assert!(words[0].ends_with(" 99, 100]"), "{words:?}");
    let mut machine = living(set(101));
    let expected = format!("beat v1 101 {:016x}", digest(1..=101));
    assert_eq!(all(&mut machine, at(10)), [expected]);
}

#[test]
fn the_orchestrator_says_when_to_stop_and_how_long_to_wait() {
    let mut machine = Machine::new(20);
    all(&mut machine, at(0));
    let registered = Answer::Registered {
        incarnation: 7,
        interval: INTERVAL,
        request_limit: Some(at(2)),
    };
    answer(&mut machine, at(0), registered, 0.0);
    assert_eq!(machine.request_limit(), at(2));
    for (told, stop_at) in [(70, 70), (0, 90), (100, 90), (700, 90)] {
        all(&mut machine, at(0));
        let beat = Beat {
            lease: Some(LEASE),
            stop_after: Some(at(told)),
            version: Some(1),
            changes: Some(Changes::Full(vec![])),
        };
        answer(&mut machine, at(0), Answer::Beaten(beat), 0.0);
        assert_eq!(machine.stop_at(), at(stop_at), "{told}");
        machine.next_beat = at(0);
    }
}

#[test]
fn a_version_that_went_back_is_asked_about_from_the_start() {
    let mut machine = living(vec![stream(1, 11)]);
    all(&mut machine, at(10));
    answer(&mut machine, at(10), difference(5, vec![], vec![]), 0.0);
    assert_eq!(all(&mut machine, at(20)), ["beat v5 [1]"]);
    answer(&mut machine, at(20), beat(3, None), 0.0);
    assert_eq!(all(&mut machine, at(30)), ["beat v0 [1]"]);
    answer(&mut machine, at(30), full(3, vec![stream(1, 11)]), 0.0);
    assert_eq!(all(&mut machine, at(40)), ["beat v3 [1]"]);
}
