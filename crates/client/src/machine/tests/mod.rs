//! The rules, one by one.

use super::phase::SHORTEST_WAIT;
use super::*;

mod beginnings;
mod calls;
mod doubts;
mod returned;

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

fn next_beat(machine: &Machine) -> Duration {
    machine
        .phase
        .life()
        .map_or(Duration::MAX, |life| life.next_beat)
}

/// How many streams are given back with a reason.
fn reasons(machine: &Machine) -> usize {
    machine.give_back.values().flatten().count()
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
        Action::Send(
            _,
            Request::Leave {
                streams,
                back_in: Some(back_in),
                ..
            },
        ) => format!("leave {streams:?} for {back_in:?}"),
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
        let owed = machine.owes_word && now < next_beat(machine);
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
fn another_orchestrator_is_asked_at_once_and_the_waits_begin_when_none_is_left() {
    let mut machine = living(vec![]);
    assert_eq!(all(&mut machine, at(10)), ["beat v1 []"]);
    answer(&mut machine, at(12), Answer::Elsewhere, 0.0);
    assert_eq!(machine.next_deadline(), Some(at(12)));
    assert_eq!(all(&mut machine, at(12)), ["beat v1 []"]);
    answer(&mut machine, at(13), failed(), 0.0);
    assert_eq!(machine.next_deadline(), Some(at(14)));
}

#[test]
fn the_last_words_are_said_a_few_times_whoever_is_asked() {
    let mut machine = living(vec![]);
    machine.leave();
    let mut now = at(10);
    let mut said = 0;
    while machine.next_deadline().is_some_and(|next| next < at(1_000)) && said < 100 {
        if all(&mut machine, now)
            .iter()
            .any(|word| word.starts_with("leave"))
        {
            said += 1;
            answer(&mut machine, now, Answer::Elsewhere, 0.0);
        }
        now += SECOND;
    }
    assert_eq!(said, FAREWELLS);
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
