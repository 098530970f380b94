//! Each choice sees the ones before it, in one command and from one command to the next.

use std::time::Duration;

use super::super::{AgreeLease, AssignOutcome, RegisterInstance, SettleDifference, WithdrawLease};
use super::*;
use crate::fleet::Fleet;
use crate::invariants::check_fleet;
use crate::ledger::Ledger;
use crate::sample;
use crate::stream::OrphanReason;

/// Leased `a` owns streams 1 to `streams`; `b`, `c` and `d` have room for `room` each.
fn ledger(streams: i64, room: u32) -> Ledger {
    let mut ledger = sample::ledger();
    sample::run(&mut ledger, sample::streams(1..=streams));
    sample::run(&mut ledger, sample::register("a", 100));
    sample::run(&mut ledger, sample::ask("a", streams));
    agree_on_leases(&mut ledger, "a");
    for id in ["b", "c", "d"] {
        sample::run(&mut ledger, sample::register(id, room));
    }
    ledger
}

fn agree_on_leases(ledger: &mut Ledger, id: &str) {
    let agreement = AgreeLease {
        id: id.into(),
        incarnation: sample::life(ledger, id),
        lease: Some(Duration::from_secs(240)),
    };
    sample::run(ledger, agreement);
}

fn moves(ids: impl IntoIterator<Item = i64>, to: Option<&str>) -> MoveStreams {
    let moves = ids.into_iter().map(|id| Relocation {
        stream: StreamId::new(id),
        to: to.map(InstanceId::from),
    });
    MoveStreams {
        moves: moves.collect(),
    }
}

/// Who was chosen for each, in order.
fn targets(relocated: &[Relocated]) -> Vec<&str> {
    relocated.iter().map(|moved| moved.to.as_str()).collect()
}

fn held(ledger: &Ledger, id: &str) -> Vec<i64> {
    let slot = ledger.saved().instance(&id.into()).unwrap();
    slot.held().iter().map(|stream| stream.get()).collect()
}

fn promised(ledger: &Ledger, id: &str) -> usize {
    let slot = ledger.saved().instance(&id.into()).unwrap();
    slot.promised().len()
}

fn assert_sound(ledger: &Ledger) {
    for check in check_fleet(ledger.saved()) {
        assert!(check.holds, "{check:?}");
    }
}

#[test]
fn a_planned_move_without_a_target_spreads_the_streams_of_a_leased_owner() {
    let mut ledger = ledger(6, 10);
    let relocated = sample::run(&mut ledger, moves(1..=6, None));
    assert_eq!(targets(&relocated), ["b", "c", "d", "b", "c", "d"]);
    sample::follow(&mut ledger, "a");
    assert_eq!(held(&ledger, "b"), [1, 4]);
    assert_eq!(held(&ledger, "c"), [2, 5]);
    assert_eq!(held(&ledger, "d"), [3, 6]);
    assert_eq!(promised(&ledger, "b"), 0, "a promise that is kept is over");
}

#[test]
fn later_moves_see_what_earlier_ones_promised() {
    let mut ledger = ledger(3, 10);
    let chosen: Vec<String> = (1..=3)
        .map(|id| {
            let relocated = sample::run(&mut ledger, moves([id], None));
            relocated[0].to.to_string()
        })
        .collect();
    assert_eq!(chosen, ["b", "c", "d"]);
}

#[test]
fn a_move_asked_for_again_keeps_its_target() {
    let mut ledger = ledger(6, 2);
    let first = sample::run(&mut ledger, moves(1..=6, None));
    assert_eq!(sample::run(&mut ledger, moves(1..=6, None)), first);
    // All room is promised; that of stream 1 to itself.
    let again = sample::run(&mut ledger, moves([1], Some("b")));
    assert_eq!(again, first[..1]);
}

#[test]
fn promised_room_is_reserved() {
    let mut ledger = ledger(4, 1);
    sample::run(&mut ledger, moves(1..=3, None));
    sample::run(&mut ledger, sample::streams([9]));
    let asked = sample::run(&mut ledger, sample::ask("b", 1));
    assert_eq!(asked, AssignOutcome::Full { max_streams: 1 });
    let refused = |to| Rejection::NoRoom(to);
    let decided = ledger.decide(&moves([4], None), sample::NOW);
    assert_eq!(decided, Err(refused(None)));
    let decided = ledger.decide(&moves([4], Some("c")), sample::NOW);
    assert_eq!(decided, Err(refused(Some("c".into()))));
    sample::run(
        &mut ledger,
        RegisterInstance {
            auto_assign: true,
            ..sample::register("d", 1)
        },
    );
    assert!(held(&ledger, "d").is_empty(), "not filled up either");
    sample::follow(&mut ledger, "a");
    assert_eq!(["b", "c", "d"].map(|id| held(&ledger, id).len()), [1; 3]);
}

#[test]
fn an_abandoned_move_frees_the_room() {
    let mut ledger = ledger(1, 1);
    sample::run(&mut ledger, moves([1], Some("b")));
    assert_eq!(promised(&ledger, "b"), 1);
    let abandon = AbandonHandovers {
        id: "a".into(),
        incarnation: sample::life(&ledger, "a"),
        streams: sample::ids([1]),
    };
    sample::run(&mut ledger, abandon);
    assert_eq!(promised(&ledger, "b"), 0);
    sample::run(&mut ledger, sample::streams([9]));
    let asked = sample::run(&mut ledger, sample::ask("b", 1));
    assert!(matches!(asked, AssignOutcome::Assigned(_)));
}

/// A stream that nobody runs does not wait behind one that is run.
#[test]
fn an_orphan_takes_reserved_room_when_there_is_no_other() {
    let mut ledger = ledger(3, 1);
    sample::run(&mut ledger, moves(1..=3, None));
    sample::run(&mut ledger, sample::register("e", 1));
    sample::run(&mut ledger, sample::streams([9]));
    sample::run(&mut ledger, sample::ask("e", 1));
    // `a` is the only one left with free room, and is not to get anything.
    let withdrawal = WithdrawLease::for_removal("a".into(), sample::life(&ledger, "a"));
    sample::run(&mut ledger, withdrawal);
    sample::recover(&mut ledger, "e");
    assert_sound(&ledger);
    assert_eq!(held(&ledger, "b"), [9]);
    sample::follow(&mut ledger, "a");
    assert_sound(&ledger);
    assert_eq!(["b", "c", "d"].map(|id| held(&ledger, id).len()), [1; 3]);
    // The three that were to move find room for two.
    let orphaned: Vec<StreamId> = ledger.saved().orphaned().collect();
    assert_eq!(orphaned.len(), 1);
    let slot = ledger.saved().stream(orphaned[0]).unwrap();
    let Place::Orphaned { reason, from, .. } = slot.place() else {
        panic!("{:?}", slot.place());
    };
    assert_eq!(
        (*reason, from.as_str()),
        (OrphanReason::InstanceRemoved, "a")
    );
}

#[test]
fn what_does_not_run_is_spread_given_what_is_promised() {
    let mut ledger = ledger(6, 10);
    sample::run(&mut ledger, moves([5, 6], Some("b")));
    let told = ledger.saved().instance(&"a".into()).unwrap();
    let settle = SettleDifference {
        id: "a".into(),
        incarnation: sample::life(&ledger, "a"),
        running: Some(Vec::new().into()),
        told: Some(told.instance().assignment_version),
        is_new: true,
    };
    sample::run(&mut ledger, settle);
    let counts = ["b", "c", "d"].map(|id| promised(&ledger, id));
    assert_eq!(counts, [2, 2, 2]);
    sample::follow(&mut ledger, "a");
    assert_eq!(["b", "c", "d"].map(|id| held(&ledger, id).len()), [2; 3]);
}

#[test]
fn a_recovery_spreads_given_what_is_promised_by_others_and_not_by_itself() {
    let mut ledger = ledger(6, 10);
    sample::run(&mut ledger, sample::register("e", 9));
    sample::run(&mut ledger, sample::streams(11..=14));
    sample::run(&mut ledger, sample::ask("e", 4));
    agree_on_leases(&mut ledger, "e");
    sample::run(&mut ledger, moves(1..=4, Some("b")));
    sample::run(&mut ledger, moves(11..=14, Some("c")));
    sample::recover(&mut ledger, "a");
    // The promises of `a` are planned anew; those of `e` weigh on `c`.
    assert_eq!(held(&ledger, "b").len() + held(&ledger, "d").len(), 6);
    assert!(held(&ledger, "c").is_empty(), "{:?}", held(&ledger, "c"));
    assert_eq!(held(&ledger, "b").len(), 3);
}

#[test]
fn promises_survive_the_end_and_the_return_of_their_target() {
    let mut ledger = ledger(2, 5);
    sample::run(&mut ledger, moves(1..=2, Some("b")));
    sample::run(&mut ledger, super::super::RemoveInstance::new("b".into()));
    let restored = |ledger: &Ledger| {
        let fleet = ledger.saved();
        let snapshot = crate::fleet::Snapshot {
            counter: fleet.counter(),
            instances: (fleet.instances())
                .map(|slot| slot.instance().as_ref().clone())
                .collect(),
            streams: (fleet.streams())
                .map(|slot| (slot.stream().as_ref().clone(), slot.place().clone()))
                .collect(),
            rolls: Vec::new(),
            last_beats: Vec::new(),
            watermark: None,
        };
        Fleet::from_snapshot(&snapshot).unwrap()
    };
    assert!(restored(&ledger) == *ledger.saved());
    sample::run(&mut ledger, sample::register("b", 5));
    assert!(restored(&ledger) == *ledger.saved());
    assert_eq!(promised(&ledger, "b"), 2);
    sample::follow(&mut ledger, "a");
    assert_eq!(held(&ledger, "b"), [1, 2]);
}
