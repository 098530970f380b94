//! Moves of a plan for balance. The plan was made beside the fleet, so each move is checked again
//! here: one whose premises are gone is dropped, one that finds no place yet waits.

use super::command::{Command, Rejection};
use super::relocate::{Relocation, target};
use crate::balance::{BalanceMove, BalanceScope, MoveState};
use crate::events::Event;
use crate::fleet::Draft;
use crate::handover::{Handover, MoveReason};
use crate::pace::{MoveBudget, MovePace};
use crate::placement::Exclusion;

/// Begins moves of a plan, as many as the limits of planned moves allow.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct BalanceStreams {
    pub moves: Vec<BalanceMove>,
    /// Whose streams may move.
    pub scope: BalanceScope,
    pub pace: MovePace,
    /// Recorded with the first move.
    pub announced: Option<Event>,
}

/// What became of the moves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BalanceStep {
    /// In the order of the moves.
    pub states: Vec<MoveState>,
    /// How many planned moves are under way in the whole fleet.
    pub under_way: usize,
}

impl Command for BalanceStreams {
    type Reply = BalanceStep;

    fn decide(&self, draft: &mut Draft<'_>) -> Result<BalanceStep, Rejection> {
        let mut budget = MoveBudget::new(self.pace, draft.fleet().moves_under_way());
        let mut states = Vec::with_capacity(self.moves.len());
        let mut announced = self.announced.as_ref();
        for planned in &self.moves {
            let state = self.begin(draft, &mut budget, planned);
            if matches!(state, MoveState::Begun(_))
                && let Some(event) = announced.take()
            {
                draft.tell(event.clone());
            }
            states.push(state);
        }
        Ok(BalanceStep {
            states,
            under_way: draft.fleet().moves_under_way(),
        })
    }
}

impl BalanceStreams {
    fn begin(
        &self,
        draft: &mut Draft<'_>,
        budget: &mut MoveBudget,
        planned: &BalanceMove,
    ) -> MoveState {
        let Some(slot) = draft.fleet().listed(planned.stream) else {
            return MoveState::Dropped;
        };
        let (stream, owner) = (slot.stream().clone(), slot.place().assignment().cloned());
        let is_there = owner.as_ref().is_some_and(|owner| {
            let is_moving = owner.handover.as_ref().is_some_and(Handover::is_under_way);
            owner.instance == planned.from && !is_moving
        });
        let stays =
            !stream.enabled || stream.is_quarantined() || stream.pinned() == Some(&planned.from);
        if !is_there || stays || !self.may_give(draft, planned) {
            return MoveState::Dropped;
        }
        let wanted = Relocation {
            stream: planned.stream,
            to: Some(planned.to.clone()),
        };
        match target(draft, &wanted, owner.as_ref()) {
            Ok(_) => {}
            Err(
                Rejection::NoRoom(_)
                | Rejection::DoesNotFit {
                    exclusion: Exclusion::NoCapacity,
                    ..
                },
            ) => return MoveState::NoRoom,
            Err(_) => return MoveState::Dropped,
        }
        let arriving = draft
            .fleet()
            .instance(&planned.to)
            .map_or(0, |slot| draft.fleet().arriving(slot));
        if budget.left_for(arriving) == 0 {
            return MoveState::Waiting;
        }
        let progress = draft.move_stream(planned.stream, &planned.to, MoveReason::Balance);
        budget.note(progress, draft.fleet().serves_leased(&planned.to));
        MoveState::Begun(progress)
    }

    fn may_give(&self, draft: &Draft<'_>, planned: &BalanceMove) -> bool {
        let slot = draft.fleet().instance(&planned.from);
        slot.is_some_and(|slot| {
            let instance = slot.instance();
            let is_settled = instance.withdrawn.is_none() && instance.status.is_serving();
            is_settled && (self.scope == BalanceScope::All || instance.is_leased())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::balance::{BalanceMeasure, BalanceReason, plan, survey};
    use crate::commands::MoveStreams;
    use crate::handover::MoveProgress;
    use crate::ids::StreamId;
    use crate::ledger::Ledger;
    use crate::sample;
    use crate::settings::BalanceLimits;
    use crate::stream::AssignReason;

    /// `a` owns streams 1 to 12; `b` has room for all of them.
    fn ledger() -> Ledger {
        let mut ledger = sample::ledger();
        sample::run(&mut ledger, sample::streams(1..=12));
        sample::run(&mut ledger, sample::register("a", 20));
        sample::run(&mut ledger, sample::ask("a", 12));
        sample::run(&mut ledger, sample::register("b", 20));
        ledger
    }

    fn lease(ledger: &mut Ledger, id: &str) {
        sample::agree_lease(ledger, id);
        sample::follow(ledger, id);
    }

    fn planned(ledger: &Ledger, scope: BalanceScope) -> Vec<BalanceMove> {
        let input = survey(ledger.saved(), scope, &BTreeSet::new());
        plan(&input, BalanceLimits::default(), BalanceMeasure::Weight).moves
    }

    fn command(moves: Vec<BalanceMove>) -> BalanceStreams {
        BalanceStreams {
            moves,
            scope: BalanceScope::All,
            pace: MovePace::default(),
            announced: None,
        }
    }

    fn of_stream(stream: i64) -> BalanceMove {
        BalanceMove {
            stream: StreamId::new(stream),
            from: "a".into(),
            to: "b".into(),
            reason: BalanceReason::AboveShare,
        }
    }

    #[test]
    fn streams_of_a_classic_owner_move_at_once_and_of_a_leased_one_after_the_release() {
        let mut classic = ledger();
        assert_eq!(planned(&classic, BalanceScope::Leased), []);
        let moves = planned(&classic, BalanceScope::All);
        assert_eq!(moves.len(), 4);
        let step = sample::run(&mut classic, command(moves.clone()));
        assert_eq!(step.states, [MoveState::Begun(MoveProgress::Moved); 4]);

        let mut leased = ledger();
        lease(&mut leased, "a");
        lease(&mut leased, "b");
        assert_eq!(planned(&leased, BalanceScope::Leased), moves);
        let step = sample::run(&mut leased, command(moves));
        assert_eq!(step.states, [MoveState::Begun(MoveProgress::Releasing); 4]);
        assert_eq!(step.under_way, 4);
        assert_eq!(
            planned(&leased, BalanceScope::Leased),
            [],
            "they count as done"
        );
        sample::follow(&mut leased, "a");
        for ledger in [&classic, &leased] {
            let slot = ledger.saved().instance(&"b".into()).unwrap();
            assert_eq!(slot.held().len(), 4);
            for id in slot.held() {
                let place = ledger.saved().stream(*id).unwrap().place();
                let reason = place.assignment().map(|assignment| assignment.reason);
                assert_eq!(reason, Some(AssignReason::Rebalance));
            }
        }
    }

    #[test]
    fn a_move_waits_for_its_turn_and_is_dropped_if_its_premises_are_gone() {
        let mut ledger = ledger();
        lease(&mut ledger, "a");
        let two = BalanceStreams {
            pace: MovePace {
                per_target: 2,
                in_all: 100,
            },
            ..command([1, 2, 3].map(of_stream).into())
        };
        let step = sample::run(&mut ledger, two.clone());
        let begun = MoveState::Begun(MoveProgress::Releasing);
        assert_eq!(step.states, [begun, begun, MoveState::Waiting]);
        let again = sample::run(&mut ledger, two);
        let gone = MoveState::Dropped;
        assert_eq!(
            again.states,
            [gone, gone, MoveState::Waiting],
            "they move already"
        );
        let unknown = BalanceMove {
            to: "x".into(),
            ..of_stream(4)
        };
        let moves = vec![of_stream(99), unknown];
        assert_eq!(sample::run(&mut ledger, command(moves)).states, [gone; 2]);
        let leased_only = BalanceStreams {
            scope: BalanceScope::Leased,
            ..command(vec![BalanceMove {
                from: "b".into(),
                to: "a".into(),
                ..of_stream(1)
            }])
        };
        sample::follow(&mut ledger, "a");
        assert_eq!(
            sample::run(&mut ledger, leased_only).states,
            [gone],
            "`b` is classic"
        );
        let operator = MoveStreams {
            moves: vec![Relocation {
                stream: StreamId::new(5),
                to: Some("b".into()),
            }],
        };
        sample::run(&mut ledger, operator);
        let moves = vec![of_stream(5)];
        assert_eq!(sample::run(&mut ledger, command(moves)).states, [gone]);
    }
}
