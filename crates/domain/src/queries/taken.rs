//! The streams that were taken from an instance, and those of them that its worker still reports.

use std::sync::Arc;

use super::query::Query;
use crate::fleet::{Fleet, InstanceSlot};
use crate::ids::{Incarnation, InstanceId, StreamId};
use crate::stream::Place;

/// Returns the streams that an instance has to release, and the reported streams that it should not
/// run; `None` if the instance is not registered, or has a newer incarnation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct TakenStreams {
    pub id: InstanceId,
    pub incarnation: Incarnation,
    /// The streams its worker reports, ascending, if it names any.
    pub running: Option<Arc<[StreamId]>>,
}

/// The streams that were taken from an instance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taken {
    /// The streams it owns and has to release, ascending.
    pub releasing: Vec<(StreamId, TakenAs)>,
    /// The streams it runs beside the new owner of each, ascending.
    pub overlapping: Vec<(StreamId, InstanceId)>,
    /// The reported streams it should not run, ascending; `None` if the report names no streams.
    pub surplus: Option<Vec<(StreamId, TakenAs)>>,
}

/// Why an instance should not run a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TakenAs {
    /// It is not in the catalogue.
    Deleted,
    /// It is in the catalogue, and no instance should run it.
    Disabled,
    /// Its owner has to release it before it moves.
    Releasing,
    /// The leases of its owner are withdrawn.
    Withdrawn,
    /// Another instance owns it.
    OwnedBy(InstanceId),
    /// It waits for an owner.
    Waiting,
}

impl Query for TakenStreams {
    type Answer = Option<Taken>;

    fn answer(&self, fleet: &Fleet) -> Self::Answer {
        let slot = fleet.instance(&self.id)?;
        if slot.instance().incarnation != self.incarnation {
            return None;
        }
        let why = |id: &StreamId| (*id, taken_as(fleet, slot, *id));
        let surplus = self.running.as_ref().map(|running| {
            let surplus = running.iter().filter(|id| !slot.is_to_run(**id));
            surplus.map(why).collect()
        });
        let owner = |id: &StreamId| {
            let assignment = fleet.stream(*id)?.place().assignment()?;
            Some((*id, assignment.instance.clone()))
        };
        Some(Taken {
            releasing: slot.releasing().iter().map(why).collect(),
            overlapping: slot.lingering().keys().filter_map(owner).collect(),
            surplus,
        })
    }
}

fn taken_as(fleet: &Fleet, slot: &InstanceSlot, id: StreamId) -> TakenAs {
    let Some(stream) = fleet.listed(id) else {
        return TakenAs::Deleted;
    };
    if !stream.stream().enabled {
        return TakenAs::Disabled;
    }
    match stream.place() {
        Place::Assigned(assignment) if assignment.instance != slot.instance().id => {
            TakenAs::OwnedBy(assignment.instance.clone())
        }
        Place::Assigned(_) if slot.instance().withdrawn.is_some() => TakenAs::Withdrawn,
        Place::Assigned(_) => TakenAs::Releasing,
        Place::Unclaimed { .. } | Place::Orphaned { .. } => TakenAs::Waiting,
        Place::Disabled => TakenAs::Disabled,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::commands::{
        AgreeLease, DeleteStream, MoveStreams, ReleaseStreams, Relocation, SaveStreams, StreamSpec,
        WithdrawLease,
    };
    use crate::handover::HandoverMode;
    use crate::ledger::Ledger;
    use crate::sample;

    /// `a` owns streams 1 to 6, of which 6 may overlap; `b` has room; both are leased.
    fn ledger() -> Ledger {
        let mut ledger = sample::ledger();
        sample::run(&mut ledger, sample::streams(1..=6));
        edit(&mut ledger, 6, |spec| {
            spec.handoff = Some(HandoverMode::Overlap)
        });
        sample::run(&mut ledger, sample::register("a", 9));
        sample::run(&mut ledger, sample::ask("a", 6));
        sample::run(&mut ledger, sample::register("b", 9));
        for id in ["a", "b"] {
            let agreement = AgreeLease {
                id: id.into(),
                incarnation: sample::life(&ledger, id),
                lease: Some(Duration::from_secs(240)),
            };
            sample::run(&mut ledger, agreement);
        }
        ledger
    }

    fn edit(ledger: &mut Ledger, id: i64, change: impl FnOnce(&mut StreamSpec)) {
        let mut spec = StreamSpec {
            id: Some(StreamId::new(id)),
            ..StreamSpec::default()
        };
        change(&mut spec);
        let streams = vec![spec];
        sample::run(ledger, SaveStreams { streams });
    }

    fn asked(ledger: &Ledger, running: Option<&[i64]>) -> Taken {
        let query = TakenStreams {
            id: "a".into(),
            incarnation: sample::life(ledger, "a"),
            running: running.map(|ids| sample::ids(ids.iter().copied()).into()),
        };
        query.answer(ledger.saved()).unwrap()
    }

    #[test]
    fn each_reported_stream_that_an_instance_should_not_run_has_its_reason() {
        let mut ledger = ledger();
        edit(&mut ledger, 1, |spec| spec.enabled = Some(false));
        let id = StreamId::new(2);
        sample::run(&mut ledger, DeleteStream { id });
        let moved = |stream| Relocation {
            stream: StreamId::new(stream),
            to: Some("b".into()),
        };
        let moves = vec![moved(3), moved(6)];
        sample::run(&mut ledger, MoveStreams { moves });
        let release = ReleaseStreams {
            epochs: None,
            id: "a".into(),
            incarnation: None,
            streams: sample::ids([4]),
            reason: None,
        };
        sample::run(&mut ledger, release);
        let number = |id: i64, why: TakenAs| (StreamId::new(id), why);
        let releasing = [
            number(1, TakenAs::Disabled),
            number(2, TakenAs::Deleted),
            number(3, TakenAs::Releasing),
        ];
        let taken = asked(&ledger, Some(&[1, 2, 3, 4, 5, 6, 77]));
        assert_eq!(taken.releasing, releasing);
        assert_eq!(taken.overlapping, [(StreamId::new(6), "b".into())]);
        let waiting = [number(4, TakenAs::Waiting), number(77, TakenAs::Deleted)];
        let surplus: Vec<_> = releasing.iter().cloned().chain(waiting).collect();
        assert_eq!(taken.surplus, Some(surplus));
        assert_eq!(asked(&ledger, None).surplus, None);
        sample::run(&mut ledger, sample::ask("b", 1));
        let owned = [number(4, TakenAs::OwnedBy("b".into()))];
        assert_eq!(asked(&ledger, Some(&[4, 5])).surplus, Some(owned.to_vec()));
    }

    #[test]
    fn an_instance_whose_leases_are_withdrawn_should_run_nothing() {
        let mut ledger = ledger();
        let life = sample::life(&ledger, "a");
        sample::run(&mut ledger, WithdrawLease::for_removal("a".into(), life));
        let withdrawn = vec![(StreamId::new(5), TakenAs::Withdrawn)];
        assert_eq!(asked(&ledger, Some(&[5])).surplus, Some(withdrawn));
    }

    #[test]
    fn another_life_or_an_unknown_instance_has_no_answer() {
        let ledger = ledger();
        for (id, life) in [("a", "b"), ("z", "a")] {
            let query = TakenStreams {
                id: id.into(),
                incarnation: sample::life(&ledger, life),
                running: None,
            };
            assert_eq!(query.answer(ledger.saved()), None);
        }
    }
}
