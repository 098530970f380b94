//! The actor that balances.

use std::collections::VecDeque;

use actix::prelude::*;
use log::debug;

use super::blocked::blocked;
use super::links::BalanceLinks;
use super::pending::{BalanceRefusal, Begun, PendingOrder};
use super::planning::planned;
use crate::actors::alarm::Alarm;
use crate::actors::fatal::Vital;
use crate::actors::fleet::Committed;
use crate::domain::balance::{Balancer, Due, Rebalance};
use crate::domain::settings::BalanceSettings;

/// Balances the fleet.
#[derive(Debug)]
pub struct BalanceActor {
    pub(super) links: BalanceLinks,
    pub(super) balancer: Balancer,
    /// Whether a plan is being made, or its next moves are beginning.
    is_busy: bool,
    pub(super) orders: VecDeque<PendingOrder>,
    alarm: Alarm<Self>,
    _vital: Vital,
}

impl BalanceActor {
    /// Balances by these settings.
    pub fn new(settings: BalanceSettings, links: BalanceLinks, vital: Vital) -> Self {
        Self {
            links,
            balancer: Balancer::new(settings),
            is_busy: false,
            orders: VecDeque::new(),
            alarm: Alarm::new(|actor| &mut actor.alarm, Self::on_timer),
            _vital: vital,
        }
    }

    fn arm(&mut self, ctx: &mut Context<Self>) {
        let deadline = self.balancer.next_deadline().filter(|_| !self.is_busy);
        self.alarm.set(deadline, &self.links.clock, ctx);
    }

    fn on_timer(&mut self, ctx: &mut Context<Self>) {
        if !self.is_busy {
            let due = self.balancer.handle_deadline(self.links.clock.now());
            if let Some(due) = due {
                self.act(due, ctx);
                return;
            }
        }
        self.arm(ctx);
    }

    /// Acts on a deadline, unless the fleet is in a state in which it is not balanced.
    fn act(&mut self, due: Due, ctx: &mut Context<Self>) {
        self.is_busy = true;
        let (Due::Plan(what) | Due::Moves(what)) = due;
        let looks_at_health = what.is_automatic();
        let question = blocked(self.links.clone(), looks_at_health);
        ctx.spawn(
            question
                .into_actor(self)
                .map(move |blocked, actor, ctx| match (blocked, due) {
                    (Ok(None), Due::Plan(what)) => actor.plan(what, None, ctx),
                    (Ok(None), Due::Moves(_)) => actor.move_on(Begun::default(), None, ctx),
                    (Ok(Some(_)) | Err(_), due) => {
                        actor.balancer.put_off(due, actor.links.clock.now());
                        actor.free(ctx);
                    }
                }),
        );
    }

    /// Makes a plan and begins it; without an order, the fleet is balanced by itself.
    pub(super) fn plan(
        &mut self,
        what: Rebalance,
        order: Option<PendingOrder>,
        ctx: &mut Context<Self>,
    ) {
        let now = self.links.clock.now();
        let held_back = self.balancer.held_back(now);
        let limits = self.balancer.settings().limits;
        let plan = planned(self.links.fleet.clone(), what, held_back, limits);
        ctx.spawn(plan.into_actor(self).map(move |plan, actor, ctx| {
            let made = match plan {
                Ok(made) => made,
                Err(refusal) => {
                    debug!("no plan for balance: {refusal}");
                    if let Some(order) = order {
                        order.refuse(BalanceRefusal::Refused(refusal));
                    }
                    actor.free(ctx);
                    return;
                }
            };
            let began = order.as_ref().map_or(now, |order| order.came);
            if order.as_ref().is_some_and(|order| order.is_dry_run) {
                let took = actor.links.clock.now().since(began);
                if let Some(order) = order {
                    order.answer(made, Begun::default(), took);
                }
                actor.free(ctx);
                return;
            }
            actor.balancer.begin(what, made.report.plan.moves.clone());
            let pending = order.map(|order| (order, made));
            let begun = Begun {
                since: Some(began),
                ..Begun::default()
            };
            actor.move_on(begun, pending, ctx);
        }));
    }

    /// Ends what was being done, and takes the next order.
    pub(super) fn free(&mut self, ctx: &mut Context<Self>) {
        self.is_busy = false;
        self.take_order(ctx);
        self.arm(ctx);
    }

    pub(super) fn take_order(&mut self, ctx: &mut Context<Self>) {
        if self.is_busy {
            return;
        }
        self.orders.retain(|order| !order.is_abandoned());
        let Some(order) = self.orders.pop_front() else {
            return;
        };
        self.is_busy = true;
        let question = blocked(self.links.clone(), false);
        ctx.spawn(
            question
                .into_actor(self)
                .map(move |blocked, actor, ctx| match blocked {
                    Ok(None) => {
                        let what = order.what;
                        actor.plan(what, Some(order), ctx);
                    }
                    Ok(Some(blocked)) => {
                        order.refuse(BalanceRefusal::Blocked(blocked));
                        actor.free(ctx);
                    }
                    Err(refusal) => {
                        order.refuse(BalanceRefusal::Refused(refusal));
                        actor.free(ctx);
                    }
                }),
        );
    }
}

impl Actor for BalanceActor {
    type Context = Context<Self>;
}

impl Handler<Committed> for BalanceActor {
    type Result = ();

    fn handle(&mut self, committed: Committed, ctx: &mut Self::Context) {
        let now = self.links.clock.now();
        self.balancer.note(&committed.events, now);
        self.arm(ctx);
    }
}
