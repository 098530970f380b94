//! Moves of a plan for balance. The plan was made beside the fleet, so each move is checked again
//! here: one whose premises are gone is dropped, one that finds no place yet waits.

use super::command::{Command, Rejection};
use super::relocate::{Relocation, move_one, target};
use crate::balance::{BalanceMove, BalanceScope, MoveState};
use crate::events::Event;
use crate::fleet::Draft;
use crate::handover::{Handover, MoveReason};
use crate::pace::{MoveBudget, MovePace};

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
        let stays = !stream.enabled || stream.pinned() == Some(&planned.from);
        if !is_there || stays || !self.may_give(draft, planned) {
            return MoveState::Dropped;
        }
        let wanted = Relocation {
            stream: planned.stream,
            to: Some(planned.to.clone()),
        };
        match target(draft, &wanted, owner.as_ref()) {
            Ok(_) => {}
            Err(Rejection::NoRoom(_)) => return MoveState::Waiting,
            Err(_) => return MoveState::Dropped,
        }
        let arriving = draft
            .fleet()
            .instance(&planned.to)
            .map_or(0, |slot| draft.fleet().arriving(slot));
        if budget.left_for(arriving) == 0 {
            return MoveState::Waiting;
        }
        let (id, mode) = (planned.stream, stream.handoff);
        let progress = move_one(draft, id, mode, owner, &planned.to, MoveReason::Balance);
        if progress.is_under_way() {
            budget.note_begun();
        }
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
