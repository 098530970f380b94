//! A change of the fleet in the making: what a command does to it, recorded step by step.

mod moves;
mod returned;
mod suspected;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::change::Change;
use super::filling::{AT_ONCE, Filling};
use super::model::Fleet;
use super::policies::Policies;
use super::scores::Scoring;
use crate::events::Event;
use crate::explain::Placing;
use crate::ids::{AssignmentVersion, Epoch, Incarnation, IncidentId, InstanceId, RollId, StreamId};
use crate::incident::Incident;
use crate::instance::{Instance, InstanceStatus};
use crate::planned::Roll;
use crate::probation::flapped;
use crate::request::EventOrigin;
use crate::stream::{Assignment, OrphanReason, Place, Stream};
use crate::time::WallTime;
use crate::withdrawal::HandedOver;
use crate::withdrawal::WithdrawalCause;

/// Works on the fleet and writes down each change, so that a rejected command leaves no trace
/// and a saved one can be written as rows.
#[derive(Debug)]
pub struct Draft<'f> {
    fleet: &'f mut Fleet,
    now: WallTime,
    policies: Policies,
    filling: Filling,
    /// How many unclaimed streams it has assigned.
    filled: usize,
    changes: Vec<Change>,
    events: Vec<Event>,
    /// The origins of events that have another one than the command.
    origins: BTreeMap<usize, Arc<EventOrigin>>,
    /// The incident to which the moves of the moment belong.
    incident: Option<IncidentId>,
    touched: BTreeMap<InstanceId, AssignmentVersion>,
    /// How the machines of the instances count at the moment; `None`: as the policy says.
    scoring: Option<Scoring>,
    /// The reasons of its placements, by the instance that got the streams.
    placings: BTreeMap<InstanceId, Placing>,
}

/// What a draft has become.
#[derive(Debug)]
pub(crate) struct Drafted {
    pub(crate) changes: Vec<Change>,
    pub(crate) events: Vec<Event>,
    /// The origins of some of the events, by their place.
    pub(crate) origins: BTreeMap<usize, Arc<EventOrigin>>,
}

impl<'f> Draft<'f> {
    pub(crate) fn new(
        fleet: &'f mut Fleet,
        now: WallTime,
        policies: Policies,
        filling: Filling,
    ) -> Self {
        Self {
            fleet,
            now,
            policies,
            filling,
            filled: 0,
            changes: Vec::new(),
            events: Vec::new(),
            origins: BTreeMap::new(),
            incident: None,
            scoring: None,
            touched: BTreeMap::new(),
            placings: BTreeMap::new(),
        }
    }

    pub(crate) fn into_parts(mut self) -> Drafted {
        let placings = self.placings.into_values();
        self.changes.extend(placings.map(Change::Placing));
        Drafted {
            changes: self.changes,
            events: self.events,
            origins: self.origins,
        }
    }

    pub(crate) fn has_changes(&self) -> bool {
        !self.changes.is_empty()
    }

    /// The fleet as it is with everything drafted so far.
    pub fn fleet(&self) -> &Fleet {
        self.fleet
    }

    /// The moment the command is decided.
    pub fn now(&self) -> WallTime {
        self.now
    }

    /// The numbers it goes by.
    pub fn policies(&self) -> &Policies {
        &self.policies
    }

    /// Whether unclaimed streams wait.
    pub fn filling(&self) -> Filling {
        self.filling
    }

    /// Has the reasons of the placements that follow say how machines count; `None`: as the policy says.
    pub(in crate::fleet) fn score_by(&mut self, scoring: Option<Scoring>) {
        self.scoring = scoring;
    }

    /// Lets unclaimed streams wait for more instances, or more streams, to come.
    pub fn delay_fill(&mut self) {
        self.filling.delay();
    }

    /// Counts an unclaimed stream that is to be assigned. If there were enough in this command, it is left
    /// to the next one.
    pub(in crate::fleet) fn may_fill(&mut self) -> bool {
        if self.filled == AT_ONCE {
            self.filling.interrupt();
            return false;
        }
        self.filled += 1;
        true
    }

    /// The next epoch; also the source of incarnations and incident ids.
    pub fn next_epoch(&mut self) -> Epoch {
        self.fleet.advance_counter()
    }

    /// Sets the incident to which the moves that follow belong. The placing of waiting streams at the
    /// end of a command belongs to none.
    pub fn set_incident(&mut self, incident: Option<IncidentId>) {
        self.incident = incident;
    }

    /// Writes down what happened.
    pub fn tell(&mut self, event: Event) {
        self.events.push(event);
    }

    /// Writes down what happened because of another order than the one that is decided.
    pub fn tell_of(&mut self, event: Event, origin: Option<Arc<EventOrigin>>) {
        if let Some(origin) = origin {
            self.origins.insert(self.events.len(), origin);
        }
        self.tell(event);
    }

    /// Records an incident.
    pub fn record(&mut self, incident: Incident) {
        self.make(Change::Incident(incident));
    }

    /// Creates an instance, or replaces what is saved about it.
    pub fn put_instance(&mut self, instance: Instance) {
        let id = instance.id.clone();
        let before = self.fleet.instance(&id).map(|slot| slot.instance().clone());
        self.make(Change::Instance {
            id,
            before,
            after: Some(Arc::new(instance)),
        });
    }

    /// Moves an instance to another state. Illegal transitions and unknown instances change
    /// nothing, and say so. Failing on probation counts as a flap, whatever the reason.
    pub fn set_status(&mut self, id: &InstanceId, status: InstanceStatus) -> bool {
        let Some(slot) = self.fleet.instance(id) else {
            return false;
        };
        let instance = slot.instance();
        if instance.status == status || !instance.status.may_become(status) {
            return false;
        }
        let is_flap =
            (instance.status, status) == (InstanceStatus::Recovering, InstanceStatus::Failed);
        let mut changed = Instance {
            status,
            status_since: self.now,
            // What it was withdrawn for has happened; who is to leave still is.
            withdrawn: instance.withdrawn.filter(|withdrawal| {
                status.is_serving() || withdrawal.cause == WithdrawalCause::Removal
            }),
            ..Instance::clone(instance)
        };
        if status != InstanceStatus::Maintenance && changed.absence().is_some() {
            changed.plan(|planned| planned.absence = None);
        }
        if is_flap {
            changed.flaps = flapped(changed.flaps);
            self.tell(Event::InstanceFlapping {
                instance: id.clone(),
                incarnation: changed.incarnation,
                flaps: changed.flaps,
            });
        }
        self.put_instance(changed);
        true
    }

    /// Counts streams that left an instance whose lease is withdrawn, moved or without room.
    pub fn count_handed_over(&mut self, id: &InstanceId, moved: u32, orphaned: u32) {
        let Some(slot) = self.fleet.instance(id) else {
            return;
        };
        let instance = slot.instance();
        let (Some(_), Some(counted)) = (instance.withdrawn, instance.handed_over) else {
            return;
        };
        if moved == 0 && orphaned == 0 {
            return;
        }
        self.put_instance(Instance {
            handed_over: Some(HandedOver {
                moved: counted.moved.saturating_add(moved),
                orphaned: counted.orphaned.saturating_add(orphaned),
                ..counted
            }),
            ..Instance::clone(instance)
        });
    }

    /// Takes what was counted of a life of an instance, for the record of its end: nothing is
    /// counted twice.
    pub fn take_handed_over(&mut self, id: &InstanceId, life: Incarnation) -> HandedOver {
        let slot = self.fleet.instance(id);
        let instance = slot.map(|slot| slot.instance().clone());
        let Some((instance, counted)) =
            instance.and_then(|instance| instance.handed_over.map(|counted| (instance, counted)))
        else {
            return HandedOver::none(life);
        };
        if counted.incarnation != life {
            return HandedOver::none(life);
        }
        let is_still_withdrawn = instance.withdrawn.is_some() && instance.incarnation == life;
        self.put_instance(Instance {
            handed_over: is_still_withdrawn.then(|| HandedOver::none(life)),
            ..Instance::clone(&instance)
        });
        counted
    }

    /// Forgets an instance. It must own nothing.
    pub fn remove_instance(&mut self, id: &InstanceId) {
        let before = self.fleet.instance(id).map(|slot| slot.instance().clone());
        self.make(Change::Instance {
            id: id.clone(),
            before,
            after: None,
        });
    }

    /// Saves a roll, or replaces what is saved about it.
    pub fn put_roll(&mut self, roll: Roll) {
        let before = self.fleet.roll(roll.id).cloned().map(Arc::new);
        self.make(Change::Roll {
            id: roll.id,
            before,
            after: Some(Arc::new(roll)),
        });
    }

    /// Forgets a roll.
    pub fn remove_roll(&mut self, id: RollId) {
        let before = self.fleet.roll(id).cloned().map(Arc::new);
        self.make(Change::Roll {
            id,
            before,
            after: None,
        });
    }

    /// Puts a stream into the catalogue, or replaces its entry.
    pub fn put_stream(&mut self, stream: Stream) {
        let id = stream.id;
        let before = self.fleet.stream(id).map(|slot| slot.stream().clone());
        self.make(Change::Stream {
            id,
            before,
            after: Some(Arc::new(stream)),
        });
    }

    /// Takes a stream out of the catalogue.
    pub fn remove_stream(&mut self, id: StreamId) {
        let Some(slot) = self.fleet.stream(id) else {
            return;
        };
        let (stream, place) = (slot.stream().clone(), slot.place().clone());
        self.touch_loser(&place);
        self.make(Change::Place {
            stream: id,
            before: Some(place),
            after: None,
        });
        self.make(Change::Stream {
            id,
            before: Some(stream),
            after: None,
        });
    }

    /// Takes a stream from its owner and lets it wait for room.
    pub fn orphan(&mut self, stream: StreamId, from: &InstanceId, reason: OrphanReason) {
        let slot = self.fleet.stream(stream);
        let lost = slot.and_then(|slot| slot.place().assignment());
        let epoch = lost.map(|assignment| assignment.epoch);
        self.place(
            stream,
            Place::Orphaned {
                reason,
                from: from.clone(),
                since: self.now,
            },
        );
        self.tell(Event::StreamOrphaned {
            stream,
            from: from.clone(),
            epoch,
            reason,
            incident: self.incident,
        });
    }

    /// Puts a stream somewhere. Both the owner that loses it and the one that gets it see their
    /// assignment version move.
    pub fn place(&mut self, stream: StreamId, place: Place) {
        let before = self.fleet.stream(stream).map(|slot| slot.place().clone());
        if let Some(before) = &before {
            self.touch_loser(before);
        }
        self.touch_owner(&place);
        self.make(Change::Place {
            stream,
            before,
            after: Some(place),
        });
    }

    /// Touches the owner that loses a stream, unless it is releasing the stream: then it was notified
    /// before, and its set does not change again.
    fn touch_loser(&mut self, place: &Place) {
        if !place.assignment().is_some_and(Assignment::is_releasing) {
            self.touch_owner(place);
        }
    }

    fn touch_owner(&mut self, place: &Place) {
        if let Some(assignment) = place.assignment() {
            self.touch(&assignment.instance.clone());
            if let Some(former) = assignment.former() {
                self.touch(&former.clone());
            }
        }
    }

    /// The version an instance's set has once this command is saved: one more than before,
    /// however often the command touches it.
    fn touch(&mut self, id: &InstanceId) -> AssignmentVersion {
        if let Some(version) = self.touched.get(id) {
            return *version;
        }
        let Some(slot) = self.fleet.instance(id) else {
            return AssignmentVersion::default();
        };
        let version = slot.instance().assignment_version.next();
        let changed = Instance {
            assignment_version: version,
            ..Instance::clone(slot.instance())
        };
        self.put_instance(changed);
        self.touched.insert(id.clone(), version);
        version
    }

    fn make(&mut self, change: Change) {
        self.fleet.apply(change.clone());
        self.changes.push(change);
    }
}
