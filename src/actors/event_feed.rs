//! Hands what happened to whoever wants to know: the log, the counters, subscribers.

use std::sync::Arc;

use actix::prelude::*;
use log::{debug, error, info, warn};
use tokio::sync::broadcast;

use super::alerts::{Alerts, HearEvents};
use super::fatal::Vital;
use super::fleet::Committed;
use super::telemetry::{EventLabel, Telemetry};
use crate::domain::events::{DatedEvent, Event};
use crate::domain::ids::{Epoch, InstanceId};
use crate::domain::incident::IncidentOutcome;
use crate::domain::movements::{Movement, movements};

/// How many batches a subscriber may lag behind before it misses some (and is told so).
const SUBSCRIBER_BACKLOG: usize = 256;

/// Receives events after they were saved.
#[derive(Debug)]
pub struct EventFeed {
    telemetry: Arc<Telemetry>,
    alerts: Alerts,
    subscribers: broadcast::Sender<Arc<[DatedEvent]>>,
    _vital: Vital,
}

impl EventFeed {
    /// A feed without subscribers.
    pub fn new(telemetry: Arc<Telemetry>, alerts: Alerts, vital: Vital) -> Self {
        Self {
            telemetry,
            alerts,
            subscribers: broadcast::Sender::new(SUBSCRIBER_BACKLOG),
            _vital: vital,
        }
    }
}

impl Actor for EventFeed {
    type Context = Context<Self>;
}

impl Handler<Committed> for EventFeed {
    type Result = ();

    fn handle(&mut self, committed: Committed, _: &mut Self::Context) {
        let events = committed.events;
        for dated in events.iter() {
            self.telemetry
                .events
                .get_or_create(&EventLabel {
                    kind: dated.event.kind(),
                })
                .inc();
            log_event(&dated.event);
        }
        for movement in movements(&events) {
            log_movement(&movement);
        }
        if HearEvents::matter(&events) {
            self.alerts.book().do_send(HearEvents(events.clone()));
        }
        // Nobody listening is no error.
        let _ = self.subscribers.send(events);
    }
}

/// Asks to be told of everything from now on.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "broadcast::Receiver<Arc<[DatedEvent]>>")]
pub struct Subscribe;

impl Handler<Subscribe> for EventFeed {
    type Result = MessageResult<Subscribe>;

    fn handle(&mut self, _: Subscribe, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.subscribers.subscribe())
    }
}

/// One line for what a command did to many streams.
fn log_movement(movement: &Movement) {
    let streams = movement.streams.len();
    let server_id = movement.from.as_ref().map(InstanceId::as_str);
    if movement.act.is_warning() {
        warn!(server_id, streams; "{movement}");
    } else {
        info!(server_id, streams; "{movement}");
    }
}

/// What concerns a whole instance is worth a line; single streams are for a closer look.
fn log_event(event: &Event) {
    let kind = event.kind();
    match event {
        Event::InstanceRegistered {
            instance,
            incarnation,
            max_streams,
            reregistration,
        } => {
            let (server_id, incarnation) = (instance.as_str(), incarnation.get());
            if *reregistration {
                info!(server_id, incarnation, max_streams; "instance {server_id} registered again");
            } else {
                info!(server_id, incarnation, max_streams; "instance {server_id} registered");
            }
        }
        Event::InstanceSuspected { instance, .. } => {
            let server_id = instance.as_str();
            warn!(server_id; "instance {server_id} is late with its heartbeat");
        }
        Event::InstanceOnTime { instance, .. } => {
            let server_id = instance.as_str();
            info!(server_id; "instance {server_id} beats in time again");
        }
        Event::InstanceFailed {
            instance,
            cause,
            streams,
            ..
        } => {
            let server_id = instance.as_str();
            warn!(server_id, cause = cause.as_str(), streams;
                "instance {server_id} has failed with {streams} streams ({cause})");
        }
        Event::InstanceReturned { instance, .. } => {
            let server_id = instance.as_str();
            info!(server_id; "instance {server_id} is back, on probation");
        }
        Event::InstanceTrusted { instance, .. } => {
            let server_id = instance.as_str();
            info!(server_id; "instance {server_id} has served its probation");
        }
        Event::InstanceFlapping {
            instance, flaps, ..
        } => {
            let server_id = instance.as_str();
            warn!(server_id, flaps;
                "instance {server_id} failed on probation; its next one is longer ({flaps} flaps)");
        }
        Event::InstanceForgiven {
            instance, flaps, ..
        } => {
            let server_id = instance.as_str();
            info!(server_id, flaps;
                "instance {server_id} beats steadily; {flaps} flaps are left");
        }
        Event::LeaseAgreed {
            instance, leased, ..
        } => {
            let server_id = instance.as_str();
            let kind = if *leased { "leased" } else { "classic" };
            info!(server_id; "instance {server_id} is {kind}");
        }
        Event::LeaseWithdrawn {
            instance,
            cause,
            streams,
            ..
        } => {
            let server_id = instance.as_str();
            warn!(server_id, cause = cause.as_str(), streams;
                "the lease of {server_id} is withdrawn ({cause}); its {streams} streams move once \
                 it is over");
        }
        Event::InstanceRemoved {
            instance,
            reason,
            moved,
            orphaned,
        } => {
            let server_id = instance.as_str();
            match (*moved, *orphaned) {
                (0, 0) => info!(server_id; "instance {server_id} was removed ({reason})"),
                (moved, 0) => info!(server_id, moved;
                    "instance {server_id} was removed ({reason}); moved {moved} streams off it"),
                (moved, orphaned) => warn!(server_id, moved, orphaned;
                    "instance {server_id} was removed ({reason}); moved {moved} streams off it, \
                     {orphaned} wait for room"),
            }
        }
        Event::EmergencyRecovered {
            incident,
            instance,
            status,
            streams,
            ..
        } => {
            let server_id = instance.as_str();
            warn!(server_id, incident = incident.get(), streams;
                "emergency: {streams} streams were taken from {server_id}, which is {status} now");
        }
        Event::MaintenanceEnded {
            instance, status, ..
        } => {
            let server_id = instance.as_str();
            info!(server_id; "the maintenance of {server_id} has ended, it is {status}");
        }
        Event::RecoveryEscalated {
            incident,
            instance,
            attempts,
        } => {
            let server_id = instance.as_str();
            error!(server_id, incident = incident.get(), attempts;
                "the recovery of {server_id} is an emergency after {attempts} failed attempts");
        }
        Event::RecoveryEnded {
            incident,
            instance,
            outcome,
            moved,
            orphaned,
        } => {
            let (server_id, incident) = (instance.as_str(), incident.get());
            match outcome {
                IncidentOutcome::Recovered => info!(server_id, incident, moved, orphaned;
                    "moved {moved} streams off {server_id}"),
                IncidentOutcome::RecoveredPartially => warn!(server_id, incident, moved, orphaned;
                    "moved {moved} streams off {server_id}, {orphaned} wait for room ({outcome})"),
                IncidentOutcome::Averted | IncidentOutcome::Interrupted if moved + orphaned > 0 => {
                    warn!(server_id, incident, moved, orphaned;
                        "the recovery of {server_id} ended early ({outcome}); its worker had \
                         released {moved} streams that run elsewhere, and {orphaned} that wait for \
                         room");
                }
                IncidentOutcome::Averted | IncidentOutcome::Interrupted => {
                    info!(server_id, incident; "nothing was moved off {server_id} ({outcome})");
                }
                IncidentOutcome::Failed => {
                    warn!(server_id, incident; "the recovery of {server_id} was given up");
                }
            }
        }
        // The alert is the line.
        Event::StreamsDiffer { instance, .. } => {
            debug!(server_id = instance.as_str(); "{kind}");
        }
        // Who did it has written the line already: it may be saved much later.
        Event::DuplicateIdentity { .. }
        | Event::MassFailureHeld { .. }
        | Event::MassFailureEnded { .. }
        | Event::BrakeOrdered { .. } => debug!("{kind}"),
        Event::StreamCreated { stream }
        | Event::StreamUpdated { stream, .. }
        | Event::StreamDeleted { stream } => debug!(stream = stream.get(); "{kind}"),
        Event::StreamAssigned {
            stream,
            instance,
            epoch,
            reason,
            from,
            from_epoch,
        } => {
            let from = from.as_ref().map(InstanceId::as_str);
            let from_epoch = from_epoch.map(Epoch::get);
            debug!(stream = stream.get(), server_id = instance.as_str(), epoch = epoch.get(),
                reason = reason.as_str(), from, from_epoch; "{kind}");
        }
        // The alert is the line.
        Event::StreamReturned {
            stream,
            instance,
            returns,
            ..
        } => {
            debug!(stream = stream.get(), server_id = instance.as_str(), returns; "{kind}");
        }
        Event::ReturnsOver {
            stream,
            returns,
            because,
        } => {
            debug!(stream = stream.get(), returns, because = because.as_str(); "{kind}");
        }
        Event::StreamReleased {
            stream,
            instance,
            epoch,
            ..
        }
        | Event::StreamWithdrawn {
            stream,
            instance,
            epoch,
        } => {
            debug!(stream = stream.get(), server_id = instance.as_str(), epoch = epoch.get();
                "{kind}");
        }
        Event::StreamReleasing {
            stream,
            instance,
            epoch,
            ..
        }
        | Event::HandoverAbandoned {
            stream,
            instance,
            epoch,
            ..
        }
        | Event::OverlapEnded {
            stream,
            instance,
            epoch,
        } => {
            debug!(stream = stream.get(), server_id = instance.as_str(), epoch = epoch.get();
                "{kind}");
        }
        Event::StreamOrphaned {
            stream,
            from,
            epoch,
            reason,
        } => {
            let epoch = epoch.map(Epoch::get);
            debug!(stream = stream.get(), server_id = from.as_str(), epoch,
                reason = reason.as_str(); "{kind}");
        }
        Event::StreamsDelivered {
            instance,
            incarnation,
            streams,
            epochs,
        } => {
            for (stream, epoch) in streams.iter().zip(epochs) {
                debug!(stream = stream.get(), server_id = instance.as_str(), epoch = epoch.get(),
                    incarnation = incarnation.get(); "{kind}");
            }
        }
    }
}
