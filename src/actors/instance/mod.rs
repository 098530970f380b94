//! One actor per registered instance: it knows how long its instance has been silent.
//!
//! ```text
//!   Beat ─────────▶ machine.heartbeat ──┐
//!   timer fires ──▶ machine.handle_deadline ─▶ Noticed { effect } to the RecoveryActor
//!   Fence ────────▶ machine.fence ──▶ Alive | Fenced
//!   Adopt ────────▶ machine.adopt (what is saved has changed)
//! ```
//!
//! One timer at a time: when it fires early, because the instance beat meanwhile or because
//! running time stood still, it is armed again. If the actor panics, the heartbeats stay in the
//! registry's entry and its successor takes its deadline from there.

mod reconcile;
mod releases;

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use log::debug;

use super::alerts::Alerts;
use super::fleet::{Execute, FleetActor};
use super::recovery::{LetGo, Noticed, RecoveryActor};
use super::registry::Entry;
use super::supervisor::DeathNotice;
use crate::clock::Clock;
use crate::domain::commands::ConfirmDelivery;
use crate::domain::ids::{AssignmentVersion, Incarnation};
use crate::domain::liveness::{Effect, FenceAnswer, LivenessMachine};
use crate::domain::reconciliation::Report;
use crate::domain::settings::LivenessThresholds;
use crate::domain::time::Timestamp;

use reconcile::Reconciler;
pub use reconcile::Says;
use releases::Releases;

/// A timer never waits longer than this, so that no deadline is too far away for it.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3_600);

/// What every instance's actor shares.
#[derive(Debug, Clone)]
pub struct InstanceLinks {
    pub(super) clock: Clock,
    pub(super) thresholds: LivenessThresholds,
    pub(super) lease: Duration,
    pub(super) recovery: Addr<RecoveryActor>,
    pub(super) fleet: Addr<FleetActor>,
    pub(super) alerts: Alerts,
}

/// Watches one instance.
#[derive(Debug)]
pub struct InstanceActor {
    entry: Arc<Entry>,
    machine: LivenessMachine,
    links: InstanceLinks,
    armed_for: Option<(Timestamp, SpawnHandle)>,
    confirming: bool,
    reconciler: Reconciler,
    releases: Releases,
    _notice: DeathNotice,
}

impl InstanceActor {
    pub(super) fn new(entry: Arc<Entry>, links: InstanceLinks, notice: DeathNotice) -> Self {
        let standing = entry.standing();
        let mut machine =
            LivenessMachine::new(links.thresholds, standing.saved(), entry.last_beat());
        if entry.is_fenced() {
            machine.fence_regardless();
        }
        let reconciler = Reconciler::new(&entry, &links.thresholds, links.alerts.clone());
        let releases = Releases::new(&links.thresholds, links.alerts.clone());
        Self {
            entry,
            machine,
            links,
            armed_for: None,
            confirming: false,
            reconciler,
            releases,
            _notice: notice,
        }
    }

    fn notice(&self, effect: Effect) {
        debug!(server_id = self.entry.id().as_str(); "noticed {effect:?}");
        self.links.recovery.do_send(Noticed {
            id: self.entry.id().clone(),
            incarnation: self.entry.standing().incarnation,
            effect,
        });
    }

    fn look_at_the_time(&mut self, ctx: &mut Context<Self>) {
        // A heartbeat may have been stamped whose message has not arrived, or never will.
        if let Some(effect) = self.machine.heartbeat_if_newer(self.entry.last_beat()) {
            self.notice(effect);
        }
        let now = self.links.clock.now();
        while let Some(effect) = self.machine.handle_deadline(now) {
            self.notice(effect);
        }
        self.arm(ctx);
    }

    /// Sees to it that the timer fires no later than the next deadline.
    fn arm(&mut self, ctx: &mut Context<Self>) {
        let Some(deadline) = self.machine.next_deadline() else {
            return;
        };
        match self.armed_for {
            Some((armed, _)) if armed <= deadline => return,
            Some((_, handle)) => {
                ctx.cancel_future(handle);
            }
            None => {}
        }
        let wait = self.links.clock.wait_until(deadline).min(LONGEST_WAIT);
        let handle = ctx.run_later(wait, |actor, ctx| {
            actor.armed_for = None;
            actor.look_at_the_time(ctx);
        });
        self.armed_for = Some((deadline, handle));
    }

    fn confirm(&mut self, beat: &Beat, ctx: &mut Context<Self>) {
        let standing = self.entry.standing();
        if beat.life.is_some_and(|life| life != standing.incarnation) {
            return;
        }
        let waits = standing.unconfirmed + standing.releasing > 0;
        let running = beat.says.as_ref().and_then(|says| says.running.as_ref());
        let shows_news =
            waits && (running.is_some() || beat.version.is_some_and(|known| known.get() > 0));
        if self.confirming || !shows_news {
            return;
        }
        self.confirming = true;
        let confirmation = ConfirmDelivery {
            id: self.entry.id().clone(),
            incarnation: standing.incarnation,
            version: beat.version,
            running: running.map(|running| running.to_vec()),
        };
        let answer = self.links.fleet.send(Execute(confirmation));
        ctx.spawn(answer.into_actor(self).map(|outcome, actor, _| {
            // Whatever came of it: the next heartbeat says the same again.
            actor.confirming = false;
            if let Ok(Err(refusal)) = outcome {
                debug!(server_id = actor.entry.id().as_str(); "not confirmed: {refusal}");
            }
            actor.tell_if_let_go();
        }));
    }
}

impl InstanceActor {
    /// Nobody has to wait for the end of a lease under which nothing runs any more.
    fn tell_if_let_go(&self) {
        let standing = self.entry.standing();
        if standing.withdrawn.is_some() && standing.exclusive == 0 {
            self.links.recovery.do_send(LetGo {
                id: self.entry.id().clone(),
            });
        }
    }

    fn is_trusted(&self) -> bool {
        // The fence may have gone up while this actor was being created.
        self.machine.is_trusted() && !self.entry.is_fenced()
    }

    /// Grants a lease to who beats with its incarnation, if it may have one: then, and only then,
    /// its end is written down before anybody hears of it.
    fn grant(&self, beat: &Beat) -> bool {
        let standing = self.entry.standing();
        // Another process may have registered while this heartbeat was on its way.
        let is_granted = beat.life == Some(standing.incarnation)
            && standing.leased
            && standing.lease >= self.links.lease
            && standing.withdrawn.is_none()
            && self.is_trusted();
        if is_granted {
            // The worker measures from when it sent the heartbeat, which was before it came.
            self.entry
                .grant_until(self.entry.last_beat() + self.links.lease);
        }
        is_granted
    }
}

impl Actor for InstanceActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.look_at_the_time(ctx);
    }
}

/// The instance beat; the registry's entry is stamped already.
#[derive(Debug, Clone, Default, Message)]
#[rtype(result = "Pulse")]
pub struct Beat {
    /// The life it belongs to, if it says so.
    pub life: Option<Incarnation>,
    /// The last assignment version the worker has, if it says so.
    pub version: Option<AssignmentVersion>,
    /// What the worker says it runs, if it says so.
    pub says: Option<Says>,
}

impl Beat {
    /// What can be compared with what is saved, if the worker says what it runs.
    fn report(&self) -> Option<Report> {
        self.says.as_ref().map(|says| Report {
            version: self.version,
            digest: says.digest,
            count: says.count,
        })
    }
}

/// What the instance's actor makes of a heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, MessageResponse)]
pub struct Pulse {
    /// Whether it is a sign of life; not while the instance is fenced or has failed: then it is one
    /// of return.
    pub is_trusted: bool,
    /// Whether it renews the instance's lease.
    pub grants_lease: bool,
    /// Whether its worker is to be told again what to run, although it has the newest version.
    pub tells_again: bool,
}

impl Handler<Beat> for InstanceActor {
    type Result = Pulse;

    fn handle(&mut self, beat: Beat, ctx: &mut Self::Context) -> Pulse {
        if let Some(effect) = self.machine.heartbeat(self.entry.last_beat()) {
            self.notice(effect);
        }
        self.confirm(&beat, ctx);
        self.watch_releases(&beat, ctx);
        self.arm(ctx);
        Pulse {
            is_trusted: self.is_trusted(),
            grants_lease: self.grant(&beat),
            tells_again: self.reconcile(&beat, ctx),
        }
    }
}

/// How sure the caller is that the instance has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FenceGround {
    /// It was silent: fence it only if it still is.
    Silence,
    /// Somebody said so: fence it, beating or not.
    Report,
}

/// Recovery of a life of the instance begins. `None` if it leads another life.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Option<FenceAnswer>")]
pub struct Fence {
    /// Which life.
    pub incarnation: Incarnation,
    /// Why.
    pub ground: FenceGround,
}

impl Handler<Fence> for InstanceActor {
    type Result = Option<FenceAnswer>;

    fn handle(&mut self, fence: Fence, ctx: &mut Self::Context) -> Option<FenceAnswer> {
        if self.entry.standing().incarnation != fence.incarnation {
            return None;
        }
        let answer = match fence.ground {
            FenceGround::Report => {
                self.machine.fence_regardless();
                FenceAnswer::Fenced
            }
            FenceGround::Silence => {
                // Stamped heartbeats count even if their message is still on its way.
                if let Some(effect) = self.machine.heartbeat_if_newer(self.entry.last_beat()) {
                    self.notice(effect);
                    self.arm(ctx);
                }
                self.machine.fence(self.links.clock.now())
            }
        };
        if answer == FenceAnswer::Fenced {
            self.entry.fence();
        }
        Some(answer)
    }
}

/// What is saved about the instance has changed, or a recovery came to nothing: look again.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Adopt {
    /// Whether a fence ends with it.
    pub fence: FenceAfter,
}

/// What becomes of the fence when the saved state is adopted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FenceAfter {
    /// A recovery that is under way goes on.
    Stays,
    /// The recovery is over.
    Lifted,
}

impl Handler<Adopt> for InstanceActor {
    type Result = ();

    fn handle(&mut self, adopt: Adopt, ctx: &mut Self::Context) {
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
        self.look_at_the_time(ctx);
    }
}

/// The instance is gone: so is its actor.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Retire;

impl Handler<Retire> for InstanceActor {
    type Result = ();

    fn handle(&mut self, _: Retire, ctx: &mut Self::Context) {
        ctx.stop();
    }
}
