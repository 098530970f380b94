//! The safety sweep: compares what the instances' last heartbeats say with what is saved, some
//! instances at a time.

use actix::prelude::*;

use super::actor::RecoveryActor;
use super::due::DueSilence;
use super::links::RecoveryLinks;
use super::walk::{PAUSE, SLICE, SweepAt};
use crate::actors::alerts::AskOpen;
use crate::actors::consistency;
use crate::actors::fleet::{CompareWithStore, Execute};
use crate::actors::registry::Entry;
use crate::actors::supervisor::CheckChildren;
use crate::domain::alert::AlertKind;
use crate::domain::commands::{
    ClearSuspicion, ForgetFailed, PlaceWaiting, ReturnInstance, SuspectInstance,
};
use crate::domain::incident::FailureCause;
use crate::domain::liveness::silence_unless_witnessed;
use crate::domain::sweep::{Belief, Correction, correction};
use crate::domain::withdrawal::WithdrawalCause;

impl RecoveryActor {
    /// Puts right what a lost message left behind. One that is under way begins again.
    pub(super) fn sweep(&mut self, ctx: &mut Context<Self>) {
        self.links.supervisor.do_send(CheckChildren);
        let clock = &self.links.clock;
        self.deafness.look(clock.now(), clock.lost());
        let is_under_way = self.sweep.replace(SweepAt { after: None }).is_some();
        if !is_under_way {
            self.sweep_on(ctx);
        }
    }

    /// Looks at the next instances.
    fn sweep_on(&mut self, ctx: &mut Context<Self>) {
        let Some(at) = &self.sweep else {
            return;
        };
        let page = self.links.registry.page(at.after.as_ref(), SLICE);
        let last = page.last().map(|entry| entry.id().clone());
        let is_last = page.len() < SLICE;
        for entry in page {
            self.put_right(&entry, ctx);
            self.find_departure(&entry);
        }
        if is_last {
            self.sweep = None;
            self.finish_sweep(ctx);
        } else {
            self.sweep = Some(SweepAt { after: last });
            ctx.run_later(PAUSE, Self::sweep_on);
        }
    }

    fn put_right(&mut self, entry: &Entry, ctx: &mut Context<Self>) {
        let standing = entry.standing();
        let (id, incarnation) = (entry.id().clone(), standing.incarnation);
        let now = self.links.clock.now();
        let silence = silence_unless_witnessed(
            &self.settings.thresholds,
            now.since(entry.last_beat()),
            now.since(entry.last_sign()),
        );
        let belief = Belief {
            status: standing.watched_as(),
            held: standing.held,
            is_condemned: matches!(
                standing.withdrawn,
                Some(WithdrawalCause::Failure | WithdrawalCause::Emergency)
            ),
            silence,
            has_beaten: entry.has_beaten_since_status(),
        };
        let fleet = &self.links.fleet;
        match correction(&belief) {
            None => {}
            Some(Correction::Recover(FailureCause::HeartbeatTimeout)) => {
                let due = DueSilence {
                    incarnation,
                    is_released: false,
                };
                self.silence_is_due(&id, due, ctx);
            }
            Some(Correction::Recover(cause)) => self.wake(&id, incarnation, cause, ctx),
            Some(Correction::Suspect) => {
                fleet.do_send(Execute(SuspectInstance { id, incarnation }));
            }
            Some(Correction::ClearSuspicion) => {
                fleet.do_send(Execute(ClearSuspicion { id, incarnation }));
            }
            Some(Correction::Return) => {
                fleet.do_send(Execute(ReturnInstance { id, incarnation }));
            }
        }
    }

    fn finish_sweep(&mut self, ctx: &mut Context<Self>) {
        self.arm(ctx);
        let kept = self.links.clock.recent(self.settings.instance_retention);
        let fleet = &self.links.fleet;
        fleet.do_send(Execute(ForgetFailed { kept }));
        fleet.do_send(Execute(PlaceWaiting));
        ctx.spawn(compare(self.links.clone()).into_actor(self));
    }
}

/// Counts what memory and store hold. If they differ, or an invariant was found broken before, all
/// of it is checked: that opens the alert, and closes it once everything holds.
async fn compare(links: RecoveryLinks) {
    let differs = links.fleet.send(CompareWithStore).await == Ok(Some(false));
    let open = links.alerts.book().send(AskOpen).await;
    let is_broken = open.is_ok_and(|open| open.counts.contains_key(&AlertKind::InvariantBroken));
    if (differs || is_broken)
        && let Ok(_permit) = links.checks.try_acquire()
    {
        // Refused only while the system ends.
        let _ = consistency::check(&links.fleet, &links.archive, &links.alerts).await;
    }
}
