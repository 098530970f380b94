//! Reports two processes that live under one name (`domain/identity.rs`).
//!
//! It hears of refused calls only, those that name an older life; nothing of it is on the path
//! of a heartbeat that is served. What it finds is an alert, an event, and a field of the
//! instance's details. What it suspects ends with the process: whoever is still there is sighted
//! again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;

use super::alerts::Alerts;
use super::fatal::Vital;
use super::journal::{Journal, Note};
use super::registry::{Duplicate, Registry};
use crate::clock::Clock;
use crate::domain::alert::{AlertKind, Severity};
use crate::domain::events::Event;
use crate::domain::identity::{Finding, IdentityLimits, IdentityMachine};
use crate::domain::ids::{Incarnation, InstanceId};
use crate::domain::time::Timestamp;

/// A timer never waits longer than this, so that no deadline is too far away for it.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3_600);

/// Watches the names under which an older life was heard.
#[derive(Debug)]
pub struct IdentityActor {
    limits: IdentityLimits,
    watched: BTreeMap<InstanceId, IdentityMachine>,
    registry: Arc<Registry>,
    clock: Clock,
    alerts: Alerts,
    journal: Addr<Journal>,
    is_armed: bool,
    _vital: Vital,
}

impl IdentityActor {
    /// Suspects nobody.
    pub fn new(
        limits: IdentityLimits,
        registry: Arc<Registry>,
        clock: Clock,
        alerts: Alerts,
        journal: Addr<Journal>,
        vital: Vital,
    ) -> Self {
        Self {
            limits,
            watched: BTreeMap::new(),
            registry,
            clock,
            alerts,
            journal,
            is_armed: false,
            _vital: vital,
        }
    }

    fn sighted(&mut self, heard: &OlderLife) {
        let now = self.clock.now();
        let Some(machine) = self.watched.get_mut(&heard.id) else {
            if let Some(machine) = IdentityMachine::begin(self.limits, heard.newest_spoke, now) {
                self.watched.insert(heard.id.clone(), machine);
            }
            return;
        };
        let finding = machine.sighted(heard.newest_spoke, now);
        if let Some(Finding::Duplicate | Finding::StillThere) = finding {
            self.show(heard);
        }
        if finding == Some(Finding::Duplicate) {
            self.journal.do_send(Note(Event::DuplicateIdentity {
                instance: heard.id.clone(),
                incarnation: heard.newest,
                older: heard.older,
            }));
        }
    }

    fn show(&self, heard: &OlderLife) {
        let OlderLife {
            id, older, newest, ..
        } = heard;
        if let Some(entry) = self.registry.get(id) {
            let now = self.clock.wall();
            let since = entry.duplicate().map_or(now, |known| known.since);
            entry.set_duplicate(Some(Duplicate {
                older: *older,
                since,
                last_seen: now,
            }));
        }
        // Raised again at each sighting: the alert may have gone with an instance that was
        // removed and came back.
        self.alerts.raise(
            AlertKind::DuplicateIdentity,
            Severity::Warning,
            id.as_str(),
            format!(
                "Two processes run as `{id}`: incarnation {newest} is the newest and is served, \
                 {older} goes on calling and is refused. Stop one of them, or give it a \
                 `server_id` of its own."
            ),
        );
    }

    fn look_at_the_time(&mut self, ctx: &mut Context<Self>) {
        let now = self.clock.now();
        let (registry, alerts) = (&self.registry, &self.alerts);
        self.watched.retain(|id, machine| {
            let finding = machine.handle_deadline(now);
            if finding == Some(Finding::Over) {
                alerts.clear(AlertKind::DuplicateIdentity, id.as_str());
                if let Some(entry) = registry.get(id) {
                    entry.set_duplicate(None);
                }
            }
            finding.is_none()
        });
        self.arm(ctx);
    }

    /// Deadlines only move away, so an armed timer is never too late.
    fn arm(&mut self, ctx: &mut Context<Self>) {
        let deadlines = self.watched.values().map(IdentityMachine::next_deadline);
        let Some(deadline) = deadlines.min().filter(|_| !self.is_armed) else {
            return;
        };
        self.is_armed = true;
        let wait = self.clock.wait_until(deadline).min(LONGEST_WAIT);
        ctx.run_later(wait, |actor, ctx| {
            actor.is_armed = false;
            actor.look_at_the_time(ctx);
        });
    }
}

impl Actor for IdentityActor {
    type Context = Context<Self>;
}

/// A call named an older life than the newest, and was refused.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct OlderLife {
    /// Whose.
    pub id: InstanceId,
    /// The life it named.
    pub older: Incarnation,
    /// The life that is served.
    pub newest: Incarnation,
    /// When that one last named itself, if it has.
    pub newest_spoke: Option<Timestamp>,
}

impl Handler<OlderLife> for IdentityActor {
    type Result = ();

    fn handle(&mut self, heard: OlderLife, ctx: &mut Self::Context) {
        self.sighted(&heard);
        if !self.is_armed {
            self.arm(ctx);
        }
    }
}
