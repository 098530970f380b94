//! The changes that are sent to a worker again, because it is out of step although it has the
//! newest version.

use std::sync::Arc;

use super::changes::to_run;
use super::changes::{ChangesSince, SetUpdate, WorkerUpdate};
use super::query::Query;
use crate::fleet::{Fleet, InstanceSlot, Standing};
use crate::ids::{AssignmentVersion, Incarnation, InstanceId, StreamId};

/// Compares the streams that a worker reports with the streams it should run; `None` if the
/// instance is not registered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Resync {
    pub id: InstanceId,
    pub incarnation: Incarnation,
    /// The version the worker has.
    pub version: AssignmentVersion,
    /// The streams it reports, ascending; without them it is sent the whole set.
    pub running: Option<Arc<[StreamId]>>,
}

impl Query for Resync {
    type Answer = Option<WorkerUpdate>;

    fn answer(&self, fleet: &Fleet) -> Self::Answer {
        let slot = fleet.instance(&self.id)?;
        let instance = slot.instance();
        if instance.incarnation != self.incarnation || instance.assignment_version != self.version {
            // The set changed meanwhile: some of the streams it runs may have another epoch by now.
            let changes = ChangesSince {
                id: self.id.clone(),
                incarnation: Some(self.incarnation),
                version: self.version,
            };
            return changes.answer(fleet);
        }
        Some(WorkerUpdate {
            standing: Standing::of(slot),
            update: self.update(fleet, slot),
        })
    }
}

impl Resync {
    fn update(&self, fleet: &Fleet, slot: &InstanceSlot) -> SetUpdate {
        let Some(running) = &self.running else {
            return SetUpdate::Full {
                assign: to_run(fleet, slot, slot.to_run().into_iter()),
            };
        };
        let is_missing = |id: &StreamId| running.binary_search(id).is_err();
        let missing = slot.to_run().into_iter().filter(is_missing);
        let surplus = running.iter().copied().filter(|id| !slot.is_to_run(*id));
        SetUpdate::Difference {
            assign: to_run(fleet, slot, missing),
            revoke: surplus.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Ledger;
    use crate::sample;

    fn told(ledger: &Ledger, version: i64, running: Option<&[i64]>) -> (Vec<i64>, Vec<StreamId>) {
        let running = running.map(|ids| sample::ids(ids.iter().copied()).into());
        let query = Resync {
            id: "a".into(),
            incarnation: sample::life(ledger, "a"),
            version: AssignmentVersion::new(version),
            running,
        };
        let numbers = |assign: Vec<(Arc<crate::stream::Stream>, _)>| {
            assign.iter().map(|(stream, _)| stream.id.get()).collect()
        };
        match query.answer(ledger.saved()).unwrap().update {
            SetUpdate::UpToDate => panic!("nothing is told"),
            SetUpdate::Difference { assign, revoke } => (numbers(assign), revoke),
            SetUpdate::Full { assign } => (numbers(assign), sample::ids([-1])),
        }
    }

    #[test]
    fn it_is_told_what_it_lacks_and_what_it_has_too_much() {
        let mut ledger = sample::ledger();
        sample::run(&mut ledger, sample::streams(1..=4));
        sample::run(&mut ledger, sample::register("a", 3));
        sample::run(&mut ledger, sample::ask("a", 3));
        let slot = ledger.saved().instance(&"a".into()).unwrap();
        let version = slot.instance().assignment_version.get();
        let full = sample::ids([-1]);
        assert_eq!(
            told(&ledger, version, Some(&[2, 4, 77])),
            (vec![1, 3], sample::ids([4, 77]))
        );
        assert_eq!(told(&ledger, version, Some(&[])), (vec![1, 2, 3], vec![]));
        assert_eq!(
            told(&ledger, version, None),
            (vec![1, 2, 3], full),
            "who sends a digest is told all"
        );
        // Who is behind after all is told what changed since, whatever it says it runs.
        assert_eq!(
            told(&ledger, version - 1, Some(&[1, 2, 3])),
            (vec![1, 2, 3], vec![])
        );
        let unknown = Resync {
            id: "z".into(),
            incarnation: Incarnation::new(1),
            version: AssignmentVersion::new(1),
            running: None,
        };
        assert_eq!(unknown.answer(ledger.saved()), None);
    }
}
