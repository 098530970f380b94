//! Each state of a request by each circumstance.

use proptest::prelude::*;

use super::*;

const TERM: Term = Term::new(7);
const NEXT: Term = Term::new(8);

const BEAT: CarriedKind = CarriedKind::Beat {
    may_be_echoed: true,
};
const BARE_BEAT: CarriedKind = CarriedKind::Beat {
    may_be_echoed: false,
};

fn at(millis: u64) -> SteadyTime {
    SteadyTime::new(Duration::from_millis(millis))
}

/// A request may take 15 s, waits for 3 s, and a leader may be silent for 7.5 s.
fn limits() -> CarryLimits {
    let ms = Duration::from_millis;
    CarryLimits::new(ms(15_000), ms(500), ms(1_000))
}

fn around(destination: Destination) -> Circumstances {
    Circumstances {
        destination,
        newest_term: Some(TERM),
        hears: true,
        has_room: true,
        client_is_gone: false,
        server: ServerStage::Serves,
    }
}

fn came(kind: CarriedKind) -> Carried {
    Carried::new(kind, at(0), limits())
}

fn sent(kind: CarriedKind) -> Carried {
    let mut request = came(kind);
    request.sent(TERM, at(0));
    request
}

#[test]
fn the_durations_follow_from_the_limit_of_a_request() {
    let ms = Duration::from_millis;
    assert_eq!(limits().hold, ms(3_000));
    assert_eq!(limits().leader_silence, ms(7_500));
    assert_eq!(limits().too_late, ms(18_000));
    assert_eq!(CarryLimits::new(ms(150), ms(167), ms(333)).hold, ms(75));
}

#[test]
fn an_order_whose_age_is_too_high_or_unknown_is_not_in_time() {
    let ms = Duration::from_millis;
    for (age, expected) in [
        (Some(ms(0)), true),
        (Some(ms(18_000)), true),
        (Some(ms(18_001)), false),
        (None, false),
    ] {
        assert_eq!(limits().is_in_time(age), expected, "{age:?}");
    }
}

#[test]
fn a_request_goes_where_requests_are_answered() {
    for kind in [BEAT, BARE_BEAT, CarriedKind::Read, CarriedKind::Order] {
        let step = |destination| came(kind).next(&around(destination), at(1));
        assert_eq!(step(Destination::Here), CarryStep::Serve);
        assert_eq!(step(Destination::Leader(TERM)), CarryStep::Send(TERM));
        assert_eq!(step(Destination::Nowhere), CarryStep::Hold(at(3_000)));
    }
}

#[test]
fn what_waited_in_vain_is_echoed_or_refused() {
    use CarryRefusal::NoLeader;
    // the kind, whether this process hears anything, and the step
    let table = [
        (BEAT, true, CarryStep::Echo),
        (BEAT, false, CarryStep::Refuse(NoLeader)),
        (BARE_BEAT, true, CarryStep::Refuse(NoLeader)),
        (CarriedKind::Read, true, CarryStep::Refuse(NoLeader)),
        (CarriedKind::Order, true, CarryStep::Refuse(NoLeader)),
    ];
    for (kind, hears, expected) in table {
        let around = Circumstances {
            hears,
            ..around(Destination::Nowhere)
        };
        assert_eq!(came(kind).next(&around, at(3_000)), expected, "{kind:?}");
    }
}

#[test]
fn without_room_nothing_waits() {
    let full = Circumstances {
        has_room: false,
        ..around(Destination::Nowhere)
    };
    assert_eq!(came(BEAT).next(&full, at(1)), CarryStep::Echo);
    let refused = CarryStep::Refuse(CarryRefusal::Full);
    assert_eq!(came(CarriedKind::Order).next(&full, at(1)), refused);
    let there = Circumstances {
        destination: Destination::Leader(TERM),
        ..full
    };
    assert_eq!(came(BEAT).next(&there, at(1)), CarryStep::Send(TERM));
}

#[test]
fn a_silent_leader_is_waited_for_by_heartbeats_only_so_long() {
    let around = around(Destination::Nowhere);
    let until = CarryStep::Await(Some(at(7_500)));
    assert_eq!(sent(BEAT).next(&around, at(7_499)), until);
    assert_eq!(sent(BEAT).next(&around, at(7_500)), CarryStep::Echo);
    for kind in [CarriedKind::Read, CarriedKind::Order] {
        let step = sent(kind).next(&around, at(60_000));
        assert_eq!(step, CarryStep::Await(None), "{kind:?}");
    }
}

#[test]
fn a_leader_that_was_replaced_is_waited_for_by_nothing() {
    let around = Circumstances {
        newest_term: Some(NEXT),
        ..around(Destination::Leader(NEXT))
    };
    for kind in [BEAT, BARE_BEAT, CarriedKind::Read] {
        let step = sent(kind).next(&around, at(4_000));
        assert_eq!(step, CarryStep::Send(NEXT), "{kind:?}");
    }
    let unknown = CarryStep::Refuse(CarryRefusal::MayBeApplied);
    assert_eq!(
        sent(CarriedKind::Order).next(&around, at(4_000)),
        unknown,
        "an order is sent once"
    );
    let loading = Circumstances {
        destination: Destination::Nowhere,
        ..around
    };
    assert_eq!(
        sent(BEAT).next(&loading, at(4_000)),
        CarryStep::Echo,
        "it has waited for long enough"
    );
}

#[test]
fn a_connection_that_fails_repeats_what_may_be_repeated() {
    // the kind, the failure, and the step
    let table = [
        (BEAT, SendFailure::Broken, CarryStep::Hold(at(3_000))),
        (
            CarriedKind::Read,
            SendFailure::Broken,
            CarryStep::Hold(at(3_000)),
        ),
        (
            CarriedKind::Order,
            SendFailure::NotSent,
            CarryStep::Hold(at(3_000)),
        ),
        (
            CarriedKind::Order,
            SendFailure::Broken,
            CarryStep::Refuse(CarryRefusal::MayBeApplied),
        ),
    ];
    for (kind, failure, expected) in table {
        let mut request = sent(kind);
        request.failed(failure);
        let step = request.next(&around(Destination::Nowhere), at(1));
        assert_eq!(step, expected, "{kind:?}, {failure:?}");
    }
}

#[test]
fn a_request_that_its_worker_gave_up_goes_nowhere() {
    for destination in [
        Destination::Here,
        Destination::Leader(TERM),
        Destination::Nowhere,
    ] {
        for kind in [BEAT, CarriedKind::Read, CarriedKind::Order] {
            let step = came(kind).next(&around(destination), at(15_001));
            assert_eq!(step, CarryStep::Refuse(CarryRefusal::TooOld));
            let gone = Circumstances {
                client_is_gone: true,
                ..around(destination)
            };
            assert_eq!(came(kind).next(&gone, at(1)), CarryStep::Drop);
        }
    }
}

#[test]
fn a_process_that_ends_holds_nothing() {
    let closing = |destination| Circumstances {
        server: ServerStage::Ends,
        ..around(destination)
    };
    let nowhere = closing(Destination::Nowhere);
    let refused = CarryStep::Refuse(CarryRefusal::Closing);
    assert_eq!(came(BEAT).next(&nowhere, at(1)), refused);
    let there = closing(Destination::Leader(TERM));
    assert_eq!(came(BEAT).next(&there, at(1)), CarryStep::Send(TERM));
    assert_eq!(sent(CarriedKind::Read).next(&there, at(1)), refused);
    assert_eq!(
        sent(CarriedKind::Order).next(&there, at(1)),
        CarryStep::Await(None),
        "its outcome is still to come"
    );
}

#[test]
fn a_process_that_goes_on_as_a_standby_lets_requests_wait_for_the_next_leader() {
    let leaving = Circumstances {
        server: ServerStage::GivesWay,
        ..around(Destination::Nowhere)
    };
    for kind in [BEAT, CarriedKind::Order] {
        let waits = came(kind).next(&leaving, at(1));
        assert!(matches!(waits, CarryStep::Hold(_)), "{kind:?}: {waits:?}");
    }
    // A long read would keep the server from its end.
    let there = Circumstances {
        destination: Destination::Leader(TERM),
        ..leaving
    };
    let refused = CarryStep::Refuse(CarryRefusal::Closing);
    assert_eq!(sent(CarriedKind::Read).next(&there, at(1)), refused);
}

fn kinds() -> impl Strategy<Value = CarriedKind> {
    prop_oneof![
        Just(BEAT),
        Just(BARE_BEAT),
        Just(CarriedKind::Read),
        Just(CarriedKind::Order)
    ]
}

fn destinations() -> impl Strategy<Value = Destination> {
    prop_oneof![
        Just(Destination::Here),
        Just(Destination::Nowhere),
        Just(Destination::Leader(TERM)),
        Just(Destination::Leader(NEXT)),
    ]
}

proptest! {
    #[test]
    fn a_request_ends_in_time_and_an_order_is_delivered_once(
        kind in kinds(),
        moments in proptest::collection::vec(
            (0_u64..1_000, destinations(), any::<bool>(), any::<bool>(), 0_u8..4), 1..60
        ),
    ) {
        let mut request = came(kind);
        let (mut now, mut delivered, mut newest) = (0, 0, TERM);
        for (pause, destination, hears, has_room, fate) in moments {
            now += pause;
            if let Destination::Leader(term) = destination {
                newest = newest.max(term);
            }
            let around = Circumstances {
                newest_term: Some(newest),
                hears,
                has_room,
                ..around(destination)
            };
            let step = request.next(&around, at(now));
            prop_assert_eq!(step, request.next(&around, at(now)), "asked twice");
            match step {
                CarryStep::Send(term) => {
                    prop_assert!(now <= 15_000);
                    request.sent(term, at(now));
                    match fate {
                        0 => request.failed(SendFailure::NotSent),
                        1 => { delivered += 1; request.failed(SendFailure::Broken); }
                        2 | 3 => delivered += 1,
                        _ => {}
                    }
                }
                CarryStep::Hold(until) => prop_assert!(at(now) < until && until <= at(3_000)),
                CarryStep::Await(until) => {
                    let is_beat = matches!(kind, CarriedKind::Beat { .. });
                    prop_assert_eq!(until.is_some(), is_beat);
                }
                CarryStep::Echo => {
                    prop_assert!(hears && kind == BEAT);
                    return Ok(());
                }
                CarryStep::Serve => {
                    prop_assert!(kind != CarriedKind::Order || delivered == 0);
                    return Ok(());
                }
                CarryStep::Refuse(_) | CarryStep::Drop => return Ok(()),
            }
            prop_assert!(kind != CarriedKind::Order || delivered <= 1);
        }
    }
}

#[test]
fn a_heartbeat_is_echoed_only_if_a_leader_will_know_of_it() {
    let secs = |seconds| Some(Duration::from_secs(seconds));
    // the silence of the leader and of the database, whether the leader renews its row, whether heartbeats get
    // into the database
    let table = [
        (None, None, false, true, false),
        (secs(10), None, true, false, true),
        (secs(11), secs(11), false, true, false),
        (secs(11), secs(10), false, false, true),
        (secs(11), secs(10), true, true, true),
        (secs(11), secs(10), true, false, false),
        (None, secs(11), true, true, false),
    ];
    for (leader, database, leader_lives, are_written, expected) in table {
        let heard = Heard {
            leader_silent_for: leader,
            database_silent_for: database,
            leader_lives,
            are_written,
        };
        assert_eq!(heard.will_be_known(), expected, "{heard:?}");
    }
}
