//! When the fleet is balanced by itself, and what is counted.

use std::time::Duration;

use super::super::*;
use crate::events::{DatedEvent, Event};
use crate::handover::{AbandonReason, MoveProgress};
use crate::ids::{Epoch, Incarnation, InstanceId, StreamId};
use crate::pace::MovePace;
use crate::planned::{DrainState, Requester};
use crate::reason::{AssignReason, RebalanceMethod, RebalanceReason};
use crate::settings::{BalanceLimits, BalanceSettings};
use crate::time::{Timestamp, WallTime};

fn balancer(automatic: bool) -> Balancer {
    Balancer::new(BalanceSettings {
        automatic,
        limits: BalanceLimits::default(),
        cooldown: Duration::from_secs(300),
        pace: MovePace {
            per_target: 2,
            in_all: 10,
        },
    })
}

fn second(number: u64) -> Timestamp {
    Timestamp::from_micros(0) + Duration::from_secs(number)
}

fn dated(event: Event) -> [DatedEvent; 1] {
    let at = WallTime::from_micros(1);
    [DatedEvent {
        at,
        origin: None,
        event,
    }]
}

fn joined() -> [DatedEvent; 1] {
    dated(Event::InstanceRegistered {
        instance: "b".into(),
        incarnation: Incarnation::new(1),
        max_streams: 10,
        reregistration: false,
    })
}

fn arrived(stream: i64) -> [DatedEvent; 1] {
    dated(Event::StreamAssigned {
        stream: StreamId::new(stream),
        instance: "b".into(),
        epoch: Epoch::new(9),
        reason: AssignReason::Rebalance,
        from: Some("a".into()),
        from_epoch: None,
        incident: None,
    })
}

fn given_up(stream: i64) -> [DatedEvent; 1] {
    dated(Event::HandoverAbandoned {
        stream: StreamId::new(stream),
        instance: "a".into(),
        epoch: Epoch::new(8),
        reason: AbandonReason::NotReleased,
    })
}

fn moves(streams: std::ops::RangeInclusive<i64>) -> Vec<BalanceMove> {
    let planned = streams.map(|stream| BalanceMove {
        stream: StreamId::new(stream),
        from: "a".into(),
        to: "b".into(),
        reason: BalanceReason::AboveShare,
    });
    planned.collect()
}

const BY_ITSELF: Rebalance = Rebalance {
    method: RebalanceMethod::Smart,
    reason: RebalanceReason::NewInstance,
    scope: BalanceScope::Leased,
};

/// Begins the next moves, all of them.
fn begin_next(balancer: &mut Balancer, now: Timestamp) -> Vec<i64> {
    let next = balancer.next_moves().map_or(Vec::new(), |next| next.moves);
    let streams = next.iter().map(|planned| planned.stream);
    let state = MoveState::Begun(MoveProgress::Releasing);
    let states: Vec<(StreamId, MoveState)> = streams.map(|stream| (stream, state)).collect();
    balancer.tried(&states, now, WallTime::from_micros(7));
    states.iter().map(|(stream, _)| stream.get()).collect()
}

#[test]
fn a_join_is_followed_by_a_plan_unless_that_is_switched_off() {
    let mut off = balancer(false);
    off.note(&joined(), second(10));
    assert_eq!(off.next_deadline(), None);
    let mut on = balancer(true);
    on.note(&joined(), second(10));
    on.note(&joined(), second(12));
    assert_eq!(on.next_deadline(), Some(second(15)));
    assert_eq!(on.handle_deadline(second(14)), None);
    let due = on.handle_deadline(second(15));
    assert_eq!(due, Some(Due::Plan(BY_ITSELF)));
    on.put_off(Due::Plan(BY_ITSELF), second(15));
    assert_eq!(on.next_deadline(), Some(second(20)), "blocked: soon again");
}

#[test]
fn an_instance_that_takes_streams_again_is_balanced_like_one_that_joins() {
    let (instance, incarnation) = (InstanceId::from("b"), Incarnation::new(1));
    let ended = |state, takes_streams| Event::DrainEnded {
        instance: instance.clone(),
        incarnation,
        state,
        by: Requester::Operator,
        moved: 3,
        left: 0,
        takes_streams,
        reason: None,
    };
    let uncordoned = Event::InstanceUncordoned {
        instance: instance.clone(),
        incarnation,
        by: Requester::Operator,
        reason: None,
    };
    let trusted = Event::InstanceTrusted {
        instance: instance.clone(),
        incarnation,
    };
    let agreed = |leased| Event::LeaseAgreed {
        instance: instance.clone(),
        incarnation,
        leased,
    };
    for (event, is_followed) in [
        (trusted, true),
        (agreed(true), true),
        (agreed(false), false),
        (uncordoned, true),
        (ended(DrainState::Cancelled, true), true),
        (ended(DrainState::Drained, false), false),
        (ended(DrainState::Drained, true), true),
    ] {
        let mut balancer = balancer(true);
        balancer.note(&dated(event), second(10));
        assert_eq!(balancer.next_deadline().is_some(), is_followed);
    }
}

#[test]
fn the_cooldown_begins_with_the_first_move_and_a_join_waits_for_its_end() {
    let mut balancer = balancer(true);
    balancer.begin(BY_ITSELF, Vec::new());
    balancer.note(&joined(), second(1));
    assert_eq!(balancer.next_deadline(), Some(second(6)), "nothing moved");
    assert!(balancer.handle_deadline(second(6)).is_some());
    balancer.begin(BY_ITSELF, moves(1..=2));
    assert_eq!(begin_next(&mut balancer, second(6)), [1, 2]);
    balancer.note(&joined(), second(10));
    assert_eq!(balancer.next_deadline(), Some(second(306)));
}

#[test]
fn moves_begin_a_few_at_a_time_and_a_rebalance_ends_with_its_last_one() {
    let mut balancer = balancer(true);
    balancer.begin(BY_ITSELF, moves(1..=3));
    let announced = balancer.next_moves().and_then(|next| next.announced);
    assert!(
        matches!(
            announced,
            Some(Event::RebalanceBegun {
                moves: 3,
                instances: 2,
                ..
            })
        ),
        "{announced:?}"
    );
    assert_eq!(begin_next(&mut balancer, second(0)), [1, 2]);
    assert_eq!(
        balancer.next_deadline(),
        Some(second(1)),
        "it is tried again"
    );
    balancer.note(&arrived(1), second(0));
    let due = balancer.handle_deadline(second(0));
    assert_eq!(due, Some(Due::Moves(BY_ITSELF)), "a place is free");
    let next = balancer.next_moves();
    assert!(next.is_some_and(|next| next.announced.is_none()));
    assert_eq!(begin_next(&mut balancer, second(1)), [3]);
    balancer.note(&arrived(2), second(2));
    balancer.note(&arrived(3), second(2));
    let stats = balancer.stats();
    assert_eq!((stats.begun, stats.ended, stats.successful), (1, 1, 1));
    assert_eq!((stats.moved, stats.given_up), (3, 0));
    assert_eq!(stats.last, Some(WallTime::from_micros(7)));
}

#[test]
fn a_move_that_is_given_up_is_counted_and_held_back() {
    let mut balancer = balancer(true);
    balancer.begin(BY_ITSELF, moves(1..=2));
    begin_next(&mut balancer, second(0));
    balancer.note(&given_up(9), second(1));
    assert_eq!(balancer.stats().given_up, 0, "a move of an operator");
    balancer.note(&given_up(1), second(1));
    balancer.note(&arrived(2), second(1));
    let stats = balancer.stats();
    assert_eq!((stats.given_up, stats.ended, stats.successful), (1, 1, 0));
    let held_back: Vec<StreamId> = balancer.held_back(second(2)).into_iter().collect();
    assert_eq!(held_back, [StreamId::new(1)]);
    assert!(balancer.held_back(second(602)).is_empty());
}

#[test]
fn a_new_plan_replaces_what_has_not_begun_and_keeps_what_is_under_way() {
    let mut balancer = balancer(true);
    balancer.begin(BY_ITSELF, moves(1..=3));
    begin_next(&mut balancer, second(0));
    balancer.begin(BY_ITSELF, moves(7..=7));
    assert_eq!(begin_next(&mut balancer, second(1)), [7]);
    for stream in [1, 2, 7] {
        balancer.note(&arrived(stream), second(2));
    }
    let stats = balancer.stats();
    assert_eq!((stats.begun, stats.ended, stats.moved), (2, 2, 3));
}

#[test]
fn a_move_without_room_waits_only_for_moves_that_can_make_room() {
    let mut balancer = balancer(true);
    balancer.begin(BY_ITSELF, moves(1..=2));
    let wall = WallTime::from_micros(7);
    let state = |stream, state| (StreamId::new(stream), state);
    let begun = MoveState::Begun(MoveProgress::Releasing);
    let states = [state(1, begun), state(2, MoveState::NoRoom)];
    balancer.tried(&states, second(0), wall);
    assert!(balancer.next_moves().is_some(), "stream 1 makes room");
    balancer.note(&arrived(1), second(1));
    balancer.tried(&[state(2, MoveState::NoRoom)], second(1), wall);
    assert!(
        balancer.next_moves().is_none(),
        "nothing makes room any more"
    );
    let stats = balancer.stats();
    assert_eq!((stats.begun, stats.ended, stats.moved), (1, 1, 1));
}
