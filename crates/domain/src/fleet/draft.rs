//! A change of the fleet in the making: everything a command does to it, recorded step by step.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::change::Change;
use super::model::Fleet;
use crate::events::Event;
use crate::handover::{AbandonReason, Handover};
use crate::ids::{AssignmentVersion, Epoch, Incarnation, InstanceId, StreamId};
use crate::incident::Incident;
use crate::instance::{Instance, InstanceStatus};
use crate::probation::flapped;
use crate::returns::{ReturnPolicy, Returns, ReturnsEnd};
use crate::stream::{AssignReason, Assignment, OrphanReason, Place, Stream};
use crate::time::WallTime;
use crate::withdrawal::HandedOver;
use crate::withdrawal::WithdrawalCause;

/// Changes the fleet and records each change, so that a rejected command leaves no trace and a
/// saved one can be written as rows.
#[derive(Debug)]
pub struct Draft<'f> {
    fleet: &'f mut Fleet,
    now: WallTime,
    policy: ReturnPolicy,
    changes: Vec<Change>,
    events: Vec<Event>,
    touched: BTreeMap<InstanceId, AssignmentVersion>,
}

impl<'f> Draft<'f> {
    pub(crate) fn new(fleet: &'f mut Fleet, now: WallTime, policy: ReturnPolicy) -> Self {
        Self {
            fleet,
            now,
            policy,
            changes: Vec::new(),
            events: Vec::new(),
            touched: BTreeMap::new(),
        }
    }

    pub(crate) fn into_parts(self) -> (Vec<Change>, Vec<Event>) {
        (self.changes, self.events)
    }

    pub(crate) fn has_changes(&self) -> bool {
        !self.changes.is_empty()
    }

    /// Returns the fleet with everything drafted so far.
    pub fn fleet(&self) -> &Fleet {
        self.fleet
    }

    /// Returns the moment at which the command is decided.
    pub fn now(&self) -> WallTime {
        self.now
    }

    /// Returns the policy that decides which returns of streams count.
    pub fn return_policy(&self) -> ReturnPolicy {
        self.policy
    }

    /// Returns the next epoch. Incarnations and incident ids come from the same counter.
    pub fn next_epoch(&mut self) -> Epoch {
        self.fleet.advance_counter()
    }

    /// Records an event.
    pub fn tell(&mut self, event: Event) {
        self.events.push(event);
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

    /// Moves an instance to another state. An illegal transition or an unknown instance changes
    /// nothing, and returns false. A failure on probation counts as a flap, whatever the reason.
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
            // The reason for the withdrawal has happened; an instance that is to leave still
            // leaves.
            withdrawn: instance.withdrawn.filter(|withdrawal| {
                status.is_serving() || withdrawal.cause == WithdrawalCause::Removal
            }),
            ..Instance::clone(instance)
        };
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

    /// Takes the count of an incarnation, for the record of its end, so that nothing is counted
    /// twice.
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

    /// Deletes an instance. It must own nothing.
    pub fn remove_instance(&mut self, id: &InstanceId) {
        let before = self.fleet.instance(id).map(|slot| slot.instance().clone());
        self.make(Change::Instance {
            id: id.clone(),
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

    /// Assigns a stream to an instance, under a new epoch; the former owner loses it.
    pub fn assign(&mut self, stream: StreamId, to: &InstanceId, reason: AssignReason) {
        self.assign_as(stream, to, reason, None, None);
    }

    /// Assigns a stream to an instance that is notified of it in the same answer.
    pub fn assign_delivered(&mut self, stream: StreamId, to: &Instance, reason: AssignReason) {
        self.assign_as(stream, &to.id, reason, Some(to.incarnation), None);
    }

    fn assign_as(
        &mut self,
        stream: StreamId,
        to: &InstanceId,
        reason: AssignReason,
        delivered: Option<Incarnation>,
        handover: Option<Handover>,
    ) {
        let (from, from_epoch) = self
            .fleet
            .stream(stream)
            .and_then(|slot| slot.place().assignment())
            .map(|assignment| (assignment.instance.clone(), assignment.epoch))
            .unzip();
        self.end_pause(stream);
        let epoch = self.next_epoch();
        let version = self.touch(to);
        self.place(
            stream,
            Place::Assigned(Assignment {
                instance: to.clone(),
                epoch,
                reason,
                delivered,
                version,
                assigned_at: self.now,
                handover,
            }),
        );
        self.tell(Event::StreamAssigned {
            stream,
            instance: to.clone(),
            epoch,
            reason,
            from,
            from_epoch,
        });
    }

    /// Assigns a stream to an instance while its former owner goes on until the new one runs it.
    pub fn assign_overlapping(&mut self, stream: StreamId, to: &InstanceId, reason: AssignReason) {
        let former = self
            .fleet
            .stream(stream)
            .and_then(|slot| slot.place().assignment())
            .map(|assignment| Handover::Overlapping {
                from: assignment.instance.clone(),
                epoch: assignment.epoch,
                since: self.now,
            });
        self.assign_as(stream, to, reason, None, former);
    }

    /// Asks the owner of a stream to release it, for `to` or for any instance that has room then.
    pub fn begin_release(&mut self, stream: StreamId, to: Option<&InstanceId>) {
        self.begin_release_because(stream, to, AssignReason::PlannedMove);
    }

    /// Does the same as [`begin_release`](Self::begin_release), with the reason for which the next
    /// owner gets it.
    pub fn begin_release_because(
        &mut self,
        stream: StreamId,
        to: Option<&InstanceId>,
        reason: AssignReason,
    ) {
        let Some(assignment) = self.assignment(stream) else {
            return;
        };
        // The owner has been asked to release it already, so it must learn of nothing new.
        let told = match &assignment.handover {
            Some(Handover::Releasing { version, since, .. }) => Some((*version, *since)),
            Some(Handover::Overlapping { .. } | Handover::GivenUp { .. }) | None => None,
        };
        let (version, since) = told.unwrap_or_else(|| (self.touch(&assignment.instance), self.now));
        self.tell(Event::StreamReleasing {
            stream,
            instance: assignment.instance.clone(),
            epoch: assignment.epoch,
            to: to.cloned(),
            reason: Some(reason),
        });
        let before = Place::Assigned(assignment.clone());
        // An overlap ends with it, and its former owner must learn of that.
        if told.is_none() {
            self.touch_owner(&before);
        }
        self.make(Change::Place {
            stream,
            before: Some(before),
            after: Some(Place::Assigned(Assignment {
                handover: Some(Handover::Releasing {
                    to: to.cloned(),
                    version,
                    reason,
                    since,
                }),
                ..assignment
            })),
        });
    }

    /// Keeps a stream with its owner after all, under the same epoch. If the owner did not release
    /// it, that is remembered; if the move is called off, an earlier move that was given up is
    /// forgotten too.
    pub fn abandon_release(&mut self, stream: StreamId, reason: AbandonReason) {
        let Some(assignment) = self.assignment(stream) else {
            return;
        };
        let was_given_up = assignment.given_up_since().is_some();
        let is_over = was_given_up && reason == AbandonReason::CalledOff;
        if !assignment.is_releasing() && !is_over {
            return;
        }
        self.tell(Event::HandoverAbandoned {
            stream,
            instance: assignment.instance.clone(),
            epoch: assignment.epoch,
            reason,
        });
        let after = Place::Assigned(Assignment {
            handover: match reason {
                AbandonReason::NotReleased => Some(Handover::GivenUp { since: self.now }),
                AbandonReason::CalledOff => None,
            },
            ..assignment.clone()
        });
        if was_given_up {
            // The stream runs there as before, so its owner needs no notification.
            self.make(Change::Place {
                stream,
                before: Some(Place::Assigned(assignment)),
                after: Some(after),
            });
        } else {
            self.place(stream, after);
        }
    }

    /// Ends an overlap: the former owner must stop the stream, because the new one runs it or
    /// because the former owner is gone.
    pub fn end_overlap(&mut self, stream: StreamId) {
        let Some(assignment) = self.assignment(stream) else {
            return;
        };
        let Some(Handover::Overlapping { from, epoch, .. }) = &assignment.handover else {
            return;
        };
        self.tell(Event::OverlapEnded {
            stream,
            instance: from.clone(),
            epoch: *epoch,
        });
        self.place(
            stream,
            Place::Assigned(Assignment {
                handover: None,
                ..assignment
            }),
        );
    }

    /// Sends the stream again to every worker that runs it, as it is now, under the same epoch.
    pub fn tell_anew(&mut self, stream: StreamId) {
        let Some(assignment) = self.assignment(stream) else {
            return;
        };
        // An owner that must release the stream is sent nothing of it any more.
        if assignment.is_releasing() {
            return;
        }
        let version = self.touch(&assignment.instance);
        self.place(
            stream,
            Place::Assigned(Assignment {
                version,
                ..assignment
            }),
        );
    }

    fn assignment(&self, stream: StreamId) -> Option<Assignment> {
        let slot = self.fleet.stream(stream)?;
        slot.place().assignment().cloned()
    }

    /// Marks streams as delivered to, or confirmed by, the instance that owns them.
    pub fn deliver(&mut self, to: &Instance, streams: &[StreamId]) {
        let (mut delivered, mut epochs) = (Vec::new(), Vec::new());
        for id in streams {
            let Some(slot) = self.fleet.stream(*id) else {
                continue;
            };
            let Some(assignment) = slot.place().assignment() else {
                continue;
            };
            if assignment.instance != to.id || assignment.delivered == Some(to.incarnation) {
                continue;
            }
            let (before, epoch) = (slot.place().clone(), assignment.epoch);
            let after = Place::Assigned(Assignment {
                delivered: Some(to.incarnation),
                ..assignment.clone()
            });
            self.make(Change::Place {
                stream: *id,
                before: Some(before),
                after: Some(after),
            });
            delivered.push(*id);
            epochs.push(epoch);
        }
        if !delivered.is_empty() {
            self.tell(Event::StreamsDelivered {
                instance: to.id.clone(),
                incarnation: to.incarnation,
                streams: delivered,
                epochs,
            });
        }
    }

    /// Counts that a worker gave a stream back. The stream may be paused from here on.
    pub fn count_return(&mut self, stream: StreamId, by: &InstanceId, reason: Option<Arc<str>>) {
        let Some(before) = self.fleet.stream(stream).map(|slot| slot.stream().clone()) else {
            return;
        };
        let known = before.returns.as_deref();
        let returns = Returns::after(known, stream, by, reason, self.now);
        if returns.is_reported() {
            self.tell(Event::StreamReturned {
                stream,
                name: before.name.clone(),
                instance: by.clone(),
                returns: returns.count,
                workers: returns.workers.clone(),
                reason: returns.reason.clone(),
                retry_at: returns.retry_at,
            });
        }
        self.put_stream(Stream {
            returns: Some(Box::new(returns)),
            ..Stream::clone(&before)
        });
    }

    /// Ends the pause of a stream that was given back.
    pub fn end_pause(&mut self, stream: StreamId) {
        let Some(slot) = self.fleet.stream(stream) else {
            return;
        };
        let before = slot.stream();
        let Some(returns) = before.returns.as_ref().filter(|r| r.retry_at.is_some()) else {
            return;
        };
        let returns = Returns {
            retry_at: None,
            ..Returns::clone(returns)
        };
        let after = Stream {
            returns: Some(Box::new(returns)),
            ..Stream::clone(before)
        };
        self.put_stream(after);
    }

    /// Ends the pause of a stream, and lets it go even to the instance that gave it back last.
    pub fn ask_again(&mut self, stream: StreamId) {
        self.end_pause(stream);
        let place = self.fleet.stream(stream).map(|slot| slot.place().clone());
        if let Some(Place::Unclaimed {
            released_by: Some(_),
            since,
        }) = place
        {
            let released_by = None;
            self.place(stream, Place::Unclaimed { released_by, since });
        }
    }

    /// Forgets that a stream was given back.
    pub fn forget_returns(&mut self, stream: StreamId, because: ReturnsEnd) {
        let Some(slot) = self.fleet.stream(stream) else {
            return;
        };
        let before = slot.stream().clone();
        self.tell_returns_over(&before, because);
        if before.returns.is_some() {
            self.ask_again(stream);
            self.put_stream(Stream {
                returns: None,
                ..Stream::clone(&before)
            });
        }
    }

    /// Takes back the return of a worker that has left for good: it released its streams as leaving
    /// workers do. The return counts no more, if it was the last one and none came with a reason.
    pub fn take_back_return(&mut self, stream: StreamId, by: &InstanceId) {
        let Some(before) = self.fleet.stream(stream).map(|slot| slot.stream().clone()) else {
            return;
        };
        let Some(returns) = before.returns.as_ref() else {
            return;
        };
        if returns.reason.is_some() || returns.workers.last() != Some(by) {
            return;
        }
        let fewer = returns.without_last();
        if !fewer.as_ref().is_some_and(Returns::is_reported) {
            self.tell_returns_over(&before, ReturnsEnd::WorkerLeft);
        }
        self.put_stream(Stream {
            returns: fewer.map(Box::new),
            ..Stream::clone(&before)
        });
    }

    /// Records that the returns of a stream are forgotten, if the stream itself is about to be
    /// replaced.
    pub fn tell_returns_over(&mut self, stream: &Stream, because: ReturnsEnd) {
        let returns = stream.returns.as_ref();
        if let Some(returns) = returns.filter(|returns| returns.is_reported()) {
            let returns = returns.count;
            self.tell(Event::ReturnsOver {
                stream: stream.id,
                returns,
                because,
            });
        }
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
        });
    }

    /// Puts a stream somewhere. The assignment versions of the owner that loses it and of the one
    /// that gets it both move.
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

    /// Moves the version of the owner that loses a stream, unless the owner had to release it: then it
    /// was notified already.
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

    /// Returns the version that an instance's set has once this command is saved: one more than
    /// before, however often the command touches it.
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
