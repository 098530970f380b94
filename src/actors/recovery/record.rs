//! What is written down about recoveries after their moves: how they ended, what an earlier run
//! of the program left open, and what a crash in doubt may have left behind.

use actix::prelude::*;
use log::{info, warn};

use super::actor::RecoveryActor;
use super::attempt::{Case, look_up, manner_of};
use super::emergency::tell_finished;
use super::finish::{Finish, save_end};
use crate::actors::refusal::Refusal;
use crate::domain::backoff::retry_delay;
use crate::domain::commands::{EndIncident, Recovered};
use crate::domain::endings::DueEnding;
use crate::domain::incident::Incident;
use crate::domain::incident::Unmoved;
use crate::domain::recovery::{Applied, Failure, Manner, Resumption, resumption};

impl RecoveryActor {
    /// The moves of a recovery are saved: it is verified, and its incident ends. Those who ordered
    /// an emergency recovery are told before that end is saved.
    pub(super) fn finish(&mut self, applied: Applied, manner: Manner, ctx: &mut Context<Self>) {
        let orders = if manner.reason().is_some() {
            self.take_orders(applied.instance())
        } else {
            Vec::new()
        };
        let recovered = Recovered::from(&applied);
        let links = self.links.clone();
        let finish = Finish { links, manner }.run(applied);
        ctx.spawn(finish.into_actor(self).map(move |finished, actor, ctx| {
            if let Some(finished) = finished {
                tell_finished(orders, &recovered, &finished);
                actor.end(finished.end, ctx);
            }
        }));
    }

    /// An incident has ended: that is saved, sooner or later.
    pub(super) fn end(&mut self, command: EndIncident, ctx: &mut Context<Self>) {
        let due = self.endings.begin(command);
        self.save_ending(due, ctx);
    }

    pub(super) fn save_ending(&self, due: DueEnding, ctx: &mut Context<Self>) {
        let id = due.command.incident().id;
        let saved = save_end(self.links.clone(), due.command, due.in_doubt);
        ctx.spawn(saved.into_actor(self).map(move |result, actor, ctx| {
            let Err(refusal) = result else {
                return actor.endings.done(id);
            };
            match refusal {
                // The next start finds it open.
                Refusal::Rejected(_) | Refusal::ShuttingDown => actor.endings.done(id),
                Refusal::StoreUnavailable
                | Refusal::DatabaseReplaced
                | Refusal::OutcomeUnknown
                | Refusal::Overloaded
                | Refusal::RefusedByStore => {
                    let in_doubt = refusal == Refusal::OutcomeUnknown;
                    let attempt = actor.endings.attempt(id);
                    let delay = retry_delay(&actor.settings.retry, attempt, actor.jitter.f64());
                    let due = actor.links.clock.now() + delay;
                    actor.endings.retry_at(id, due, in_doubt);
                    actor.arm(ctx);
                }
            }
        }));
    }

    /// A case that is not carried on: what the store has of it ends as averted.
    pub(super) fn abandon(&mut self, mut case: Case, ctx: &mut Context<Self>) {
        tell_not_done(&case);
        if !case.in_doubt {
            if let Some(opened) = case.opened {
                let mut incident = opened.into_incident();
                incident.steps = case.progress.steps;
                self.end(EndIncident::unmoved(incident, Unmoved::Averted), ctx);
            }
            return;
        }
        let links = self.links.clone();
        let looked = async move {
            let found = look_up(&links, &mut case).await;
            (case, found)
        };
        ctx.spawn(
            looked
                .into_actor(self)
                .map(|(case, found), actor, ctx| match found {
                    Ok(Some(applied)) => {
                        let manner = manner_of(applied.incident());
                        actor.finish(applied, manner, ctx);
                    }
                    Ok(None) => actor.abandon(case, ctx),
                    Err(Refusal::ShuttingDown) => {}
                    Err(_) => {
                        let policy = &actor.settings.retry;
                        let delay = retry_delay(policy, policy.max_attempts, actor.jitter.f64());
                        ctx.run_later(delay, |actor, ctx| actor.abandon(case, ctx));
                    }
                }),
        );
    }

    /// Takes up, or ends, what an earlier run of the program left open.
    pub(super) fn take_up(&mut self, incident: Incident, ctx: &mut Context<Self>) {
        let entry = self.links.registry.get(&incident.instance);
        let standing = entry.map(|entry| entry.standing());
        let (server_id, number) = (incident.instance.as_str(), incident.id.get());
        match resumption(&incident, standing.as_ref()) {
            Resumption::Verify(applied) => {
                info!(server_id, incident = number; "verifying an interrupted recovery");
                let manner = manner_of(&incident);
                self.finish(*applied, manner, ctx);
            }
            Resumption::End(ending) => {
                info!(server_id, incident = number; "ending an interrupted recovery: {ending:?}");
                self.end(EndIncident::unmoved(incident, ending), ctx);
            }
            Resumption::Resume => {
                let failure = Failure {
                    id: incident.instance.clone(),
                    incarnation: incident.incarnation,
                    cause: incident.cause,
                    detected_at: incident.detected_at,
                };
                let step = self.recoveries.resume(failure.clone(), incident.attempts);
                if step.is_some() {
                    warn!(server_id, incident = number; "resuming an interrupted recovery");
                    self.fence(failure, Some(incident), ctx);
                } else {
                    // Another one of the same life goes on already.
                    let ending = Unmoved::Interrupted;
                    self.end(EndIncident::unmoved(incident, ending), ctx);
                }
            }
        }
    }
}

/// Notes that an emergency recovery was not done although its caller was answered that it would be
/// carried out once a lease is over.
fn tell_not_done(case: &Case) {
    let incident = case.opened.as_ref().map(|opened| opened.incident());
    let Some(incident) = incident.filter(|_| case.is_promised && !case.in_doubt) else {
        return;
    };
    if let Some(reason) = incident.reason.as_ref().map(|reason| reason.text.as_str()) {
        let (server_id, number) = (incident.instance.as_str(), incident.id.get());
        warn!(server_id, incident = number, reason;
            "the emergency recovery of {server_id} that was ordered ({reason}) is not carried out: \
             the instance began another life or is gone. Order it again if it is still wanted");
    }
}
