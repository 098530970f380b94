//! The changes that a worker must be sent of its set of streams.

use std::sync::Arc;

use super::query::Query;
use crate::fleet::Standing;
use crate::fleet::{Fleet, InstanceSlot};
use crate::heartbeat::ReportedStreams;
use crate::ids::{AssignmentVersion, Epoch, Incarnation, InstanceId, StreamId};
use crate::stream::Stream;

/// Returns what has changed in the set of an instance since the version its worker has; `None` if
/// the instance is not registered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct ChangesSince {
    pub id: InstanceId,
    /// The incarnation in which the worker learned the version; `None` stands for the current one.
    pub incarnation: Option<Incarnation>,
    /// The version the worker has; 0 says that it runs nothing and needs the whole set.
    pub version: AssignmentVersion,
}

/// The content of the answer to a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerUpdate {
    /// The facts about the instance; their `assignment_version` is the one the worker has once it
    /// has carried out the update.
    pub standing: Standing,
    /// The changes the worker must carry out.
    pub update: SetUpdate,
}

/// How a worker brings its set up to date. Doing it twice is harmless.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetUpdate {
    /// Nothing is to do.
    UpToDate,
    /// By carrying out the difference.
    Difference {
        /// Streams to run under this epoch from now on, ascending.
        assign: Vec<(Arc<Stream>, Epoch)>,
        /// Streams to stop, ascending.
        revoke: Vec<StreamId>,
    },
    /// By running exactly these streams, ascending, and stopping every other one.
    Full {
        /// The whole set.
        assign: Vec<(Arc<Stream>, Epoch)>,
    },
}

impl Query for ChangesSince {
    type Answer = Option<WorkerUpdate>;

    fn answer(&self, fleet: &Fleet) -> Self::Answer {
        let slot = fleet.instance(&self.id)?;
        Some(WorkerUpdate {
            standing: Standing::of(slot),
            update: self.update(fleet, slot),
        })
    }
}

impl ChangesSince {
    fn update(&self, fleet: &Fleet, slot: &InstanceSlot) -> SetUpdate {
        let instance = slot.instance();
        let same_life = self
            .incarnation
            .is_none_or(|incarnation| incarnation == instance.incarnation);
        if same_life && self.version == instance.assignment_version {
            return SetUpdate::UpToDate;
        }
        let known = same_life
            && self.version > AssignmentVersion::default()
            && self.version < instance.assignment_version;
        let Some(changed) = known.then(|| slot.changed_since(self.version)).flatten() else {
            return SetUpdate::Full {
                assign: to_run(fleet, slot, slot.to_run().into_iter()),
            };
        };
        let (held, gone): (Vec<StreamId>, Vec<StreamId>) =
            changed.into_iter().partition(|id| slot.is_to_run(*id));
        SetUpdate::Difference {
            assign: to_run(fleet, slot, held.into_iter()),
            revoke: gone,
        }
    }
}

/// Returns which of the streams that a worker runs are its instance's, as its whole set; `None` if the instance
/// is not registered, or if the worker sends a digest that is not that of the set. After a loss of the database
/// nothing else is told.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct SurvivingSet {
    pub id: InstanceId,
    /// What the worker runs.
    pub reported: ReportedStreams,
}

impl Query for SurvivingSet {
    type Answer = Option<WorkerUpdate>;

    fn answer(&self, fleet: &Fleet) -> Self::Answer {
        let slot = fleet.instance(&self.id)?;
        let standing = Standing::of(slot);
        let ReportedStreams {
            digest, running, ..
        } = &self.reported;
        if running.is_none() && *digest != standing.digest {
            return None;
        }
        let is_run = |id: &StreamId| match running {
            Some(running) => running.binary_search(id).is_ok(),
            None => true,
        };
        let both = slot.to_run().into_iter().filter(is_run);
        Some(WorkerUpdate {
            standing,
            update: SetUpdate::Full {
                assign: to_run(fleet, slot, both),
            },
        })
    }
}

/// Returns each stream with the epoch under which this instance runs it.
pub(super) fn to_run(
    fleet: &Fleet,
    slot: &InstanceSlot,
    ids: impl Iterator<Item = StreamId>,
) -> Vec<(Arc<Stream>, Epoch)> {
    fleet
        .holdings(slot, ids)
        .filter_map(|holding| {
            let stream = fleet.stream(holding.stream)?;
            Some((stream.stream().clone(), holding.epoch))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::{DeleteStream, ReleaseStreams};
    use crate::fleet::REMEMBERED_CHANGES;
    use crate::ledger::Ledger;
    use crate::sample;

    fn version(ledger: &Ledger) -> i64 {
        let slot = ledger.saved().instance(&"a".into()).unwrap();
        slot.instance().assignment_version.get()
    }

    fn since(ledger: &Ledger, incarnation: Option<Incarnation>, version: i64) -> SetUpdate {
        let query = ChangesSince {
            id: "a".into(),
            incarnation,
            version: AssignmentVersion::new(version),
        };
        query.answer(ledger.saved()).unwrap().update
    }

    fn full(update: SetUpdate) -> Option<Vec<i64>> {
        match update {
            SetUpdate::Full { assign } => {
                Some(assign.iter().map(|(stream, _)| stream.id.get()).collect())
            }
            SetUpdate::UpToDate | SetUpdate::Difference { .. } => None,
        }
    }

    fn give_back(ids: impl IntoIterator<Item = i64>) -> ReleaseStreams {
        ReleaseStreams {
            epochs: None,
            id: "a".into(),
            incarnation: None,
            streams: sample::ids(ids),
            reason: None,
        }
    }

    #[test]
    fn after_a_loss_a_worker_is_told_what_it_runs_and_is_given() {
        let mut ledger = sample::ledger();
        sample::run(&mut ledger, sample::streams(1..=4));
        sample::run(&mut ledger, sample::register("a", 5));
        sample::run(&mut ledger, sample::ask("a", 3));
        let listed = |ids: &[i64]| ReportedStreams::listed(sample::ids(ids.iter().copied()));
        let counted = |ids: &[i64]| ReportedStreams {
            running: None,
            ..listed(ids)
        };
        for (reported, expected) in [
            (listed(&[1, 2, 3]), vec![1, 2, 3]),
            (listed(&[2, 4, 9]), vec![2]),
            (listed(&[]), vec![]),
            (counted(&[1, 2, 3]), vec![1, 2, 3]),
        ] {
            let id = "a".into();
            let query = SurvivingSet { id, reported };
            let SetUpdate::Full { assign } = query.answer(ledger.saved()).unwrap().update else {
                panic!("the whole set is told");
            };
            let told: Vec<i64> = assign.iter().map(|(stream, _)| stream.id.get()).collect();
            assert_eq!(told, expected);
        }
        let query = SurvivingSet {
            id: "a".into(),
            reported: counted(&[1, 2]),
        };
        assert_eq!(query.answer(ledger.saved()), None, "which they are");
    }

    #[test]
    fn the_answer_depends_on_what_the_worker_has() {
        let mut ledger = sample::ledger();
        sample::run(&mut ledger, sample::register("a", 9));
        sample::run(&mut ledger, sample::streams(1..=4));
        sample::run(&mut ledger, sample::ask("a", 3));
        let life = sample::life(&ledger, "a");
        let before = version(&ledger);
        sample::run(&mut ledger, give_back([1]));
        sample::run(
            &mut ledger,
            DeleteStream {
                id: StreamId::new(2),
            },
        );
        sample::run(&mut ledger, sample::ask("a", 9));
        let now = version(&ledger);
        assert_eq!(now, before + 3);

        assert_eq!(since(&ledger, Some(life), now), SetUpdate::UpToDate);
        let SetUpdate::Difference { assign, revoke } = since(&ledger, None, before) else {
            panic!("a difference is known");
        };
        let assigned: Vec<i64> = assign.iter().map(|(stream, _)| stream.id.get()).collect();
        assert_eq!(
            assigned,
            [1, 4],
            "given back and got again: under a new epoch"
        );
        assert_eq!(revoke, sample::ids([2]));

        let all = Some(vec![1, 3, 4]);
        assert_eq!(full(since(&ledger, Some(life), 0)), all, "runs nothing");
        assert_eq!(
            full(since(&ledger, Some(life), now + 1)),
            all,
            "from the future"
        );
        sample::run(&mut ledger, sample::register("a", 9));
        for version in [now, now - 1] {
            let update = since(&ledger, Some(life), version);
            assert_eq!(full(update), all, "version {version} of another life");
        }
        let unknown = ChangesSince {
            id: "z".into(),
            incarnation: None,
            version: AssignmentVersion::new(1),
        };
        assert_eq!(unknown.answer(ledger.saved()), None);
    }

    #[test]
    fn a_worker_too_far_behind_is_told_everything() {
        let mut ledger = sample::ledger();
        let many = REMEMBERED_CHANGES as i64 + 1;
        sample::run(&mut ledger, sample::register("a", 1_000));
        sample::run(&mut ledger, sample::streams(1..=many));
        let before = version(&ledger);
        for _ in 1..many {
            sample::run(&mut ledger, sample::ask("a", 1));
        }
        assert_eq!(full(since(&ledger, None, before)), None, "just remembered");
        sample::run(&mut ledger, sample::ask("a", 1));
        assert_eq!(
            full(since(&ledger, None, before)).map(|all| all.len() as i64),
            Some(many)
        );
    }

    /// Found by reading: editing the catalogue used to fill the memory of who got what.
    #[test]
    fn editing_a_stream_neither_comes_nor_goes() {
        let mut ledger = sample::ledger();
        sample::run(&mut ledger, sample::register("a", 9));
        sample::run(&mut ledger, sample::streams(1..=2));
        let before = version(&ledger);
        sample::run(&mut ledger, sample::ask("a", 1));
        for round in 0..=REMEMBERED_CHANGES as i32 {
            let mut edit = sample::streams(1..=2);
            for spec in &mut edit.streams {
                spec.priority = Some(round + 1);
            }
            sample::run(&mut ledger, edit);
        }
        assert_eq!(full(since(&ledger, None, before)), None);
        assert_eq!(version(&ledger), before + 1);
    }
}
