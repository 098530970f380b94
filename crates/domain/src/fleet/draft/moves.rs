//! Streams that are assigned to an owner, and that an owner is to release.

use super::Draft;
use crate::events::Event;
use crate::explain::Placing;
use crate::fleet::change::Change;
use crate::fleet::model::InstanceSlot;
use crate::handover::{
    AbandonReason, AfterRelease, Handover, HandoverMode, MoveProgress, MoveReason,
};
use crate::ids::{AssignmentVersion, Incarnation, InstanceId, StreamId};
use crate::instance::Instance;
use crate::placement::Need;
use crate::stream::{AssignReason, Assignment, Place};

impl Draft<'_> {
    /// Gives a stream to an instance, with a new epoch; the one that ran it before loses it.
    pub fn assign(&mut self, stream: StreamId, to: &InstanceId, reason: AssignReason) {
        self.assign_as(stream, to, reason, None, None);
    }

    /// Assigns a stream to an instance that learns of it with the same answer.
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
        self.explain(stream, to, reason);
        self.end_pause(stream);
        let epoch = self.next_epoch();
        if let Some(placing) = self.placings.get_mut(to) {
            placing.last = epoch;
        }
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
            incident: self.incident,
        });
    }

    /// Notes why an instance gets a stream, unless it got one by this command already.
    fn explain(&mut self, stream: StreamId, to: &InstanceId, reason: AssignReason) {
        if self.placings.contains_key(to) {
            return;
        }
        let first = self.fleet.counter().next();
        let placing = Placing {
            instance: to.clone(),
            first,
            last: first,
            placed: (self.fleet).placed(stream, to, reason, self.now, self.scoring.as_ref()),
        };
        self.placings.insert(to.clone(), placing);
    }

    /// Moves a stream to an instance as its mode and its owner allow: a leased owner of an exclusive
    /// stream releases it first, and an overlapping one goes on until the new owner runs it. A classic
    /// owner cannot confirm a release, so its streams move at once.
    pub fn move_stream(
        &mut self,
        stream: StreamId,
        to: &InstanceId,
        why: MoveReason,
    ) -> MoveProgress {
        let reason = why.assign_reason();
        let Some(slot) = self.fleet.stream(stream) else {
            return MoveProgress::Unchanged;
        };
        let owner = slot.place().assignment();
        let is_leased = owner.is_some_and(|owner| self.fleet.serves_leased(&owner.instance));
        let is_releasing = owner.is_some_and(Assignment::is_releasing);
        match slot.stream().handoff {
            HandoverMode::Exclusive if is_leased => {
                let to = Some(to.clone());
                self.begin_release(stream, AfterRelease::MoveTo { to, reason: why });
                MoveProgress::Releasing
            }
            // A new owner that never confirms would leave both workers running the stream for ever.
            HandoverMode::Overlap if is_leased && self.fleet.serves_leased(to) && !is_releasing => {
                self.assign_overlapping(stream, to, reason);
                MoveProgress::Overlapping
            }
            HandoverMode::Exclusive | HandoverMode::Overlap => {
                self.assign(stream, to, reason);
                MoveProgress::Moved
            }
        }
    }

    /// Gives a stream to an instance while its former owner goes on until the new one runs it.
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

    /// Has the owner of a stream release it.
    pub fn begin_release(&mut self, stream: StreamId, then: AfterRelease) {
        let Some(assignment) = self.assignment(stream) else {
            return;
        };
        // An owner that is to release it already hears nothing new.
        let told = match &assignment.handover {
            Some(Handover::Releasing { version, since, .. }) => Some((*version, *since)),
            Some(Handover::Overlapping { .. } | Handover::GivenUp { .. }) | None => None,
        };
        let (version, since) = told.unwrap_or_else(|| (self.touch(&assignment.instance), self.now));
        self.tell(Event::StreamReleasing {
            stream,
            instance: assignment.instance.clone(),
            epoch: assignment.epoch,
            to: then.to().cloned(),
            reason: Some(then.shown_reason()),
            incident: self.incident,
        });
        let before = Place::Assigned(assignment.clone());
        // An overlap ends with it, and its former owner has to hear of that.
        if told.is_none() {
            self.touch_owner(&before);
        }
        self.make(Change::Place {
            stream,
            before: Some(before),
            after: Some(Place::Assigned(Assignment {
                handover: Some(Handover::Releasing {
                    then,
                    version,
                    since,
                }),
                ..assignment
            })),
        });
    }

    /// Changes what becomes of a stream that is being released. Its owner hears nothing new.
    pub fn redirect_release(&mut self, stream: StreamId, then: AfterRelease) {
        let Some(assignment) = self.assignment(stream) else {
            return;
        };
        let Some(Handover::Releasing { version, since, .. }) = assignment.handover else {
            return;
        };
        self.make(Change::Place {
            stream,
            before: Some(Place::Assigned(assignment.clone())),
            after: Some(Place::Assigned(Assignment {
                handover: Some(Handover::Releasing {
                    then,
                    version,
                    since,
                }),
                ..assignment
            })),
        });
    }

    /// The process that has to release a stream is followed by another one, which is never notified of it. The
    /// first heartbeat that names the new life and does not report the stream releases it: no version of the
    /// owner's set is below 0.
    pub fn release_with_next_heartbeat(&mut self, stream: StreamId) {
        let Some(assignment) = self.assignment(stream) else {
            return;
        };
        let Some(Handover::Releasing { then, since, .. }) = &assignment.handover else {
            return;
        };
        let after = Place::Assigned(Assignment {
            handover: Some(Handover::Releasing {
                then: then.clone(),
                version: AssignmentVersion::new(0),
                since: *since,
            }),
            ..assignment.clone()
        });
        // No worker is notified: it is as little in the owner's set as before.
        self.make(Change::Place {
            stream,
            before: Some(Place::Assigned(assignment)),
            after: Some(after),
        });
    }

    /// Has the first heartbeat of the owner's new life release a stream that does not fit there any more.
    pub fn shed_with_next_heartbeat(&mut self, stream: StreamId) {
        self.begin_release(stream, AfterRelease::Shed);
        self.release_with_next_heartbeat(stream);
    }

    /// How many streams an instance is to run, and the sum of their weights: those that it is to release take no room.
    pub fn to_run(&self, owner: &InstanceSlot) -> (usize, u64) {
        let weight = |id: &StreamId| {
            let slot = self.fleet.stream(*id)?;
            Some(u64::from(slot.stream().weight))
        };
        let releasing: u64 = owner.releasing().iter().filter_map(weight).sum();
        (
            owner.held().len() - owner.releasing().len(),
            owner.weight().saturating_sub(releasing),
        )
    }

    /// Whether a stream that is being released has no place among those that its owner is to run: the owner registered anew
    /// with less room, or without a label that the stream requires.
    pub fn fits_no_more(&self, stream: StreamId, assignment: &Assignment) -> bool {
        let owner = self.fleet.instance(&assignment.instance);
        let (Some(owner), Some(slot)) = (owner, self.fleet.stream(stream)) else {
            return false;
        };
        let (instance, stream) = (owner.instance(), slot.stream());
        let (most, limit) = (
            instance.max_streams as usize,
            instance.capacity.map_or(u64::MAX, u64::from),
        );
        if assignment.is_shed() && !Need::of(stream).is_met_by(&instance.labels) {
            return true;
        }
        // Nearly always: then no stream has to be looked at.
        if owner.held().len() <= most && owner.weight() <= limit {
            return false;
        }
        let (count, weight) = self.to_run(owner);
        count >= most || weight.saturating_add(u64::from(stream.weight)) > limit
    }

    /// Leaves a stream with its owner after all, under the same epoch, unless it does not fit there any more. If the owner did not release it,
    /// that is noted; if the move is cancelled, the note of an earlier one that was given up is removed
    /// too.
    pub fn abandon_release(&mut self, stream: StreamId, reason: AbandonReason) {
        let Some(assignment) = self.assignment(stream) else {
            return;
        };
        let was_given_up = assignment.given_up_since().is_some();
        let is_over = was_given_up && reason == AbandonReason::CalledOff;
        if !assignment.is_releasing() && !is_over {
            return;
        }
        if assignment.is_releasing() && self.fits_no_more(stream, &assignment) {
            return self.redirect_release(stream, AfterRelease::Shed);
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
            // It runs there as before: there is nothing for its owner to hear.
            self.make(Change::Place {
                stream,
                before: Some(Place::Assigned(assignment)),
                after: Some(after),
            });
        } else {
            self.place(stream, after);
        }
    }

    /// The former owner of a stream is to stop it: the new one runs it, or there is no former
    /// owner any more.
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
        // Nothing is new to the owner: it runs the stream as before.
        self.touch(&from.clone());
        let before = Place::Assigned(assignment.clone());
        self.make(Change::Place {
            stream,
            before: Some(before),
            after: Some(Place::Assigned(Assignment {
                handover: None,
                ..assignment
            })),
        });
    }

    /// Notifies the workers that run a stream of its new description, under the epoch it has.
    pub fn tell_anew(&mut self, stream: StreamId) {
        let Some(assignment) = self.assignment(stream) else {
            return;
        };
        // An owner that is releasing the stream is not notified of it again.
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
}
