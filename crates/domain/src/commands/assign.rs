//! A worker requests streams.

use super::command::{Command, Rejection, known};
use crate::fleet::{Draft, Fleet, Suits};
use crate::ids::{Incarnation, InstanceId, StreamId};
use crate::instance::{Instance, InstanceStatus};
use crate::placement::Room;
use crate::stream::{AssignReason, Holding};
use crate::time::WallTime;

/// Assigns streams in this order, each group ascending: streams that the instance owns and was
/// never notified of; streams that an earlier incarnation was notified of, if the worker seems to
/// have lost them; unclaimed streams, as many as are requested and have room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssignStreams {
    /// The requester.
    pub id: InstanceId,
    /// The incarnation the worker believes to be current, if it sends one.
    pub incarnation: Option<Incarnation>,
    /// How many more streams the worker requests; 0 or less requests only streams it already owns.
    pub requested: i64,
}

/// The answer to a request for streams.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum AssignOutcome {
    /// The streams to run from now on, each under its epoch.
    Assigned(Vec<Holding>),
    /// None: the instance owns as many as it may.
    Full { max_streams: u32 },
    /// None: the state of the instance does not allow it.
    NotEligible(InstanceStatus),
    /// None: the instance is being emptied, and its lease is not renewed.
    Withdrawn,
    /// None: the instance is cordoned, until that moment or until the cordon is ended.
    Cordoned(Option<WallTime>),
    /// None: no stream waits, or none was requested.
    NoneWaiting,
    /// None: every waiting stream is paused because it was given back. Holds their number.
    Paused(usize),
}

impl Command for AssignStreams {
    type Reply = AssignOutcome;

    fn decide(&self, draft: &mut Draft<'_>) -> Result<AssignOutcome, Rejection> {
        let instance = match self.incarnation {
            Some(incarnation) => super::command::current_life(draft, &self.id, incarnation)?,
            None => known(draft, &self.id)?,
        };
        if !instance.status.may_ask() {
            return Ok(AssignOutcome::NotEligible(instance.status));
        }
        if instance.withdrawn.is_some() {
            return Ok(AssignOutcome::Withdrawn);
        }
        let requested = usize::try_from(self.requested).unwrap_or(0);
        let mut handed_out = self.owed(draft, &instance, requested);
        draft.deliver(&instance, &handed_out);

        let cordon = instance.cordon();
        let free = draft.fleet().instance(&self.id).map(|slot| slot.free());
        let is_full = free.is_none_or(Room::is_full);
        let most = if cordon.is_some() { 0 } else { requested };
        let fresh = self.fresh(draft.fleet(), most);
        for stream in &fresh {
            draft.assign_delivered(*stream, &instance, AssignReason::Requested);
        }
        handed_out.extend(fresh);

        Ok(if !handed_out.is_empty() {
            let fleet = draft.fleet();
            let slot = fleet.instance(&self.id);
            let holdings = slot.map(|slot| fleet.holdings(slot, handed_out).collect());
            AssignOutcome::Assigned(holdings.unwrap_or_default())
        } else if let Some(cordon) = cordon {
            AssignOutcome::Cordoned(cordon.until)
        } else if is_full {
            AssignOutcome::Full {
                max_streams: instance.max_streams,
            }
        } else {
            match draft.fleet().paused_count() {
                paused if paused > 0 && requested > 0 => AssignOutcome::Paused(paused),
                _ => AssignOutcome::NoneWaiting,
            }
        })
    }
}

impl AssignStreams {
    /// Returns at most `most` unclaimed streams that the instance can have, ascending. Streams that it
    /// gave back, and streams whose group it has already, come only if there are no others; a stream
    /// that is pinned to another instance which takes streams does not come.
    fn fresh(&self, fleet: &Fleet, most: usize) -> Vec<StreamId> {
        let Some(slot) = fleet.instance(&self.id) else {
            return Vec::new();
        };
        let mut room = slot.free();
        let most = most.min(room.streams as usize);
        let mut fresh = Vec::new();
        let (mut crowded, mut own) = (Vec::new(), Vec::new());
        for stream in fleet.ready_for(slot) {
            if fresh.len() == most {
                break;
            }
            let suits = fleet.suits_on_request(stream, slot);
            match suits {
                Suits::Well => take(fleet, stream, &mut room, &mut fresh),
                Suits::Crowded if crowded.len() < most => crowded.push(stream),
                Suits::GaveItBack if own.len() < most => own.push(stream),
                Suits::Crowded | Suits::GaveItBack | Suits::BelongsElsewhere => {}
            }
        }
        for stream in crowded.into_iter().chain(own) {
            if fresh.len() < most {
                take(fleet, stream, &mut room, &mut fresh);
            }
        }
        fresh.sort_unstable();
        fresh
    }

    /// Returns the streams that the instance already owns and must be notified of.
    fn owed(&self, draft: &Draft<'_>, instance: &Instance, requested: usize) -> Vec<StreamId> {
        let Some(slot) = draft.fleet().instance(&self.id) else {
            return Vec::new();
        };
        let mut owed: Vec<StreamId> = slot.undelivered().iter().copied().collect();
        // A worker requests `max − own count`. A worker that merely registered again still runs all
        // the streams it was notified of, and must not get them twice: some workers do not remove
        // duplicates.
        let own_count = (instance.max_streams as usize).saturating_sub(requested);
        let told = slot.held().len() - slot.undelivered().len() - slot.releasing().len();
        if own_count < told {
            owed.extend(slot.unconfirmed().difference(slot.undelivered()));
        }
        owed
    }
}

/// Adds a stream, if there is room for its weight.
fn take(fleet: &Fleet, stream: StreamId, room: &mut Room, taken: &mut Vec<StreamId>) {
    let weight = fleet.stream(stream).map_or(0, |slot| slot.stream().weight);
    if room.streams > 0 && weight <= room.weight {
        *room = room.beside(weight);
        taken.push(stream);
    }
}
