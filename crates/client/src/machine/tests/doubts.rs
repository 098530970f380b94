//! Answers that are late, odd, absurd, or those of another orchestrator.

use super::*;

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
fn large_sets_are_told_as_a_digest() {
    let set = |count| (1..=count).map(|id| stream(id, id)).collect();
    let mut machine = living(set(100));
    let words = all(&mut machine, at(10));
    assert!(words[0].ends_with(" 99, 100]"), "{words:?}");
    let mut machine = living(set(101));
    let expected = format!("beat v1 101 {:016x}", digest(1..=101));
    assert_eq!(all(&mut machine, at(10)), [expected]);
}

/// A digest does not say which streams are missing, so that nobody could move them.
#[test]
fn a_large_set_is_listed_when_its_digest_did_not_agree() {
    let set = || (1..=101).map(|id| stream(id, id)).collect::<Vec<_>>();
    let mut machine = living(set());
    assert!(all(&mut machine, at(10))[0].starts_with("beat v1 101 "));
    answer(&mut machine, at(10), full(1, set()), 0.0);
    let words = all(&mut machine, at(20));
    assert!(words[0].ends_with(" 100, 101]"), "{words:?}");
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
            ..Beat::default()
        };
        answer(&mut machine, at(0), Answer::Beaten(beat), 0.0);
        assert_eq!(machine.stop_at(), at(stop_at), "{told}");
        machine.phase.life_mut().unwrap().next_beat = at(0);
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

#[test]
fn a_lease_that_ended_does_not_begin_again_before_it_is_told_what_changed() {
    let mut machine = living(vec![stream(1, 11), stream(2, 12)]);
    // Suspended for longer than the lease; the first stop takes its time.
    assert_eq!(one(&mut machine, at(500)), "stop 1@11 LeaseEnded");
    assert_eq!(one(&mut machine, at(500)), "beat v? [1, 2]");
    answer(&mut machine, at(500), beat(9, None), 0.0);
    machine.done(Outcome::Done);
    assert_eq!(
        one(&mut machine, at(501)),
        "stop 2@12 LeaseEnded",
        "it may be somebody else's"
    );
    machine.done(Outcome::Done);
    assert_eq!(one(&mut machine, at(501)), "beat v1 []");
    answer(&mut machine, at(501), difference(9, vec![], vec![2]), 0.0);
    assert_eq!(one(&mut machine, at(501)), "start 1@11");
}

/// What the next heartbeat says of terms and of a lapse.
fn next_word(machine: &mut Machine, now: Duration) -> (Option<i64>, bool) {
    loop {
        match machine.next(now) {
            Some(Action::Send(_, Request::Heartbeat { term, resuming, .. })) => {
                return (term, resuming);
            }
            Some(Action::Stop(..) | Action::Start(_)) => {
                machine.done(Outcome::Done);
            }
            Some(_) => {}
            None => panic!("no heartbeat is due"),
        }
    }
}

#[test]
fn a_worker_names_the_highest_term_it_has_heard() {
    let mut machine = Machine::new(5);
    assert_eq!(one(&mut machine, at(0)), "register");
    let registered = Answer::Registered {
        incarnation: 1,
        interval: INTERVAL,
        request_limit: None,
    };
    answer(&mut machine, at(0), registered, 0.0);
    assert_eq!(next_word(&mut machine, at(0)), (None, false));
    let heard = |term| {
        Answer::Beaten(Beat {
            lease: Some(LEASE),
            version: Some(1),
            changes: Some(Changes::Full(vec![])),
            term,
            ..Beat::default()
        })
    };
    for (told, named) in [(Some(7), 7), (None, 7), (Some(6), 7), (Some(8), 8)] {
        let ticket = machine.last_ticket;
        machine.answered(ticket, at(0), heard(told), 0.0);
        machine.phase.life_mut().unwrap().next_beat = at(0);
        assert_eq!(next_word(&mut machine, at(0)).0, Some(named), "{told:?}");
    }
}

#[test]
fn a_worker_whose_lease_has_lapsed_says_that_it_resumes() {
    let mut machine = Machine::new(5);
    assert_eq!(one(&mut machine, at(0)), "register");
    let registered = Answer::Registered {
        incarnation: 1,
        interval: INTERVAL,
        request_limit: None,
    };
    answer(&mut machine, at(0), registered, 0.0);
    assert!(!next_word(&mut machine, at(0)).1, "it never had a lease");
    let ticket = machine.last_ticket;
    machine.answered(ticket, at(0), full(1, vec![]), 0.0);
    let stop_at = machine.stop_at();
    machine.phase.life_mut().unwrap().next_beat = at(0);
    assert!(!next_word(&mut machine, stop_at - Duration::from_millis(1)).1);
    let ticket = machine.last_ticket;
    let failed = Answer::Failed { retry_after: None };
    machine.answered(ticket, stop_at, failed, 0.0);
    assert!(next_word(&mut machine, stop_at + at(60)).1);
}
