//! What the FleetActor is asked: to carry out a command, to answer a question, to come to an end.

use actix::prelude::*;
use tokio::sync::oneshot;

use super::actor::{FleetActor, State};
use crate::actors::alerts::AskLabels;
use crate::actors::refusal::Refusal;
use crate::domain::commands::Command;
use crate::domain::ids::Version;
use crate::domain::queries::{LabelsOf, Query};
use crate::domain::request::RequestContext;

/// Carries out a command; answered once it is saved.
#[derive(Debug, Clone)]
pub struct Execute<C>(pub C);

impl<C: Command> Message for Execute<C> {
    type Result = Result<C::Reply, Refusal>;
}

impl<C: Command> Handler<Execute<C>> for FleetActor {
    type Result = ResponseFuture<Result<C::Reply, Refusal>>;

    fn handle(&mut self, Execute(command): Execute<C>, ctx: &mut Self::Context) -> Self::Result {
        self.take(command, None, ctx)
    }
}

/// Carries out a command that a request gave.
#[derive(Debug, Clone)]
pub struct ExecuteFor<C>(pub C, pub RequestContext);

impl<C: Command> Message for ExecuteFor<C> {
    type Result = Result<C::Reply, Refusal>;
}

impl<C: Command> Handler<ExecuteFor<C>> for FleetActor {
    type Result = ResponseFuture<Result<C::Reply, Refusal>>;

    fn handle(
        &mut self,
        ExecuteFor(command, request): ExecuteFor<C>,
        ctx: &mut Self::Context,
    ) -> Self::Result {
        self.take(command, Some(request), ctx)
    }
}

impl FleetActor {
    /// Queues a command; returns its answer.
    fn take<C: Command>(
        &mut self,
        command: C,
        request: Option<RequestContext>,
        ctx: &mut Context<Self>,
    ) -> ResponseFuture<Result<C::Reply, Refusal>> {
        if self.is_draining || matches!(self.state, State::Ended) {
            return Box::pin(async { Err(Refusal::ShuttingDown) });
        }
        let now = self.links.clock.awake();
        let answer = self.queue.push_for(command, request, now);
        self.proceed(ctx);
        Box::pin(async move { answer.await.unwrap_or(Err(Refusal::ShuttingDown)) })
    }
}

/// Answers a question from what is saved.
#[derive(Debug, Clone)]
pub struct Ask<Q>(pub Q);

impl<Q: Query> Message for Ask<Q> {
    type Result = Q::Answer;
}

impl<Q: Query> Handler<Ask<Q>> for FleetActor {
    type Result = MessageResult<Ask<Q>>;

    fn handle(&mut self, Ask(query): Ask<Q>, _: &mut Self::Context) -> Self::Result {
        MessageResult(query.answer(self.ledger.saved()))
    }
}

impl Handler<AskLabels> for FleetActor {
    type Result = MessageResult<AskLabels>;

    fn handle(&mut self, AskLabels(ids): AskLabels, _: &mut Self::Context) -> Self::Result {
        MessageResult(LabelsOf(ids).answer(self.ledger.saved()))
    }
}

/// Proves that the actor takes its messages: they are answered in order.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct ProveLife;

impl Handler<ProveLife> for FleetActor {
    type Result = ();

    fn handle(&mut self, _: ProveLife, _: &mut Self::Context) {}
}

/// Asks how many transactions of the fleet are saved. Exact while the actor is drained.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "SavedVersion")]
pub struct AskVersion;

/// How many transactions of the fleet are saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SavedVersion(pub Version);

impl Handler<AskVersion> for FleetActor {
    type Result = MessageResult<AskVersion>;

    fn handle(&mut self, _: AskVersion, _: &mut Self::Context) -> Self::Result {
        MessageResult(SavedVersion(self.guard.version))
    }
}

/// Takes no more commands; answered when what was waiting is done.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Drain;

impl Handler<Drain> for FleetActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Drain, ctx: &mut Self::Context) -> Self::Result {
        self.is_draining = true;
        let (done, waiter) = oneshot::channel();
        self.draining.push(done);
        self.proceed(ctx);
        Box::pin(async move {
            let _ = waiter.await;
        })
    }
}
