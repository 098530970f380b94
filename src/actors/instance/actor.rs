//! The actor of one instance.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use actix::prelude::*;
use log::debug;

use super::reconciler::Reconciler;
use super::releases::Releases;

use crate::actors::alarm::Alarm;
use crate::actors::alerts::Alerts;
use crate::actors::exit_notice::DeathNotice;
use crate::actors::fleet::{Execute, FleetActor};
use crate::actors::instance_link::{
    Beat, Fence, FenceAfter, LivenessChanged, Pulse, Retire, StandingChanged, StreamsReleased,
};
use crate::actors::registry::Entry;

use crate::clock::Clock;
use crate::domain::commands::{ConfirmDelivery, HeartbeatForm};
use crate::domain::heartbeat::Heartbeat;
use crate::domain::lease::{Grant, grant, is_rid_of_all, shows_news};
use crate::domain::liveness::{Effect, FenceAnswer, FenceGround, LivenessMachine};
use crate::domain::settings::{LivenessThresholds, WorkerLimits};

/// The part of the time to the first deadline over which first timers are spread: a quarter.
const EARLY_SHARE: u32 = 4;

/// What every instance's actor shares.
#[derive(Debug)]
pub struct InstanceLinks {
    pub(in crate::actors) clock: Clock,
    pub(in crate::actors) thresholds: LivenessThresholds,
    pub(in crate::actors) limits: WorkerLimits,
    pub(in crate::actors) notices: Recipient<LivenessChanged>,
    pub(in crate::actors) let_go: Recipient<StreamsReleased>,
    pub(in crate::actors) fleet: Addr<FleetActor>,
    pub(in crate::actors) alerts: Alerts,
}

/// Watches one instance.
#[derive(Debug)]
pub struct InstanceActor {
    pub(super) entry: Arc<Entry>,
    pub(super) machine: LivenessMachine,
    pub(super) links: Arc<InstanceLinks>,
    alarm: Alarm<Self>,
    pub(super) confirming: bool,
    pub(super) reconciler: Reconciler,
    pub(super) releases: Releases,
    _notice: DeathNotice,
}

impl InstanceActor {
    pub(in crate::actors) fn new(
        entry: Arc<Entry>,
        links: Arc<InstanceLinks>,
        notice: DeathNotice,
    ) -> Self {
        let machine = entry.liveness(links.thresholds);
        let reconciler = Reconciler::new(&entry, &links.thresholds, links.alerts.clone());
        let releases = Releases::new(&links.thresholds, links.alerts.clone());
        Self {
            entry,
            machine,
            links,
            alarm: Alarm::new(|actor| &mut actor.alarm, Self::on_timer),
            confirming: false,
            reconciler,
            releases,
            _notice: notice,
        }
    }

    fn notice(&self, effect: Effect) {
        debug!(server_id = self.entry.id().as_str(); "the instance was noticed: {effect:?}");
        self.links.notices.do_send(LivenessChanged {
            id: self.entry.id().clone(),
            incarnation: self.entry.standing().incarnation,
            effect,
        });
    }

    fn on_timer(&mut self, ctx: &mut Context<Self>) {
        // A heartbeat may have been stamped whose message has not arrived, or never will.
        if let Some(effect) = self.machine.heartbeat_if_newer(self.entry.last_beat()) {
            self.notice(effect);
        }
        self.machine.witness(self.entry.witnessed());
        let now = self.links.clock.now();
        while let Some(effect) = self.machine.handle_deadline(now) {
            self.notice(effect);
        }
        self.arm(ctx);
    }

    /// Arms the first timer before the first deadline, by a share that depends on the name. After a
    /// start all instances have one deadline; a hundred thousand timers that fire at once would
    /// delay every heartbeat. A timer that finds nothing due is armed again, and by then each
    /// instance has its own heartbeat to count from.
    fn arm_early(&mut self, ctx: &mut Context<Self>) {
        let Some(deadline) = self.machine.next_deadline() else {
            return;
        };
        let now = self.links.clock.now();
        let spread = deadline.since(now) / EARLY_SHARE;
        let mut hasher = DefaultHasher::new();
        self.entry.id().hash(&mut hasher);
        let share = (hasher.finish() % 1_000) as u32;
        let wait = deadline.since(now) - spread * share / 1_000;
        self.alarm.set_by(now + wait, &self.links.clock, ctx);
    }

    /// Sees to it that the timer fires no later than the next deadline.
    fn arm(&mut self, ctx: &mut Context<Self>) {
        if let Some(deadline) = self.machine.next_deadline() {
            self.alarm.set_by(deadline, &self.links.clock, ctx);
        }
    }

    fn confirm(&mut self, heartbeat: &Heartbeat, ctx: &mut Context<Self>) {
        let standing = self.entry.standing();
        let running = heartbeat.running();
        let (named, version) = (heartbeat.incarnation, heartbeat.version);
        if self.confirming || !shows_news(&standing, named, version, running.is_some()) {
            return;
        }
        self.confirming = true;
        let confirmation = ConfirmDelivery {
            id: self.entry.id().clone(),
            incarnation: standing.incarnation,
            form: match named {
                Some(_) => HeartbeatForm::WithIncarnation,
                None => HeartbeatForm::WithoutIncarnation,
            },
            version,
            running: running.map(|running| running.to_vec()),
        };
        let answer = self.links.fleet.send(Execute(confirmation));
        ctx.spawn(answer.into_actor(self).map(|outcome, actor, _| {
            // Whatever came of it: the next heartbeat says the same again.
            actor.confirming = false;
            if let Ok(Err(refusal)) = outcome {
                debug!(server_id = actor.entry.id().as_str(); "releases of the worker were not confirmed: {refusal}");
            }
            actor.tell_if_let_go();
        }));
    }
}

impl InstanceActor {
    /// Nothing has to wait for the end of a lease under which nothing runs any more.
    fn tell_if_let_go(&self) {
        if is_rid_of_all(&self.entry.standing()) {
            self.links.let_go.do_send(StreamsReleased {
                id: self.entry.id().clone(),
            });
        }
    }

    fn is_trusted(&self) -> bool {
        // The fence may have gone up while this actor was being created.
        self.machine.is_trusted() && !self.entry.is_fenced()
    }

    /// Grants a lease if the rule does: its end is noted before the answer leaves.
    fn grant(&self, heartbeat: &Heartbeat) -> Option<Grant> {
        let (standing, limits) = (self.entry.standing(), &self.links.limits);
        let named = heartbeat.incarnation;
        let granted = grant(&standing, named, self.is_trusted(), limits)?;
        // The worker measures from when it sent the heartbeat, which was before it came here.
        self.entry
            .grant_until(self.entry.last_beat() + heartbeat.age + granted.lease);
        Some(granted)
    }
}

impl Actor for InstanceActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.arm_early(ctx);
        self.on_timer(ctx);
    }
}

impl Handler<Beat> for InstanceActor {
    type Result = Pulse;

    fn handle(&mut self, Beat(heartbeat): Beat, ctx: &mut Self::Context) -> Pulse {
        if let Some(effect) = self.machine.heartbeat(self.entry.last_beat()) {
            self.notice(effect);
        }
        self.confirm(&heartbeat, ctx);
        self.watch_releases(&heartbeat, ctx);
        self.arm(ctx);
        Pulse {
            is_trusted: self.is_trusted(),
            granted: self.grant(&heartbeat),
            tells_again: self.reconcile(&heartbeat, ctx),
        }
    }
}

impl Handler<Fence> for InstanceActor {
    type Result = Option<FenceAnswer>;

    fn handle(&mut self, fence: Fence, ctx: &mut Self::Context) -> Option<FenceAnswer> {
        if self.entry.standing().incarnation != fence.incarnation {
            return None;
        }
        // Stamped heartbeats count even if their message is still on its way.
        if fence.ground == FenceGround::Silence
            && let Some(effect) = self.machine.heartbeat_if_newer(self.entry.last_beat())
        {
            self.notice(effect);
            self.arm(ctx);
        }
        self.machine.witness(self.entry.witnessed());
        let answer = self.machine.fence_on(fence.ground, self.links.clock.now());
        if answer == FenceAnswer::Fenced {
            self.entry.fence();
        }
        Some(answer)
    }
}

impl Handler<StandingChanged> for InstanceActor {
    type Result = ();

    fn handle(&mut self, adopt: StandingChanged, ctx: &mut Self::Context) {
        let standing = self.entry.standing();
        self.forget_what_is_over(&standing);
        let saved = standing.saved();
        let is_over = adopt.fence == FenceAfter::Lifted || !saved.status.is_serving();
        if is_over {
            self.entry.lift_fence();
        } else if self.entry.is_fenced() {
            return;
        }
        let now = self.links.clock.now();
        if let Some(effect) = self.machine.adopt(saved, now) {
            self.notice(effect);
        }
        self.on_timer(ctx);
    }
}

impl Handler<Retire> for InstanceActor {
    type Result = ();

    fn handle(&mut self, _: Retire, ctx: &mut Self::Context) {
        ctx.stop();
    }
}
