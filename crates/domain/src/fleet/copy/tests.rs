//! A copy is the fleet at its end, whatever happens while it is taken.

use super::*;
use crate::commands::{Command, MoveStreams, Relocation, RemoveInstance};
use crate::invariants::{check_fleet, compare};
use crate::ledger::Ledger;
use crate::sample;
use crate::time::WallTime;

/// `a` owns the streams 1 to 8, `b` and `c` have room, 9 to 12 wait.
fn ledger() -> Ledger {
    let mut ledger = sample::ledger();
    sample::run(&mut ledger, sample::streams(1..=12));
    sample::run(&mut ledger, sample::register("a", 20));
    sample::run(&mut ledger, sample::ask("a", 8));
    sample::run(&mut ledger, sample::register("b", 20));
    sample::run(&mut ledger, sample::register("c", 20));
    ledger
}

/// Carries out a command while a copy is under way.
fn change(ledger: &mut Ledger, copy: &mut FleetCopy, command: &impl Command) {
    let decided = ledger.decide(command, WallTime::default());
    assert!(decided.is_ok());
    let batch = ledger.take_batch();
    batch.changes().for_each(|change| copy.note(change));
    ledger.commit(batch);
}

fn assert_is(copied: CopiedFleet, fleet: &Fleet) {
    let copied = copied.into_fleet();
    let waiting = |fleet: &Fleet| -> (Vec<StreamId>, Vec<StreamId>) {
        (fleet.unclaimed().collect(), fleet.orphaned().collect())
    };
    assert!(compare(&copied, fleet).holds);
    assert_eq!(waiting(&copied), waiting(fleet));
    for slot in fleet.instances() {
        let copy = copied.instance(&slot.instance().id).unwrap();
        assert_eq!(copy.held(), slot.held());
        assert_eq!(copy.promised(), slot.promised());
    }
    assert!(check_fleet(&copied).iter().all(|check| check.holds));
}

#[test]
fn a_copy_is_the_fleet_at_its_end() {
    for slice in [1, 2, 3, 5, 7, 100] {
        for changed_after in 0..20 {
            let mut ledger = ledger();
            let mut copy = FleetCopy::default();
            let mut steps = 0;
            loop {
                if steps == changed_after {
                    let moves = [1, 8].map(|id| Relocation {
                        stream: StreamId::new(id),
                        to: Some("b".into()),
                    });
                    let moves = MoveStreams {
                        moves: moves.into(),
                    };
                    change(&mut ledger, &mut copy, &moves);
                    change(&mut ledger, &mut copy, &sample::ask("c", 2));
                    change(&mut ledger, &mut copy, &RemoveInstance::new("a".into()));
                    change(&mut ledger, &mut copy, &sample::register("d", 3));
                    change(&mut ledger, &mut copy, &sample::streams(13..=15));
                }
                steps += 1;
                if copy.proceed(ledger.saved(), slice) {
                    break;
                }
            }
            assert_is(copy.finish(ledger.saved()), ledger.saved());
        }
    }
}
