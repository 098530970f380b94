//! Reports two processes that live under one name (`domain/identity.rs`).
//!
//! It hears of refused calls that name an older life, and of registrations that name another
//! address than the one before; nothing of it is on the path of a heartbeat that is served. What it
//! finds is an alert, an event, and a field of the instance's details; a name has one alert,
//! whichever of its two machines has found the second process, until both are over. What it suspects
//! ends with the process: a second process that is still there is sighted again.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix::prelude::*;

use super::alarm::Alarm;
use super::alerts::Alerts;
use super::event_outbox::{EventOutbox, Note};
use super::fatal::Vital;
use super::registry::{Duplicate, Registry};
use crate::clock::Clock;
use crate::domain::alert::AlertKind;
use crate::domain::commands::{FormerLife, Registered};
use crate::domain::events::Event;
use crate::domain::identity::{Address, AddressMachine, Finding, IdentityLimits, IdentityMachine};
use crate::domain::ids::{Incarnation, InstanceId};
use crate::domain::time::Timestamp;

/// What is known of one name.
#[derive(Debug, Default)]
struct Watched {
    lives: Option<IdentityMachine>,
    addresses: Option<AddressMachine>,
}

impl Watched {
    fn next_deadline(&self) -> Option<Timestamp> {
        let lives = self.lives.as_ref().map(IdentityMachine::next_deadline);
        let addresses = (self.addresses.as_ref()).map(AddressMachine::next_deadline);
        [lives, addresses].into_iter().flatten().min()
    }

    /// Whether a second process that was found is over, if any was.
    fn on_timer(&mut self, now: Timestamp) -> bool {
        let lives = self.lives.as_ref();
        let lives = lives.and_then(|machine| machine.handle_deadline(now));
        self.lives.take_if(|_| lives.is_some());
        let addresses = self.addresses.as_ref();
        let addresses = addresses.and_then(|machine| machine.handle_deadline(now));
        self.addresses.take_if(|_| addresses.is_some());
        [lives, addresses].contains(&Some(Finding::Over)) && !self.is_duplicate()
    }

    fn is_duplicate(&self) -> bool {
        self.lives
            .as_ref()
            .is_some_and(IdentityMachine::is_duplicate)
            || (self.addresses.as_ref()).is_some_and(AddressMachine::is_duplicate)
    }

    fn is_over(&self) -> bool {
        self.lives.is_none() && self.addresses.is_none()
    }
}

/// Watches the names under which an older life was heard, or that changed their address.
#[derive(Debug)]
pub struct IdentityActor {
    limits: IdentityLimits,
    watched: BTreeMap<InstanceId, Watched>,
    registry: Arc<Registry>,
    clock: Clock,
    alerts: Alerts,
    event_outbox: Addr<EventOutbox>,
    alarm: Alarm<Self>,
    _vital: Vital,
}

impl IdentityActor {
    /// An actor without a suspicion.
    pub fn new(
        limits: IdentityLimits,
        registry: Arc<Registry>,
        clock: Clock,
        alerts: Alerts,
        event_outbox: Addr<EventOutbox>,
        vital: Vital,
    ) -> Self {
        Self {
            limits,
            watched: BTreeMap::new(),
            registry,
            clock,
            alerts,
            event_outbox,
            alarm: Alarm::new(|actor| &mut actor.alarm, Self::on_timer),
            _vital: vital,
        }
    }

    fn sighted(&mut self, heard: &OlderLife) {
        let (now, limits) = (self.clock.now(), self.limits);
        // A call that is no sighting leaves nothing behind.
        let known = self.watched.get_mut(&heard.id);
        let Some(machine) = known.and_then(|known| known.lives.as_mut()) else {
            if let Some(machine) = IdentityMachine::begin(limits, heard.newest_spoke, now) {
                self.watched.entry(heard.id.clone()).or_default().lives = Some(machine);
            }
            return;
        };
        if let Some(finding) = machine.sighted(heard.newest_spoke, now) {
            let OlderLife {
                id, older, newest, ..
            } = heard;
            let detail = format!(
                "Two processes run as `{id}`: incarnation {newest} is the newest and is served, \
                 {older} goes on calling and is refused. Stop one of them, or give it a \
                 `server_id` of its own."
            );
            self.found(finding, id, *newest, *older, detail);
        }
    }

    fn moved(&mut self, moved: &AddressChanged) {
        let (now, window) = (self.clock.now(), self.limits.address_window);
        let AddressChanged {
            id,
            newest,
            former,
            to,
        } = moved;
        let watched = self.watched.entry(id.clone()).or_default();
        let machine = watched
            .addresses
            .get_or_insert_with(|| AddressMachine::new(window));
        let from = &former.address;
        if let Some(finding) = machine.changed(from.clone(), to, now) {
            let minutes = window.as_secs() / 60;
            // In one order: the sentence of an open alert must not change with each registration.
            let mut addresses = [from.to_string(), to.to_string()];
            addresses.sort();
            let [one, other] = addresses;
            let detail = format!(
                "Two processes run as `{id}`: its registrations alternate between {one} and {other} \
                 within {minutes} minutes. Stop one of them, or give it a `server_id` of its own."
            );
            self.found(finding, id, *newest, former.incarnation, detail);
        }
    }

    fn found(
        &self,
        finding: Finding,
        id: &InstanceId,
        newest: Incarnation,
        older: Incarnation,
        detail: String,
    ) {
        match finding {
            Finding::Duplicate => self
                .event_outbox
                .do_send(Note::new(Event::DuplicateIdentity {
                    instance: id.clone(),
                    incarnation: newest,
                    older,
                })),
            Finding::StillThere => {}
            Finding::Over | Finding::Cleared => return,
        }
        if let Some(entry) = self.registry.get(id) {
            let now = self.clock.wall();
            let since = entry.duplicate().map_or(now, |known| known.since);
            entry.set_duplicate(Some(Duplicate {
                older,
                since,
                last_seen: now,
            }));
        }
        // Raised again at each sighting: the alert may have gone with an instance that was
        // removed and came back.
        let kind = AlertKind::DuplicateIdentity;
        self.alerts.raise(kind, id.as_str(), detail);
    }

    fn on_timer(&mut self, ctx: &mut Context<Self>) {
        let now = self.clock.now();
        let (registry, alerts) = (&self.registry, &self.alerts);
        self.watched.retain(|id, watched| {
            if watched.on_timer(now) {
                alerts.clear(AlertKind::DuplicateIdentity, id.as_str());
                if let Some(entry) = registry.get(id) {
                    entry.set_duplicate(None);
                }
            }
            !watched.is_over()
        });
        self.arm(ctx);
    }

    /// Sees to it that the timer fires no later than the next deadline.
    fn arm(&mut self, ctx: &mut Context<Self>) {
        let deadlines = self.watched.values().filter_map(Watched::next_deadline);
        if let Some(deadline) = deadlines.min() {
            self.alarm.set_by(deadline, &self.clock, ctx);
        }
    }
}

impl Actor for IdentityActor {
    type Context = Context<Self>;
}

/// A call named an older life than the newest, and was refused.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
#[expect(missing_docs, reason = "the names say it")]
pub struct OlderLife {
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
        self.arm(ctx);
    }
}

/// A registration named another address than the life before it.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
#[expect(missing_docs, reason = "the names say it")]
pub struct AddressChanged {
    pub id: InstanceId,
    /// The life that begins with it.
    pub newest: Incarnation,
    /// The life before, and its address.
    pub former: FormerLife,
    /// The address it names.
    pub to: Address,
}

impl AddressChanged {
    /// None if the address is the same, or the instance is new.
    pub fn by(registered: &Registered) -> Option<Self> {
        let instance = &registered.instance;
        Some(Self {
            id: instance.id.clone(),
            newest: instance.incarnation,
            former: registered.moved.clone()?,
            to: Address {
                ip: instance.ip.clone(),
                port: instance.port,
            },
        })
    }
}

impl Handler<AddressChanged> for IdentityActor {
    type Result = ();

    fn handle(&mut self, changed: AddressChanged, ctx: &mut Self::Context) {
        self.moved(&changed);
        self.arm(ctx);
    }
}
