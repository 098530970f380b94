//! The parent of the instances' actors.
//!
//! It spawns one actor per registered instance and hears of each one's end, however it ended: a
//! panicking actor is unwound, and its `DeathNotice` (`exit_notice.rs`) is sent while that happens. An actor that ended
//! although its instance is still registered is created again at once, from the registry's
//! entry; one that keeps ending is quarantined (`domain/supervision.rs`), and judged by the sweep
//! meanwhile. `actix::Supervisor` cannot do this: it does not restart an actor that panicked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use log::{error, warn};

use super::address::{MAILBOX, reserve};
use super::alerts::Alerts;
use super::exit_notice::{ChildExited, DeathNotice, Generation};
use super::fatal::Vital;
use super::fleet::Committed;
use super::instance::{InstanceActor, InstanceLinks};
use super::instance_link::{FenceAfter, InstanceLink, Retire, StandingChanged};
use super::registry::{Entry, Registry};
use super::telemetry::Telemetry;
use crate::clock::Clock;
use crate::domain::alert::AlertKind;
use crate::domain::ids::InstanceId;
use crate::domain::supervision::{QUARANTINE, RestartHistory, Verdict};

#[derive(Debug, Default)]
struct Child {
    generation: Generation,
    history: RestartHistory,
    /// None: it is quarantined.
    address: Option<Addr<InstanceActor>>,
}

/// Supervises the instances' actors.
#[derive(Debug)]
pub struct Supervisor {
    registry: Arc<Registry>,
    clock: Clock,
    telemetry: Arc<Telemetry>,
    alerts: Alerts,
    links: Arc<InstanceLinks>,
    /// Hears of the ends of children.
    notices: Option<Arc<Recipient<ChildExited>>>,
    children: BTreeMap<InstanceId, Child>,
    /// Those that keep ending.
    quarantined: BTreeSet<InstanceId>,
    newest: Generation,
    /// How far the walk over all instances has come, while one is under way.
    walk: Option<WalkAt>,
    _vital: Vital,
}

/// How far a walk has come.
#[derive(Debug, Default)]
struct WalkAt {
    after: Option<InstanceId>,
}

/// How many instances are looked at in one go, and get an actor at a start: about a millisecond.
/// Between two goes heartbeats are taken.
const SLICE: usize = 64;

/// The pause between two goes: the shortest one in which every other actor of the arbiter has a turn.
const PAUSE: Duration = Duration::from_millis(1);

impl Supervisor {
    /// A supervisor that gives every instance in the registry an actor.
    pub fn new(
        registry: Arc<Registry>,
        clock: Clock,
        telemetry: Arc<Telemetry>,
        links: InstanceLinks,
        vital: Vital,
    ) -> Self {
        Self {
            registry,
            clock,
            telemetry,
            alerts: links.alerts.clone(),
            links: Arc::new(links),
            notices: None,
            children: BTreeMap::new(),
            quarantined: BTreeSet::new(),
            walk: None,
            newest: Generation::default(),
            _vital: vital,
        }
    }

    fn spawn(&mut self, entry: &Arc<Entry>, ctx: &mut Context<Self>) {
        let child = self.children.entry(entry.id().clone()).or_default();
        self.newest = self.newest.next();
        child.generation = self.newest;
        let parent = (self.notices).get_or_insert_with(|| Arc::new(ctx.address().recipient()));
        let parent = parent.clone();
        let notice = DeathNotice::new(entry.id().clone(), child.generation, parent);
        let (address, reserved) = reserve(MAILBOX);
        reserved.start(
            None,
            InstanceActor::new(entry.clone(), self.links.clone(), notice),
        );
        entry.set_actor(Some(Arc::new(InstanceLink::new(&address))));
        // What was saved while there was no actor to notify.
        address.do_send(StandingChanged {
            fence: FenceAfter::Stays,
        });
        child.address = Some(address);
    }

    fn release_quarantined(&mut self, ctx: &mut Context<Self>) {
        let now = self.clock.now();
        let children = &mut self.children;
        let is_released = |id: &&InstanceId| {
            let child = children.get_mut(*id);
            child.is_none_or(|child| child.history.is_released(now))
        };
        let released: Vec<InstanceId> = self
            .quarantined
            .iter()
            .filter(is_released)
            .cloned()
            .collect();
        for id in released {
            self.quarantined.remove(&id);
            self.alerts
                .clear(AlertKind::InstanceQuarantined, id.as_str());
            if let Some(entry) = self.registry.get(&id) {
                self.spawn(&entry, ctx);
            }
        }
    }

    /// Sees, some instances at a time, whether each has its actor. A walk that is under way begins
    /// again.
    fn begin_walk(&mut self, ctx: &mut Context<Self>) {
        if self.walk.replace(WalkAt::default()).is_none() {
            self.walk_on(ctx);
        }
    }

    fn walk_on(&mut self, ctx: &mut Context<Self>) {
        let Some(at) = self.walk.take() else {
            return;
        };
        let page = self.registry.page(at.after.as_ref(), SLICE);
        if page.len() == SLICE {
            let after = page.last().map(|entry| entry.id().clone());
            self.walk = Some(WalkAt { after });
            ctx.run_later(PAUSE, Self::walk_on);
        }
        for entry in page {
            match self.children.get(entry.id()) {
                None => self.spawn(&entry, ctx),
                Some(child) if child.history.is_quarantined() => {}
                Some(_) if entry.actor().is_none_or(|actor| !actor.is_connected()) => {
                    self.spawn(&entry, ctx);
                }
                Some(_) => {}
            }
        }
    }
}

impl Actor for Supervisor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.begin_walk(ctx);
    }
}

impl Handler<Committed> for Supervisor {
    type Result = ();

    fn handle(&mut self, committed: Committed, ctx: &mut Self::Context) {
        for entry in committed.removed.iter() {
            self.removed(entry, ctx);
        }
        for id in committed.added.iter() {
            self.added(id, ctx);
        }
    }
}

impl Supervisor {
    /// An instance was registered for the first time.
    fn added(&mut self, id: &InstanceId, ctx: &mut Context<Self>) {
        if self.children.contains_key(id) {
            return;
        }
        if let Some(entry) = self.registry.get(id) {
            self.spawn(&entry, ctx);
        }
    }

    /// An instance is gone for good.
    fn removed(&mut self, entry: &Entry, ctx: &mut Context<Self>) {
        self.quarantined.remove(entry.id());
        let child = self.children.remove(entry.id());
        if let Some(address) = child.and_then(|child| child.address) {
            address.do_send(Retire);
        }
        // It may have registered again in the meantime, under a new entry.
        if let Some(successor) = self.registry.get(entry.id()) {
            self.spawn(&successor, ctx);
        }
    }
}

impl Handler<ChildExited> for Supervisor {
    type Result = ();

    fn handle(&mut self, exited: ChildExited, ctx: &mut Self::Context) {
        let Some(entry) = self.registry.get(&exited.id) else {
            return;
        };
        let Some(child) = self.children.get_mut(&exited.id) else {
            return;
        };
        if child.generation != exited.generation {
            return;
        }
        let server_id = exited.id.as_str();
        self.telemetry.actor_restarts.inc();
        match child.history.ended(self.clock.now()) {
            Verdict::Restart => {
                let how = if exited.panicked { "panicked" } else { "ended" };
                warn!(server_id; "the actor of instance {server_id} {how}; starting a new one");
                self.spawn(&entry, ctx);
            }
            Verdict::Quarantine => {
                entry.set_actor(None);
                self.quarantined.insert(exited.id.clone());
                child.address = None;
                self.alerts.raise(
                    AlertKind::InstanceQuarantined,
                    server_id,
                    format!(
                        "The actor of instance {server_id} keeps ending; the sweep watches it \
                         meanwhile."
                    ),
                );
                error!(
                    server_id, quarantine_seconds = QUARANTINE.as_secs();
                    "the actor of instance {server_id} keeps ending; the sweep watches it meanwhile"
                );
            }
        }
    }
}

/// Sees whether every registered instance has its actor.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct CheckChildren;

impl Handler<CheckChildren> for Supervisor {
    type Result = ();

    fn handle(&mut self, _: CheckChildren, ctx: &mut Self::Context) {
        self.release_quarantined(ctx);
        self.begin_walk(ctx);
    }
}

/// Asks for the actor of an instance; none: the instance has no actor at the moment.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Option<Addr<InstanceActor>>")]
pub struct FindChild(pub InstanceId);

impl Handler<FindChild> for Supervisor {
    type Result = Option<Addr<InstanceActor>>;

    fn handle(&mut self, FindChild(id): FindChild, _: &mut Self::Context) -> Self::Result {
        self.children.get(&id)?.address.clone()
    }
}
