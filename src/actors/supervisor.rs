//! The parent of the instances' actors.
//!
//! It spawns one actor per registered instance and hears of each one's end, however it ended: a
//! panicking actor is unwound, and its `DeathNotice` (`exit_notice.rs`) is sent while that happens. Whoever ended
//! although the instance is still registered is created again at once, from the registry's
//! entry; one that keeps ending is quarantined (`domain/supervision.rs`), and judged by the sweep
//! meanwhile. `actix::Supervisor` cannot do this: it does not restart an actor that panicked.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix::prelude::*;
use log::{error, warn};

use super::alerts::Alerts;
use super::exit_notice::{ChildExited, DeathNotice, Generation};
use super::fatal::Vital;
use super::fleet::Committed;
use super::instance::{InstanceActor, InstanceLinks};
use super::instance_link::{Adopt, FenceAfter, InstanceLink, Retire};
use super::registry::{Entry, Registry};
use super::telemetry::Telemetry;
use crate::clock::Clock;
use crate::domain::alert::{AlertKind, Severity};
use crate::domain::ids::InstanceId;
use crate::domain::supervision::{QUARANTINE, RestartHistory, Verdict};

#[derive(Debug, Default)]
struct Child {
    generation: Generation,
    history: RestartHistory,
}

/// Supervises the instances' actors.
#[derive(Debug)]
pub struct Supervisor {
    registry: Arc<Registry>,
    clock: Clock,
    telemetry: Arc<Telemetry>,
    alerts: Alerts,
    links: InstanceLinks,
    children: BTreeMap<InstanceId, Child>,
    newest: Generation,
    _vital: Vital,
}

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
            links,
            children: BTreeMap::new(),
            newest: Generation::default(),
            _vital: vital,
        }
    }

    fn spawn(&mut self, entry: &Arc<Entry>, ctx: &mut Context<Self>) {
        let child = self.children.entry(entry.id().clone()).or_default();
        self.newest = self.newest.next();
        child.generation = self.newest;
        let parent = ctx.address().recipient();
        let notice = DeathNotice::new(entry.id().clone(), child.generation, parent);
        let actor = InstanceActor::new(entry.clone(), self.links.clone(), notice).start();
        entry.set_actor(Some(Arc::new(InstanceLink::new(actor.clone()))));
        // What was saved while there was nobody to tell.
        actor.do_send(Adopt {
            fence: FenceAfter::Stays,
        });
    }

    fn release_quarantined(&mut self, ctx: &mut Context<Self>) {
        let now = self.clock.now();
        let released: Vec<InstanceId> = self
            .children
            .iter_mut()
            .filter_map(|(id, child)| child.history.is_released(now).then(|| id.clone()))
            .collect();
        for id in released {
            self.alerts
                .clear(AlertKind::InstanceQuarantined, id.as_str());
            if let Some(entry) = self.registry.get(&id) {
                self.spawn(&entry, ctx);
            }
        }
    }
}

impl Actor for Supervisor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        for entry in self.registry.all() {
            self.spawn(&entry, ctx);
        }
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
        self.children.remove(entry.id());
        if let Some(actor) = entry.actor() {
            actor.retire.do_send(Retire);
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
                self.alerts.raise(
                    AlertKind::InstanceQuarantined,
                    Severity::Warning,
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
        for entry in self.registry.all() {
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
