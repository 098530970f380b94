//! The RecoveryActor's mass-failure brake: shows the machine (`domain/brake.rs`) the registry,
//! tells people what it does, and takes their orders. What it did and was told to do goes to the
//! event_outbox too, which has it saved when that is possible; the brake itself waits for no store.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use log::warn;

use crate::actors::alerts::Alerts;
use crate::actors::event_outbox::{EventOutbox, Note};
use crate::actors::registry::{Entry, Registry};
use crate::actors::telemetry::Telemetry;
use crate::clock::Clock;
use crate::domain::alert::{AlertKind, FLEET};
use crate::domain::brake::{
    Brake, Census, Ending, Engagement, Look, Order, OrderRefused, Phase, Sighting, Verdict,
};
use crate::domain::events::Event;
use crate::domain::settings::{LivenessThresholds, MassFailureSettings};
use crate::domain::time::{Timestamp, WallTime};

/// An order that was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct GivenOrder {
    /// What was to be done.
    pub order: Order,
    pub reason: String,
    pub at: WallTime,
}

/// The brake, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrakeReport {
    /// What it does.
    pub phase: Phase,
    /// Since when and why, while it is not open.
    pub engagement: Option<Engagement>,
    /// When it engaged and when its hold ends or ended, as the world's clocks show it.
    pub times: Option<(WallTime, WallTime)>,
    /// The last order; forgotten when the brake engages anew.
    pub last_order: Option<GivenOrder>,
    /// What it goes by.
    pub settings: MassFailureSettings,
}

/// The machine and its surroundings.
#[derive(Debug)]
pub(super) struct MassFailureBrake {
    machine: Brake,
    settings: MassFailureSettings,
    last_order: Option<GivenOrder>,
    clock: Clock,
    registry: Arc<Registry>,
    telemetry: Arc<Telemetry>,
    alerts: Alerts,
    event_outbox: Addr<EventOutbox>,
}

impl MassFailureBrake {
    pub(super) fn new(
        settings: MassFailureSettings,
        thresholds: LivenessThresholds,
        clock: Clock,
        registry: Arc<Registry>,
        telemetry: Arc<Telemetry>,
        alerts: Alerts,
        event_outbox: Addr<EventOutbox>,
    ) -> Self {
        Self {
            machine: Brake::new(settings, thresholds),
            settings,
            last_order: None,
            clock,
            registry,
            telemetry,
            alerts,
            event_outbox,
        }
    }

    /// Whether the recovery of an instance that is past its timeout may begin.
    pub(super) fn expired(&mut self, entry: &Entry) -> Verdict {
        let now = self.clock.now();
        let registry = &self.registry;
        let verdict = self
            .machine
            .expired(entry.id(), entry.last_sign(), now, || {
                registry.map(sighting)
            });
        if let Verdict::Engaged(_) = verdict {
            self.last_order = None;
            self.telemetry.brake_engagements.inc();
            self.raise_held();
            self.note_held();
        }
        verdict
    }

    /// A mass is held from now on.
    fn note_held(&self) {
        self.telemetry.brake_engaged.set(1);
        let Some(held) = self.machine.engagement() else {
            return;
        };
        self.event_outbox.do_send(Note::new(Event::MassFailureHeld {
            late: count(held.census.late),
            active: count(held.census.active),
            held_at: self.clock.wall(),
            until: self.wall_at(held.until),
        }));
    }

    /// Opens the alert of a mass that is held, or has it say how it is now. Its line in the log is
    /// the only one.
    fn raise_held(&self) {
        let held = match self.machine.engagement() {
            Some(held) if self.machine.phase() == Phase::Held => held,
            Some(_) | None => return,
        };
        let Census { late, active } = held.census;
        let (waiting, hold_seconds) = (held.waiting, held.until.since(held.since).as_secs_f64());
        let prolonged = match held.is_prolonged {
            true => ", as an operator prolonged it",
            false => "",
        };
        self.alerts.raise(
            AlertKind::MassFailure,
            FLEET,
            format!(
                "{late} of {active} instances fell silent at once, {waiting} are silent; no \
                 recovery for {hold_seconds} s{prolonged}, in case it is the network or this \
                 machine, and the system is in an emergency."
            ),
        );
    }

    pub(super) fn look(&mut self) -> Look {
        let registry = &self.registry;
        let look = self.machine.look(self.clock.now(), || {
            registry.map(|entry| (entry.id().clone(), sighting(entry)))
        });
        // An instance that sends a heartbeat meanwhile is not silent any more.
        self.raise_held();
        if let Some((ending, silent)) = look.ended {
            self.telemetry.brake_engaged.set(0);
            self.alerts.clear(AlertKind::MassFailure, FLEET);
            self.event_outbox
                .do_send(Note::new(Event::MassFailureEnded {
                    ending,
                    silent: count(silent),
                    ended_at: self.clock.wall(),
                }));
            match ending {
                Ending::NobodySilent => {
                    warn!("mass failure over: all of it beats again, nothing was moved");
                }
                Ending::TimeOver => warn!(silent;
                    "mass failure: the hold is over, {silent} instances stayed silent and are \
                     recovered now"),
                Ending::Released => warn!(silent;
                    "mass failure: the hold was released, {silent} silent instances are \
                     recovered now"),
            }
        }
        look
    }

    /// Whether a silence that began after this heartbeat belongs to a mass.
    pub(super) fn is_of_mass(&self, last_beat: Timestamp) -> bool {
        self.machine.is_of_mass(last_beat)
    }

    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.machine.next_deadline()
    }

    pub(super) fn order(&mut self, order: Order, reason: String) -> Result<(), OrderRefused> {
        let before = self.machine.phase();
        self.machine.order(order, self.clock.now())?;
        let until = self.machine.engagement().map(|held| held.until);
        let at = self.clock.wall();
        self.event_outbox.do_send(Note::new(Event::BrakeOrdered {
            action: order.action(),
            until: until.map_or(at, |until| self.wall_at(until)),
            reason: reason.clone(),
            ordered_at: at,
        }));
        if before != Phase::Held && self.machine.phase() == Phase::Held {
            // The alert was closed when what was held began to be released.
            self.note_held();
        }
        self.raise_held();
        match order {
            Order::Release => warn!(reason = reason.as_str();
                "an operator released the mass-failure brake: {reason}"),
            Order::Prolong(by) => {
                let by_seconds = by.as_secs_f64();
                warn!(reason = reason.as_str(), by_seconds;
                    "an operator prolonged the mass-failure brake by {by_seconds} s; until it is \
                     over nothing is promised about how soon streams are moved: {reason}");
            }
        }
        self.last_order = Some(GivenOrder { order, reason, at });
        Ok(())
    }

    pub(super) fn report(&self) -> BrakeReport {
        let engagement = self.machine.engagement();
        BrakeReport {
            phase: self.machine.phase(),
            engagement,
            times: engagement.map(|held| (self.wall_at(held.since), self.wall_at(held.until))),
            last_order: self.last_order.clone(),
            settings: self.settings,
        }
    }

    fn wall_at(&self, moment: Timestamp) -> WallTime {
        let now = self.clock.now();
        let (past, ahead): (Duration, Duration) = (now.since(moment), moment.since(now));
        self.clock.wall() - past + ahead
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn sighting(entry: &Entry) -> Sighting {
    let standing = entry.standing();
    Sighting {
        incarnation: standing.incarnation,
        status: standing.watched_as(),
        held: standing.held,
        last_beat: entry.last_sign(),
        serving_since: entry.serving_since(),
    }
}
