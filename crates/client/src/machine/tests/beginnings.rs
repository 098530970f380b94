//! How a worker registers, is forgotten, and leaves.

use super::*;

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
fn a_worker_that_will_be_back_stops_first_and_names_the_time() {
    let mut machine = living(vec![stream(1, 11)]);
    machine.leave_for(Duration::from_secs(60));
    let goodbye = ["stop 1@11 Leaving", "leave [1] for 60s"];
    assert_eq!(all(&mut machine, at(5)), goodbye);
    machine.leave_for(Duration::from_secs(5));
    answer(&mut machine, at(5), failed(), 0.0);
    let again = all(&mut machine, at(7));
    assert_eq!(again, ["leave [1] for 60s"], "the first word counts");
    answer(&mut machine, at(7), Answer::Left, 0.0);
    assert_eq!(all(&mut machine, at(7)), ["end Left"]);
}
