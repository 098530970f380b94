//! What is saved, and what is about to be: the fleet as everybody may see it, and the one that
//! commands are decided on while a transaction is under way.

use std::collections::BTreeSet;

use crate::commands::{Command, Rejection};
use crate::events::Event;
use crate::fleet::{Change, Draft, Fleet, Rows, place_waiting};
use crate::ids::{Epoch, InstanceId};
use crate::returns::ReturnPolicy;
use crate::time::WallTime;

/// What one command changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    /// The changes, in the order they were made.
    pub changes: Vec<Change>,
    /// What they mean.
    pub events: Vec<Event>,
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
    /// The rows to write.
    pub fn rows(&self) -> Rows {
        Rows::from_changes(self.decisions.iter().flat_map(|decision| &decision.changes))
    }

    /// Of which instances something changed: what is saved about them, or what they own.
    pub fn instances(&self) -> BTreeSet<InstanceId> {
        let mut concerned = BTreeSet::new();
        for change in self.decisions.iter().flat_map(|decision| &decision.changes) {
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
                Change::Stream { .. } | Change::Incident(_) => {}
            }
        }
        concerned
    }

    /// The events to write, in order.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.decisions.iter().flat_map(|decision| &decision.events)
    }

    /// The moment its commands were decided.
    pub fn at(&self) -> WallTime {
        self.at
    }

    /// The last epoch it gave out.
    pub fn counter(&self) -> Epoch {
        self.counter
    }

    /// Whether there is nothing to save.
    pub fn is_empty(&self) -> bool {
        self.decisions.is_empty()
    }
}

/// Keeps two copies of the fleet: reading never shows what is not saved, and deciding sees what
/// was decided just before. Both copies share the entries themselves.
#[derive(Debug)]
pub struct Ledger {
    saved: Fleet,
    draft: Fleet,
    open: Batch,
    policy: ReturnPolicy,
}

impl Ledger {
    /// Starts from what the store holds.
    pub fn new(fleet: Fleet) -> Self {
        Self {
            draft: fleet.clone(),
            saved: fleet,
            open: Batch::default(),
            policy: ReturnPolicy::default(),
        }
    }

    /// From now on decides by this policy which returns of streams count.
    pub fn set_return_policy(&mut self, policy: ReturnPolicy) {
        self.policy = policy;
    }

    /// Which returns of streams count.
    pub fn return_policy(&self) -> &ReturnPolicy {
        &self.policy
    }

    /// The fleet as it is saved.
    pub fn saved(&self) -> &Fleet {
        &self.saved
    }

    /// The fleet with everything decided so far, saved or not: what the next command is decided
    /// on. For checks; nobody outside may be told what it shows.
    pub fn draft(&self) -> &Fleet {
        &self.draft
    }

    /// Decides a command on the fleet with everything decided before it. A rejected command
    /// leaves no trace. Whatever made room also places what waits for room, in the same step.
    pub fn decide<C: Command + ?Sized>(
        &mut self,
        command: &C,
        now: WallTime,
    ) -> Result<C::Reply, Rejection> {
        let counter = self.draft.counter();
        let mut draft = Draft::new(&mut self.draft, now, self.policy);
        let result = command.decide(&mut draft);
        if result.is_ok() && draft.has_changes() {
            place_waiting(&mut draft);
        }
        let (changes, events) = draft.into_parts();
        // What is only told is saved too: not everything that is remembered changes the fleet.
        if result.is_err() || (changes.is_empty() && events.is_empty()) {
            undo(&mut self.draft, changes);
            self.draft.set_counter(counter);
        } else {
            self.open.change_count += changes.len();
            self.open.decisions.push(Decision { changes, events });
            self.open.at = now;
            self.open.counter = self.draft.counter();
        }
        result
    }

    /// How many single changes wait to be handed over.
    pub fn open_changes(&self) -> usize {
        self.open.change_count
    }

    /// Hands over what has been decided since the last time, to be saved.
    pub fn take_batch(&mut self) -> Batch {
        std::mem::take(&mut self.open)
    }

    /// The batch is saved: everybody may see it. What was decided since it was taken is not.
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

    /// The batch is certainly not saved: nothing of it ever was. Nothing may have been decided
    /// since it was taken, because that was decided on a fleet that never came to be.
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
