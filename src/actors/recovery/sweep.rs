//! The safety sweep: compares what the instances' last heartbeats say with what is saved.

use actix::prelude::*;

use super::actor::RecoveryActor;
use super::links::RecoveryLinks;
use crate::actors::alerts::AskOpen;
use crate::actors::consistency;
use crate::actors::fleet::{CompareWithStore, Execute};
use crate::actors::supervisor::CheckChildren;
use crate::domain::alert::AlertKind;
use crate::domain::commands::{
    ClearSuspicion, ForgetFailed, PlaceWaiting, ReturnInstance, SuspectInstance,
};
use crate::domain::incident::FailureCause;
use crate::domain::liveness::silence_after;
use crate::domain::sweep::{Belief, Correction, correction};
use crate::domain::withdrawal::WithdrawalCause;

impl RecoveryActor {
    /// Puts right what a lost message left behind.
    pub(super) fn sweep(&mut self, ctx: &mut Context<Self>) {
        self.links.supervisor.do_send(CheckChildren);
        let now = self.links.clock.now();
        for entry in self.links.registry.all() {
            let standing = entry.standing();
            let (id, incarnation) = (entry.id().clone(), standing.incarnation);
            let silent_for = now.since(entry.last_beat());
            let belief = Belief {
                status: standing.status,
                held: standing.held,
                is_condemned: matches!(
                    standing.withdrawn,
                    Some(WithdrawalCause::Failure | WithdrawalCause::Emergency)
                ),
                silence: silence_after(&self.settings.thresholds, silent_for),
                has_beaten: entry.has_beaten_since_status(),
            };
            let fleet = &self.links.fleet;
            match correction(&belief) {
                None => {}
                Some(Correction::Recover(FailureCause::HeartbeatTimeout)) => {
                    let cause = self.cause_of_silence(&entry);
                    self.wake(&id, incarnation, cause, ctx);
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
        self.find_departures(ctx);
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
