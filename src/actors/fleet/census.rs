//! Does the store hold what memory believes?

use std::collections::BTreeMap;
use std::sync::Arc;

use actix::prelude::*;
use log::{debug, error};

use super::actor::{FleetActor, State};
use crate::actors::store_calls::StoreOp;
use crate::domain::ids::InstanceId;
use crate::store::{Census, Guard, Store, StoreError};

/// Counts what the store holds and compares it with memory (I7): do they agree? None while a
/// transaction is under way, because both are moving then, or if the store does not answer.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Option<bool>")]
pub struct CompareWithStore;

impl Handler<CompareWithStore> for FleetActor {
    type Result = ResponseActFuture<Self, Option<bool>>;

    fn handle(&mut self, _: CompareWithStore, _: &mut Self::Context) -> Self::Result {
        let is_idle = matches!(self.state, State::Idle);
        let count = |store: Arc<dyn Store>| async move { store.census().await };
        let access = is_idle.then_some(&self.links.access);
        let Some(census) = access.and_then(|access| access.read(StoreOp::CountFleet, count)) else {
            return Box::pin(fut::ready(None));
        };
        let guard = self.guard;
        Box::pin(
            census
                .into_actor(self)
                .map(move |result, actor, _| match result {
                    Ok(census) => actor.compare(guard, &census),
                    Err(error) => {
                        debug!(error:%; "the sweep could not count what is stored");
                        None
                    }
                }),
        )
    }
}

impl FleetActor {
    fn compare(&mut self, guard: Guard, census: &Census) -> Option<bool> {
        if census.guard.term != guard.term {
            let deposed = StoreError::Deposed {
                ours: guard.term,
                current: census.guard.term,
            };
            self.end(&deposed);
            return None;
        }
        // Something was saved while the store counted: the next sweep compares.
        if census.guard != self.guard || !matches!(self.state, State::Idle) {
            return None;
        }
        let differences = self.differences(census);
        for difference in &differences {
            self.links.telemetry.sweep_differences.inc();
            error!(invariant = "I7"; "memory and store disagree: {difference}");
        }
        Some(differences.is_empty())
    }

    fn differences(&self, census: &Census) -> Vec<String> {
        let fleet = self.ledger.saved();
        let mut differences = Vec::new();
        let mut compare = |what: &dyn Fn() -> String, memory: i64, stored: i64| {
            if memory != stored {
                let what = what();
                differences.push(format!("{what}: {memory} in memory, {stored} stored"));
            }
        };
        let instances = || "instances".to_owned();
        compare(&instances, count(fleet.instance_count()), census.instances);
        let streams = || "streams".to_owned();
        compare(&streams, count(fleet.stream_count()), census.streams);
        let stored: BTreeMap<&InstanceId, i64> = census
            .owned
            .iter()
            .map(|(id, streams)| (id, *streams))
            .collect();
        for slot in fleet.instances() {
            let id = &slot.instance().id;
            compare(
                &|| format!("streams of instance {id}"),
                count(slot.held().len()),
                stored.get(id).copied().unwrap_or(0),
            );
        }
        differences
    }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
