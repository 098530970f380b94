//! How many moves are under way, for the limits of planned moves (`pace.rs`).

use super::model::{Fleet, InstanceSlot};
use crate::stream::AssignReason;

impl Fleet {
    /// Returns how many moves are under way to an instance: streams that are promised to it, and, if
    /// it is leased, streams that were moved to it and that it has not confirmed.
    pub fn arriving(&self, slot: &InstanceSlot) -> usize {
        slot.promised().len() + self.unconfirmed_moves(slot)
    }

    /// Returns how many moves are under way in the whole fleet. It walks the instances.
    pub fn moves_under_way(&self) -> usize {
        self.instances().map(|slot| self.arriving(slot)).sum()
    }

    fn unconfirmed_moves(&self, slot: &InstanceSlot) -> usize {
        if !slot.instance().is_leased() {
            return 0;
        }
        let moved_here = |id: &&crate::ids::StreamId| {
            let stream = self.stream(**id);
            let assignment = stream.and_then(|stream| stream.place().assignment());
            assignment.is_some_and(|assignment| {
                matches!(
                    assignment.reason,
                    AssignReason::PlannedMove | AssignReason::Rebalance
                )
            })
        };
        slot.unconfirmed().iter().filter(moved_here).count()
    }
}

#[cfg(test)]
mod tests {
    use crate::commands::{MoveStreams, Relocation};
    use crate::ids::StreamId;
    use crate::ledger::Ledger;
    use crate::sample;

    fn under_way(ledger: &Ledger) -> (usize, usize) {
        let fleet = ledger.saved();
        let target = fleet.instance(&"b".into()).unwrap();
        (fleet.arriving(target), fleet.moves_under_way())
    }

    #[test]
    fn a_move_is_under_way_until_its_leased_target_has_confirmed_it() {
        let mut ledger = sample::ledger();
        sample::run(&mut ledger, sample::streams(1..=3));
        sample::run(&mut ledger, sample::register("a", 5));
        sample::run(&mut ledger, sample::ask("a", 3));
        sample::run(&mut ledger, sample::register("b", 5));
        for id in ["a", "b"] {
            sample::agree_lease(&mut ledger, id);
            sample::follow(&mut ledger, id);
        }
        assert_eq!(under_way(&ledger), (0, 0));
        let moves = [1, 2].map(|stream| Relocation {
            stream: StreamId::new(stream),
            to: Some("b".into()),
        });
        sample::run(
            &mut ledger,
            MoveStreams {
                moves: moves.into(),
            },
        );
        assert_eq!(under_way(&ledger), (2, 2), "promised");
        sample::follow(&mut ledger, "a");
        assert_eq!(under_way(&ledger), (2, 2), "assigned, not confirmed");
        sample::follow(&mut ledger, "b");
        assert_eq!(under_way(&ledger), (0, 0));
    }
}
