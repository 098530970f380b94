//! The first steps: the instance is looked at anew, and fenced if it still is as silent as it was,
//! or if a person says that it has failed.

use actix::prelude::*;
use log::info;

use super::actor::{RecoveryActor, ground};
use super::attempt::Case;
use super::stopwatch::Stopwatch;
use crate::actors::instance_link::Fence;
use crate::actors::registry::Entry;
use crate::domain::commands::EndIncident;
use crate::domain::incident::{Incident, StepName, StepResult, Unmoved};
use crate::domain::liveness::{FenceAnswer, FenceGround};
use crate::domain::quarantine::{Culpable, FailureFacts};
use crate::domain::recovery::{Averted, Detected, Failure, Progress};

impl RecoveryActor {
    /// Looks at the instance anew and fences it. `earlier` is what an earlier run of the program
    /// opened for the same failure.
    pub(super) fn fence(
        &mut self,
        failure: Failure,
        earlier: Option<Incident>,
        ctx: &mut Context<Self>,
    ) {
        // Of an older life that is over.
        if let Some(case) = self.cases.remove(&failure.id) {
            self.abandon(case, ctx);
        }
        let clock = &self.links.clock.clone();
        let mut progress = earlier.as_ref().map(Progress::saved).unwrap_or_default();
        progress.attempt = progress.attempt.saturating_add(1);
        if earlier.is_none() {
            let lasted = clock.age(failure.detected_at);
            let at = (failure.detected_at, lasted);
            progress.note(
                StepName::Detect,
                StepResult::Done,
                at,
                failure.cause.as_str(),
            );
        }
        let watch = Stopwatch::start(clock);
        let entry = self.links.registry.get(&failure.id);
        let standing = entry.as_ref().map(|entry| entry.standing());
        let refreshed = Detected::new(failure.clone()).refresh(standing.as_ref());
        let (Ok(refreshed), Some(entry), Some(standing)) = (&refreshed, entry, standing) else {
            let averted = refreshed.err().unwrap_or(Averted::Gone);
            return self.averted(&failure, earlier, averted, ctx);
        };
        let known = format!("{} with {} streams", standing.status, standing.held);
        progress.note(
            StepName::Refresh,
            StepResult::Done,
            watch.read(clock),
            known,
        );
        let refreshed = refreshed.clone();
        let fence = Fence {
            incarnation: failure.incarnation,
            ground: ground(failure.cause),
        };
        let culpable = self.culpable(&failure, &entry, earlier.is_some());
        let is_new = earlier.is_none();
        let watch = Stopwatch::start(clock);
        let last_heartbeat = entry.last_sign_wall(clock);
        let actor = entry.actor();
        let request = async move {
            match actor {
                Some(actor) => actor.fence.send(fence).await.ok(),
                None => None,
            }
        };
        ctx.spawn(request.into_actor(self).map(move |answer, actor, ctx| {
            let answer = answer.unwrap_or_else(|| actor.fence_without_actor(&entry, fence));
            let confirmed = match refreshed.reconfirm(answer) {
                Ok(confirmed) => confirmed,
                Err(averted) => return actor.averted(&failure, earlier, averted, ctx),
            };
            let at = watch.read(&actor.links.clock);
            progress.note(StepName::Reconfirm, StepResult::Done, at, "fenced");
            let opened = earlier.and_then(|incident| confirmed.resume(incident));
            let case = Case {
                confirmed,
                opened,
                progress,
                in_doubt: false,
                culpable,
                last_heartbeat,
                is_given_up: false,
                is_promised: false,
            };
            match actor.recoveries.fenced(&failure.id, failure.incarnation) {
                Some(step) => {
                    if is_new && fence.ground == FenceGround::Silence {
                        // The brake may have held the recovery since the detection.
                        let clock = &actor.links.clock;
                        let since = clock.age(failure.detected_at);
                        let delay = entry.silence(clock).saturating_sub(since);
                        actor.links.telemetry.detection_delay.observe(delay);
                    }
                    actor.cases.insert(failure.id, case);
                    actor.take(step, ctx);
                }
                // A later life is being recovered already.
                None => actor.abandon(case, ctx),
            }
        }));
    }

    /// The instance has no actor at the moment: a machine that knows what the entry knows answers,
    /// and the next actor will find the fence there.
    fn fence_without_actor(&self, entry: &Entry, fence: Fence) -> Option<FenceAnswer> {
        if entry.standing().incarnation != fence.incarnation {
            return None;
        }
        let mut machine = entry.liveness(self.settings.thresholds);
        let answer = machine.fence_on(fence.ground, self.links.clock.now());
        if answer == FenceAnswer::Fenced {
            entry.fence();
        }
        Some(answer)
    }

    /// There was nothing to recover; a caller that joined meanwhile still wants its recovery.
    fn averted(
        &mut self,
        failure: &Failure,
        earlier: Option<Incident>,
        averted: Averted,
        ctx: &mut Context<Self>,
    ) {
        let server_id = failure.id.as_str();
        let incident = earlier.as_ref().map(|incident| incident.id.get());
        info!(server_id, incident; "nothing to recover of instance {server_id}: {averted}");
        if let Some(incident) = earlier {
            self.end(EndIncident::unmoved(incident, Unmoved::Averted), ctx);
        }
        self.recoveries.ended(&failure.id, failure.incarnation);
        self.serve_waiting(&failure.id, ctx);
    }
}

impl RecoveryActor {
    /// Collects what the rule of evidence asks for (`domain/quarantine/evidence.rs`).
    fn culpable(&mut self, failure: &Failure, entry: &Entry, is_resumed: bool) -> Option<Culpable> {
        let clock = &self.links.clock;
        self.deafness.look(clock.now(), clock.lost());
        let last_beat = entry.last_sign();
        Culpable::of(&FailureFacts {
            cause: failure.cause,
            last_beat: clock.wall() - clock.now().since(last_beat),
            detected_at: failure.detected_at,
            is_resumed,
            is_of_mass: self.brake.is_of_mass(last_beat),
            may_be_deafness: self.deafness.covers(last_beat),
        })
    }
}
