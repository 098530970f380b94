//! Two copies of the fleet: the saved one, which every question reads, and the draft, on which
//! commands are decided while a transaction is under way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::commands::{Command, Rejection};
use crate::events::Event;
use crate::fleet::{Change, Draft, Drafted, Filling, Fleet, Policies, Rows, place_waiting};
use crate::ids::{Epoch, InstanceId, StreamId};
use crate::placement::{PlacementSettings, Strain};
use crate::quarantine::QuarantinePolicy;
use crate::request::{EventOrigin, RequestContext};
use crate::returns::ReturnPolicy;
use crate::time::WallTime;

/// The changes of one command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    /// The changes, in the order they were made.
    pub changes: Vec<Change>,
    /// The events that describe the changes.
    pub events: Vec<Event>,
    /// The origins of events that have another one than the request, by their place.
    pub origins: BTreeMap<usize, Arc<EventOrigin>>,
    /// The request that gave the command, if one did.
    pub request: Option<RequestContext>,
}

/// Several decisions that are saved together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    decisions: Vec<Decision>,
    change_count: usize,
    at: WallTime,
    counter: Epoch,
}

impl Batch {
    /// Returns the rows to write.
    pub fn rows(&self) -> Rows {
        Rows::from_changes(self.changes())
    }

    /// Returns the instances of which something changed: the saved row, or the streams they own.
    pub fn instances(&self) -> BTreeSet<InstanceId> {
        let mut concerned = BTreeSet::new();
        for change in self.changes() {
            match change {
                Change::Instance { id, .. } => {
                    concerned.insert(id.clone());
                }
                Change::Place { before, after, .. } => {
                    for place in [before, after].into_iter().flatten() {
                        let owner = place.assignment();
                        concerned.extend(owner.map(|owner| owner.instance.clone()));
                    }
                }
                Change::Stream { .. }
                | Change::Roll { .. }
                | Change::Incident(_)
                | Change::Placing(_) => {}
            }
        }
        concerned
    }

    /// Returns the streams that were deleted, or created again while a worker may still run them: how many
    /// streams of the catalogue their owner has changes, although nothing else about the owner may.
    pub fn relisted(&self) -> impl Iterator<Item = StreamId> {
        self.changes().filter_map(|change| match change {
            Change::Stream {
                id,
                before: Some(before),
                after: Some(after),
            } => (before.deleted != after.deleted).then_some(*id),
            Change::Stream { .. }
            | Change::Instance { .. }
            | Change::Place { .. }
            | Change::Roll { .. }
            | Change::Incident(_)
            | Change::Placing(_) => None,
        })
    }

    /// Returns the events to write, in order.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.decisions.iter().flat_map(|decision| &decision.events)
    }

    /// Returns, for each of its events in order, the request that led to it.
    pub fn requests(&self) -> impl Iterator<Item = Option<&RequestContext>> {
        let decisions = self.decisions.iter();
        decisions.flat_map(|decision| {
            std::iter::repeat_n(decision.request.as_ref(), decision.events.len())
        })
    }

    /// Returns, for each of its events in order, who gave the order that led to it.
    pub fn origins(&self) -> impl Iterator<Item = Option<&Arc<EventOrigin>>> {
        let decisions = self.decisions.iter();
        decisions.flat_map(|decision| {
            let request = decision.request.as_ref();
            let usual = request.and_then(RequestContext::origin);
            let places = 0..decision.events.len();
            places.map(move |place| decision.origins.get(&place).or(usual))
        })
    }

    /// Returns the changes, in the order they were made.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        self.decisions.iter().flat_map(|decision| &decision.changes)
    }

    /// Returns the moment at which its commands were decided.
    pub fn at(&self) -> WallTime {
        self.at
    }

    /// Returns the last epoch it used.
    pub fn counter(&self) -> Epoch {
        self.counter
    }

    /// Returns whether there is nothing to save.
    pub fn is_empty(&self) -> bool {
        self.decisions.is_empty()
    }
}

/// Keeps two copies of the fleet, so that reads never show unsaved changes and each decision sees
/// the ones before it. Both copies share the entries themselves.
#[derive(Debug)]
pub struct Ledger {
    saved: Fleet,
    draft: Fleet,
    open: Batch,
    policies: Policies,
    filling: Filling,
}

impl Ledger {
    /// Starts from the fleet in the store.
    pub fn new(fleet: Fleet) -> Self {
        Self {
            draft: fleet.clone(),
            saved: fleet,
            open: Batch::default(),
            policies: Policies::default(),
            filling: Filling::default(),
        }
    }

    /// Sets the policy that decides which returns of streams count.
    pub fn set_return_policy(&mut self, policy: ReturnPolicy) {
        self.policies.returns = policy;
    }

    /// Sets the policy that decides when a stream is quarantined.
    pub fn set_quarantine_policy(&mut self, policy: QuarantinePolicy) {
        self.policies.quarantine = policy;
    }

    /// Returns the policy that decides when a stream is quarantined.
    pub fn quarantine_policy(&self) -> &QuarantinePolicy {
        &self.policies.quarantine
    }

    /// Returns the policy that decides which returns of streams count.
    pub fn return_policy(&self) -> &ReturnPolicy {
        &self.policies.returns
    }

    /// Sets how streams are placed from now on.
    pub fn set_placement(&mut self, settings: PlacementSettings) {
        self.draft.set_placement(settings.clone());
        self.saved.set_placement(settings);
    }

    /// Notes how strained the machines of the instances are. It is not saved: it is a hint for the
    /// placements to come.
    pub fn set_strain(&mut self, strain_of: impl Fn(&InstanceId) -> Strain) {
        self.draft.set_strain(&strain_of);
        self.saved.set_strain(strain_of);
    }

    /// Sets whether unclaimed streams wait after a registration with `auto_assign` and after a new
    /// stream.
    pub fn set_filling(&mut self, filling: Filling) {
        self.filling = filling;
    }

    /// Whether unclaimed streams wait.
    pub fn filling(&mut self) -> &mut Filling {
        &mut self.filling
    }

    /// Returns the fleet as it is saved.
    pub fn saved(&self) -> &Fleet {
        &self.saved
    }

    /// Returns the fleet with everything decided so far, saved or not: the next command is decided
    /// on it. For checks only; no caller may be answered from it.
    pub fn draft(&self) -> &Fleet {
        &self.draft
    }

    /// Decides a command on the fleet with everything decided before it. A rejected command leaves
    /// no trace, and neither does a dry run. A command that makes room also places streams that wait
    /// for room, in the same step.
    pub fn decide<C: Command + ?Sized>(
        &mut self,
        command: &C,
        now: WallTime,
    ) -> Result<C::Reply, Rejection> {
        self.decide_for(command, now, None)
    }

    /// Decides a command that a request gave, like any other.
    pub fn decide_for<C: Command + ?Sized>(
        &mut self,
        command: &C,
        now: WallTime,
        request: Option<&RequestContext>,
    ) -> Result<C::Reply, Rejection> {
        let counter = self.draft.counter();
        let mut draft = Draft::new(&mut self.draft, now, self.policies, self.filling);
        let result = command.decide(&mut draft);
        let is_undone = result.is_err() || C::IS_DRY_RUN;
        if !is_undone && draft.has_changes() {
            place_waiting(&mut draft);
        }
        if !is_undone {
            self.filling = draft.filling();
        }
        let Drafted {
            changes,
            events,
            origins,
        } = draft.into_parts();
        // A command that only records events is saved too.
        if is_undone || (changes.is_empty() && events.is_empty()) {
            undo(&mut self.draft, changes);
            self.draft.set_counter(counter);
        } else {
            self.open.change_count += changes.len();
            self.open.decisions.push(Decision {
                changes,
                events,
                origins,
                request: request.cloned(),
            });
            self.open.at = now;
            self.open.counter = self.draft.counter();
        }
        result
    }

    /// Returns how many single changes wait to be handed over.
    pub fn open_changes(&self) -> usize {
        self.open.change_count
    }

    /// Hands over everything that has been decided since the last call, to be saved.
    pub fn take_batch(&mut self) -> Batch {
        std::mem::take(&mut self.open)
    }

    /// Applies a saved batch to the saved copy. Decisions since it was taken are not part of it.
    pub fn commit(&mut self, batch: Batch) {
        if batch.is_empty() {
            return;
        }
        self.saved.set_counter(batch.counter);
        for decision in batch.decisions {
            for change in decision.changes {
                self.saved.apply(change);
            }
        }
    }

    /// Goes on from another last epoch: a take-over moves the counter of epochs. No batch may be under way.
    pub fn set_counter(&mut self, counter: Epoch) {
        self.saved.set_counter(counter);
        self.draft.set_counter(counter);
    }

    /// Undoes a batch that is certainly not saved. No decision may have been made since it was
    /// taken, because it would rest on a fleet that never existed.
    pub fn undo(&mut self, batch: Batch) {
        debug_assert!(
            self.open.is_empty(),
            "decided on a batch that is being undone"
        );
        for decision in batch.decisions.into_iter().rev() {
            undo(&mut self.draft, decision.changes);
        }
        self.draft.set_counter(self.saved.counter());
    }
}

fn undo(fleet: &mut Fleet, changes: Vec<Change>) {
    for change in changes.into_iter().rev() {
        fleet.apply(change.inverted());
    }
}
