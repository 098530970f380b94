//! What follows a save: the saved copy, the registry and the listeners learn of it, in that order,
//! before any caller is answered.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::actor::FleetActor;
use super::committed::Committed;
use crate::actors::instance_link::{FenceAfter, StandingChanged};
use crate::actors::registry::{Entry, Published};
use crate::actors::telemetry::OutcomeLabel;
use crate::domain::fleet::Standing;
use crate::domain::ids::{InstanceId, StreamId};
use crate::domain::ledger::Batch;
use crate::domain::request::RequestContext;
use crate::domain::unowned::Unowned;
use crate::store::{Save, StoreError};

/// The request that led to each event of a batch; empty if none did.
fn requests_of(batch: &Batch) -> Arc<[Option<RequestContext>]> {
    if batch.requests().flatten().next().is_none() {
        return Arc::default();
    }
    batch.requests().map(Option::<&_>::cloned).collect()
}

impl FleetActor {
    /// Counts a save by what the store answered.
    pub(super) fn count(&self, result: &Result<(), StoreError>) {
        let outcome = match result {
            Ok(()) => "saved",
            Err(StoreError::Unavailable(_)) => "unavailable",
            Err(StoreError::InDoubt(_)) => "in_doubt",
            Err(StoreError::Refused(_)) => "refused",
            Err(StoreError::Deposed { .. }) => "deposed",
            Err(
                StoreError::VersionMismatch { .. }
                | StoreError::Unusable(_)
                | StoreError::InUse(_)
                | StoreError::FileReplaced(_),
            ) => "unusable",
        };
        self.links
            .telemetry
            .saves
            .get_or_create(&OutcomeLabel { outcome })
            .inc();
    }

    pub(super) fn commit(&mut self, batch: Batch, save: &Arc<Save>) {
        self.keep(save);
        let mut concerned = batch.instances();
        let relisted: Vec<StreamId> = batch.relisted().collect();
        let requests = requests_of(&batch);
        self.note_for_copy(&batch);
        self.ledger.commit(batch);
        let slots = relisted
            .iter()
            .filter_map(|id| self.ledger.saved().stream(*id));
        let owners = slots.filter_map(|slot| slot.place().assignment());
        concerned.extend(owners.map(|owner| owner.instance.clone()));
        self.go_on_filling();
        let unowned = Unowned::of(self.ledger.saved());
        let now = self.links.clock.now();
        self.links.telemetry.note_unowned(now, unowned);
        let streams = save.rows.streams.keys().chain(save.rows.places.keys());
        self.follow(streams.copied());
        self.plan_for(&concerned);
        self.hurry_drains(&save.rows);
        let incidents = save.rows.incidents.iter().cloned();
        self.links.incidents.recent().note(incidents);
        let (added, removed) = self.publish(&concerned);
        let committed = Committed {
            added: added.into(),
            removed: removed.into(),
            events: save.dated_events().collect(),
            requests,
        };
        for listener in &self.links.listeners {
            listener.do_send(committed.clone());
        }
    }

    /// Shows the registry and the instances' actors what was saved; returns who is new and who is
    /// gone.
    fn publish(&self, concerned: &BTreeSet<InstanceId>) -> (Vec<InstanceId>, Vec<Arc<Entry>>) {
        let (now, wall) = (self.links.clock.now(), self.links.clock.wall());
        let (mut added, mut removed) = (Vec::new(), Vec::new());
        for id in concerned {
            let Some(slot) = self.ledger.saved().instance(id) else {
                removed.extend(self.links.registry.remove(id));
                continue;
            };
            match self
                .links
                .registry
                .publish(id, Standing::of(slot), now, wall)
            {
                Published::New => added.push(id.clone()),
                Published::Changed(entry) => {
                    if let Some(actor) = entry.actor() {
                        actor.adopt.do_send(StandingChanged {
                            fence: FenceAfter::Stays,
                        });
                    }
                }
            }
        }
        (added, removed)
    }
}
