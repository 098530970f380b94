//! A worker asks for streams.

use super::command::{Command, Rejection, known};
use crate::fleet::{Draft, Fleet};
use crate::ids::{Incarnation, InstanceId, StreamId};
use crate::instance::{Instance, InstanceStatus};
use crate::stream::{AssignReason, Holding};

/// Hands out, in this order and each ascending: what is assigned to the instance and it was
/// never told of; what it was told of in an earlier life, if it seems to have lost it; unclaimed
/// streams, as many as it asks for and has room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssignStreams {
    /// Who asks.
    pub id: InstanceId,
    /// The life it believes to lead, if it says so.
    pub incarnation: Option<Incarnation>,
    /// How many more it wants; 0 or less asks only for what is already its own.
    pub requested: i64,
}

/// The answer to an instance that asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AssignOutcome {
    /// These are to be run from now on, each under its epoch.
    Assigned(Vec<Holding>),
    /// Nothing: it holds as many as it may.
    Full {
        /// How many it may hold.
        max_streams: u32,
    },
    /// Nothing: its state does not allow it.
    NotEligible(InstanceStatus),
    /// Nothing: it is being emptied, and its lease is not renewed.
    Withdrawn,
    /// Nothing: no stream waits, or none was asked for.
    NoneWaiting,
    /// Nothing: all that wait, so many, are paused because they were given back.
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

        let free = draft
            .fleet()
            .instance(&self.id)
            .map_or(0, |slot| slot.free_room());
        let fresh = self.fresh(draft.fleet(), free.min(requested));
        for stream in &fresh {
            draft.assign_delivered(*stream, &instance, AssignReason::Requested);
        }
        handed_out.extend(fresh);

        Ok(if !handed_out.is_empty() {
            let fleet = draft.fleet();
            let slot = fleet.instance(&self.id);
            let holdings = slot.map(|slot| fleet.holdings(slot, handed_out).collect());
            AssignOutcome::Assigned(holdings.unwrap_or_default())
        } else if free == 0 {
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
    /// Unclaimed streams, at most so many, ascending; those it gave back itself only if there are no
    /// others.
    fn fresh(&self, fleet: &Fleet, most: usize) -> Vec<StreamId> {
        let is_own = |stream: &StreamId| {
            let slot = fleet.stream(*stream);
            slot.is_some_and(|slot| slot.stream().returned_by().contains(&self.id))
        };
        let (mut fresh, mut own) = (Vec::new(), Vec::new());
        for stream in fleet.ready_unclaimed() {
            if fresh.len() == most {
                break;
            }
            if !is_own(&stream) {
                fresh.push(stream);
            } else if own.len() < most {
                own.push(stream);
            }
        }
        own.truncate(most - fresh.len());
        fresh.extend(own);
        fresh.sort_unstable();
        fresh
    }

    /// What is the instance's own already and it has to be told of.
    fn owed(&self, draft: &Draft<'_>, instance: &Instance, requested: usize) -> Vec<StreamId> {
        let Some(slot) = draft.fleet().instance(&self.id) else {
            return Vec::new();
        };
        let mut owed: Vec<StreamId> = slot.undelivered().iter().copied().collect();
        // A worker asks for `max − own count`. One that merely registered again still runs all
        // it was told of, and must not be told twice: some workers do not remove duplicates.
        let own_count = (instance.max_streams as usize).saturating_sub(requested);
        let told = slot.held().len() - slot.undelivered().len() - slot.releasing().len();
        if own_count < told {
            owed.extend(slot.unconfirmed().difference(slot.undelivered()));
        }
        owed
    }
}
