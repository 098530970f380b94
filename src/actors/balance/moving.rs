//! Begins the moves of a plan, one command after the other, as long as more can begin.

use actix::prelude::*;
use log::debug;

use super::actor::BalanceActor;
use super::pending::{BalanceRefusal, Begun, PendingOrder};
use super::planning::Made;
use crate::actors::fleet::{Execute, ExecuteFor};
use crate::actors::refusal::Refusal;
use crate::domain::balance::{MoveState, NextMoves};
use crate::domain::commands::{BalanceStep, BalanceStreams};
use crate::domain::ids::StreamId;

impl BalanceActor {
    /// Tries the next moves; answers the order once no more can begin.
    pub(super) fn move_on(
        &mut self,
        begun: Begun,
        order: Option<(PendingOrder, Made)>,
        ctx: &mut Context<Self>,
    ) {
        let Some(NextMoves {
            moves,
            scope,
            announced,
        }) = self.balancer.next_moves()
        else {
            self.begun(begun, order, ctx);
            return;
        };
        let streams: Vec<StreamId> = moves.iter().map(|planned| planned.stream).collect();
        let command = BalanceStreams {
            moves,
            scope,
            pace: self.balancer.settings().pace,
            announced,
        };
        let fleet = self.links.fleet.clone();
        let request = order.as_ref().and_then(|(order, _)| order.request.clone());
        let call = async move {
            match request {
                Some(request) => fleet.send(ExecuteFor(command, request)).await,
                None => fleet.send(Execute(command)).await,
            }
        };
        ctx.spawn(call.into_actor(self).map(move |answer, actor, ctx| {
            match answer.unwrap_or(Err(Refusal::ShuttingDown)) {
                Ok(step) => actor.tried(streams, step, begun, order, ctx),
                Err(refusal) => {
                    debug!("moves for balance were not saved: {refusal}");
                    actor.balancer.retry(actor.links.clock.now());
                    match order {
                        Some((order, _)) if begun.moves.is_empty() => {
                            // The caller hears that nothing is done, and may order it again.
                            actor.balancer.forget_waiting();
                            order.refuse(BalanceRefusal::Refused(refusal));
                            actor.free(ctx);
                        }
                        order => actor.begun(begun, order, ctx),
                    }
                }
            }
        }));
    }

    fn tried(
        &mut self,
        streams: Vec<StreamId>,
        step: BalanceStep,
        mut begun: Begun,
        order: Option<(PendingOrder, Made)>,
        ctx: &mut Context<Self>,
    ) {
        let states: Vec<(StreamId, MoveState)> = streams.into_iter().zip(step.states).collect();
        for (stream, state) in &states {
            if let MoveState::Begun(progress) = state {
                begun.moves.insert(*stream, *progress);
            }
        }
        begun.under_way = Some(step.under_way);
        let clock = &self.links.clock;
        if self.balancer.tried(&states, clock.now(), clock.wall()) {
            self.move_on(begun, order, ctx);
        } else {
            self.begun(begun, order, ctx);
        }
    }

    fn begun(
        &mut self,
        begun: Begun,
        order: Option<(PendingOrder, Made)>,
        ctx: &mut Context<Self>,
    ) {
        let since = begun.since.filter(|_| !begun.moves.is_empty());
        let now = self.links.clock.now();
        if let Some(since) = since {
            self.balancer.took(now.since(since));
        }
        if let Some((order, made)) = order {
            let took = now.since(order.came);
            order.answer(made, begun, took);
        }
        self.free(ctx);
    }
}
