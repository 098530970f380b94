//! The timer of planned work: one for the whole fleet.
//!
//! A saved moment is on the wall clock, which may jump. It is converted to running time once, when it
//! is seen; a later jump does not move it. A command that follows from an entry names the entry, so
//! an entry that is out of date changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::ids::InstanceId;
use crate::instance::Instance;
use crate::time::{Timestamp, WallTime};

/// How often a drain looks at its fleet, if nothing happens.
const STEP_INTERVAL: Duration = Duration::from_secs(1);

/// How soon a drain continues after a change that concerns it: the changes of a moment are one step.
const HURRY: Duration = Duration::from_millis(50);

/// How soon the end of something is due again, if it was not saved.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);

/// What is due for an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PlannedDue {
    /// Its cordon ends at that moment.
    CordonOver(WallTime),
    /// The deadline of its drain.
    DrainDeadline(WallTime),
    /// The next step of its drain.
    DrainStep,
    /// Its silence is expected until that moment.
    AbsenceOver(WallTime),
}

/// Returns what comes by itself for an instance, and when.
fn pending(instance: &Instance) -> Vec<(PlannedDue, Option<WallTime>)> {
    let mut pending = Vec::new();
    if let Some(until) = instance.cordon().and_then(|cordon| cordon.until) {
        pending.push((PlannedDue::CordonOver(until), Some(until)));
    }
    if let Some(drain) = instance.drain().filter(|drain| drain.is_under_way()) {
        if !drain.is_overdue {
            let at = drain.deadline_at;
            pending.push((PlannedDue::DrainDeadline(at), Some(at)));
        }
        pending.push((PlannedDue::DrainStep, None));
    }
    if let Some(until) = instance.absence().map(|absence| absence.until) {
        pending.push((PlannedDue::AbsenceOver(until), Some(until)));
    }
    pending
}

/// What is due by itself, on running time.
#[derive(Debug, Default)]
pub struct PlannedTimer {
    pending: BTreeMap<(InstanceId, PlannedDue), Timestamp>,
    order: BTreeSet<(Timestamp, InstanceId, PlannedDue)>,
    /// When rolls continue, while there are any.
    rolls: Option<Timestamp>,
}

impl PlannedTimer {
    /// Takes over what is saved about an instance; `None`: it is gone.
    pub fn follow(
        &mut self,
        id: &InstanceId,
        instance: Option<&Instance>,
        now: Timestamp,
        wall: WallTime,
    ) {
        let wanted = instance.map(pending).unwrap_or_default();
        let known = self.of(id);
        for due in known {
            if !wanted.iter().any(|(wanted, _)| *wanted == due) {
                self.forget(id, due);
            }
        }
        for (due, at) in wanted {
            let is_known = self.pending.contains_key(&(id.clone(), due));
            match at {
                Some(at) if !is_known => self.set(id, due, now + at.since(wall)),
                Some(_) => {}
                // The instance changed, so its drain may have something to do.
                None => self.hurry(id, now),
            }
        }
    }

    /// Has the drain of an instance continue soon.
    pub fn hurry(&mut self, id: &InstanceId, now: Timestamp) {
        let soon = now + HURRY;
        let key = (id.clone(), PlannedDue::DrainStep);
        if self.pending.get(&key).is_none_or(|at| *at > soon) {
            self.set(id, PlannedDue::DrainStep, soon);
        }
    }

    /// Returns the instances that drain.
    pub fn draining(&self) -> impl Iterator<Item = &InstanceId> {
        let steps = self.pending.keys();
        steps.filter_map(|(id, due)| (*due == PlannedDue::DrainStep).then_some(id))
    }

    /// Returns when the next entry is due.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let next = self.order.first().map(|(at, _, _)| *at);
        next.into_iter().chain(self.rolls).min()
    }

    /// Notes whether there are rolls that are not over.
    pub fn follow_rolls(&mut self, is_open: bool, now: Timestamp) {
        let due = self.rolls.unwrap_or(now + STEP_INTERVAL);
        self.rolls = is_open.then_some(due);
    }

    /// Returns whether rolls continue now; they do again after a while.
    pub fn rolls_are_due(&mut self, now: Timestamp) -> bool {
        let is_due = self.rolls.is_some_and(|at| at <= now);
        if is_due {
            self.rolls = Some(now + STEP_INTERVAL);
        }
        is_due
    }

    /// Returns what is due now. An entry stays until the change that follows from it arrives, and is
    /// due again after a while.
    pub fn due(&mut self, now: Timestamp) -> Vec<(InstanceId, PlannedDue)> {
        let due: Vec<(InstanceId, PlannedDue)> = self
            .order
            .iter()
            .take_while(|(at, _, _)| *at <= now)
            .map(|(_, id, due)| (id.clone(), *due))
            .collect();
        for (id, due) in &due {
            let again = match due {
                PlannedDue::DrainStep => STEP_INTERVAL,
                PlannedDue::CordonOver(_)
                | PlannedDue::DrainDeadline(_)
                | PlannedDue::AbsenceOver(_) => RETRY_INTERVAL,
            };
            self.set(id, *due, now + again);
        }
        due
    }

    fn of(&self, id: &InstanceId) -> Vec<PlannedDue> {
        let first = (
            id.clone(),
            PlannedDue::CordonOver(WallTime::from_micros(i64::MIN)),
        );
        let entries = self.pending.range(first..);
        let entries = entries.take_while(|((other, _), _)| other == id);
        entries.map(|((_, due), _)| *due).collect()
    }

    fn set(&mut self, id: &InstanceId, due: PlannedDue, at: Timestamp) {
        self.forget(id, due);
        self.pending.insert((id.clone(), due), at);
        self.order.insert((at, id.clone(), due));
    }

    fn forget(&mut self, id: &InstanceId, due: PlannedDue) {
        if let Some(at) = self.pending.remove(&(id.clone(), due)) {
            self.order.remove(&(at, id.clone(), due));
        }
    }
}
