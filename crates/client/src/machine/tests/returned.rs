//! Streams that are given back.

use super::*;

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
    assert_eq!(reasons(&machine), 1);
    machine.give_back_because(9, "not its own");
    assert_eq!(reasons(&machine), 1);
    // It starts the next time, and is given back for no reason later.
    answer(&mut machine, at(11), failed(), 0.0);
    all(&mut machine, at(20));
    let told = difference(3, vec![stream(1, 20)], vec![]);
    answer(&mut machine, at(20), told, 0.0);
    assert_eq!(all(&mut machine, at(20)), ["start 1@20"]);
    machine.give_back(1);
    assert_eq!(reasons(&machine), 0);
}

#[test]
fn a_start_that_fails_without_a_word_is_given_back_with_a_reason() {
    let mut machine = living(vec![stream(2, 12)]);
    all(&mut machine, at(10));
    let told = difference(2, vec![stream(1, 11)], vec![]);
    answer(&mut machine, at(10), told, 0.0);
    assert_eq!(one(&mut machine, at(10)), "start 1@11");
    assert_eq!(machine.start_failed(" "), Some(1));
    assert_eq!(reasons(&machine), 1);
}
