//! What the events tell of drains: each one ends, and none is called drained too early.

use std::collections::{BTreeMap, BTreeSet};

use resilient_orchestrator::domain::events::Event;
use resilient_orchestrator::domain::planned::DrainState;
use resilient_orchestrator::domain::stream::AssignReason;

/// The drains that are under way, and the moves that new owners have not confirmed.
#[derive(Debug, Default)]
pub(crate) struct Drained {
    under_way: BTreeSet<String>,
    leased: BTreeSet<String>,
    /// By stream, the instance that it left for a planned move, and its owner.
    unconfirmed: BTreeMap<i64, (String, String)>,
}

impl Drained {
    /// Follows an event; `owners` has who owned what before it.
    pub(crate) fn follow(
        &mut self,
        event: &Event,
        owners: &BTreeMap<i64, String>,
    ) -> Result<(), String> {
        match event {
            Event::LeaseAgreed {
                instance, leased, ..
            } => {
                if *leased {
                    self.leased.insert(instance.to_string());
                } else {
                    self.leased.remove(instance.as_str());
                }
            }
            Event::StreamAssigned {
                stream,
                instance,
                from,
                reason,
                ..
            } => {
                let known = self.unconfirmed.remove(&stream.get()).map(|(from, _)| from);
                let left = (from.as_ref())
                    .filter(|_| *reason == AssignReason::PlannedMove)
                    .map(ToString::to_string);
                if let Some(from) = left.or(known) {
                    let owner = instance.to_string();
                    self.unconfirmed.insert(stream.get(), (from, owner));
                }
            }
            Event::StreamsDelivered {
                instance, streams, ..
            } => {
                for stream in streams {
                    let owner = self.unconfirmed.get(&stream.get());
                    if owner.is_some_and(|(_, owner)| owner == instance.as_str()) {
                        self.unconfirmed.remove(&stream.get());
                    }
                }
            }
            Event::StreamReleased { stream, .. }
            | Event::StreamOrphaned { stream, .. }
            | Event::StreamWithdrawn { stream, .. }
            | Event::StreamUpdated { stream, .. }
            | Event::StreamDeleted { stream } => {
                self.unconfirmed.remove(&stream.get());
            }
            Event::DrainStarted { instance, .. } => {
                // What was moved before is no concern of this drain.
                let id = instance.as_str();
                self.unconfirmed.retain(|_, (from, _)| from != id);
                self.under_way.insert(id.to_owned());
            }
            Event::DrainEnded {
                instance,
                state,
                left,
                ..
            } => {
                let was_under_way = self.under_way.remove(instance.as_str());
                self.judge_end(instance.as_str(), *state, *left, was_under_way, owners)?;
            }
            Event::InstanceRemoved { instance, .. } => {
                self.under_way.remove(instance.as_str());
                self.leased.remove(instance.as_str());
            }
            _ => {}
        }
        Ok(())
    }

    fn judge_end(
        &self,
        id: &str,
        state: DrainState,
        left: u32,
        was_under_way: bool,
        owners: &BTreeMap<i64, String>,
    ) -> Result<(), String> {
        let owned = owners.values().filter(|owner| *owner == id).count();
        if owned != left as usize {
            return Err(format!(
                "drain: {id} is {state} with {left} streams left, and owns {owned}"
            ));
        }
        if !was_under_way || state != DrainState::Drained {
            return Ok(());
        }
        if owned > 0 {
            return Err(format!("drain: {id} has drained and owns {owned} streams"));
        }
        // A classic owner may have no call that confirms.
        let early = self
            .unconfirmed
            .iter()
            .find(|(_, (from, owner))| from == id && self.leased.contains(owner));
        match early {
            None => Ok(()),
            Some((stream, (_, owner))) => Err(format!(
                "drain: {id} has drained before {owner} confirmed stream {stream}"
            )),
        }
    }

    /// Returns an instance whose drain never ended.
    pub(crate) fn unfinished(&self) -> Option<&String> {
        self.under_way.first()
    }
}
