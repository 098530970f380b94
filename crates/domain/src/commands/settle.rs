//! A worker does not run the streams it should run, although it was notified again
//! (`reconciliation/mod.rs`).

use std::collections::BTreeSet;
use std::sync::Arc;

use super::command::{Command, Rejection, current_life};
use super::recover::count;
use crate::events::Event;
use crate::fleet::{Draft, InstanceSlot, Move, Plan, Scoring, orphan_if_paused};
use crate::handover::{HandoverMode, MoveReason};
use crate::ids::{AssignmentVersion, Incarnation, InstanceId, StreamId};
use crate::instance::InstanceStatus;

/// Moves the streams that a worker reports as not running to other active instances with room, and
/// records how many streams the worker lacks and how many it has too many.
///
/// A leased worker first releases an exclusive stream, as in a planned move: it might start the
/// stream a moment later. A stream for which no other instance has room stays: offering it to this
/// worker again is better than offering it to none. Repeating the command changes nothing more.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct SettleDifference {
    pub id: InstanceId,
    pub incarnation: Incarnation,
    /// The streams the worker reports as running, ascending. Without them nothing is known about
    /// single streams.
    pub running: Option<Arc<[StreamId]>>,
    /// The version whose streams were sent to the worker again: younger streams may be on their
    /// way. `None` if nothing can be sent to this worker: then no stream moves.
    pub told: Option<AssignmentVersion>,
    /// Whether the difference is to be recorded.
    pub is_new: bool,
}

/// How many streams a worker runs too many or too few.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// None: the streams in question were on their way, or the difference is gone.
    None,
    /// The worker listed its streams.
    Counted {
        /// Streams it should run and does not.
        missing: usize,
        /// Streams it runs and should not.
        surplus: usize,
        /// How many of the missing streams go elsewhere.
        moved: usize,
    },
    /// The worker sent a digest only.
    Uncounted,
}

impl Command for SettleDifference {
    type Reply = Difference;

    fn decide(&self, draft: &mut Draft<'_>) -> Result<Difference, Rejection> {
        current_life(draft, &self.id, self.incarnation)?;
        let Some(slot) = draft.fleet().instance(&self.id) else {
            return Err(Rejection::UnknownInstance(self.id.clone()));
        };
        let Some(running) = &self.running else {
            self.tell(draft, None, None);
            return Ok(Difference::Uncounted);
        };
        let surplus = running.iter().filter(|id| !slot.is_to_run(**id)).count();
        let missing = self.missing(draft, slot, running);
        if missing.is_empty() && surplus == 0 {
            return Ok(Difference::None);
        }
        self.tell(draft, Some(count(missing.len())), Some(count(surplus)));
        let moved = match self.told {
            Some(_) => self.move_away(draft, &missing),
            None => 0,
        };
        Ok(Difference::Counted {
            missing: missing.len(),
            surplus,
            moved,
        })
    }
}

impl SettleDifference {
    fn tell(&self, draft: &mut Draft<'_>, missing: Option<u32>, surplus: Option<u32>) {
        if self.is_new {
            draft.tell(Event::StreamsDiffer {
                instance: self.id.clone(),
                incarnation: self.incarnation,
                missing,
                surplus,
            });
        }
    }

    fn missing(
        &self,
        draft: &Draft<'_>,
        slot: &InstanceSlot,
        running: &[StreamId],
    ) -> BTreeSet<StreamId> {
        let is_missing = |id: &StreamId| {
            let place = draft.fleet().stream(*id).map(|stream| stream.place());
            // A stream that this instance runs beside its new owner is the new owner's affair.
            let own = place
                .and_then(|place| place.assignment())
                .filter(|assignment| assignment.instance == self.id);
            let was_told = own.is_some_and(|own| self.told.is_none_or(|told| own.version <= told));
            was_told && running.binary_search(id).is_err()
        };
        slot.to_run().into_iter().filter(is_missing).collect()
    }

    fn move_away(&self, draft: &mut Draft<'_>, missing: &BTreeSet<StreamId>) -> usize {
        let is_leased = draft.fleet().serves_leased(&self.id);
        let plan = Plan::make_for(draft.fleet(), &self.id, &Scoring::default(), |_, stream| {
            missing.contains(&stream)
        });
        let mut moved = 0;
        for Move { stream, to } in plan.moves() {
            // An instance on probation is no better place than the current one.
            let Some(to) = to.as_ref().filter(|to| is_active(draft, to)) else {
                continue;
            };
            let reason = MoveReason::NotRun;
            let slot = draft.fleet().stream(*stream);
            let is_exclusive =
                slot.is_some_and(|slot| slot.stream().handoff == HandoverMode::Exclusive);
            if is_leased && is_exclusive {
                draft.move_stream(*stream, to, reason);
            } else if !self.is_paused_for_it(draft, *stream) {
                draft.assign(*stream, to, reason.assign_reason());
            }
            moved += 1;
        }
        moved
    }
}

impl SettleDifference {
    /// Counts that a stream was not run. Returns whether the stream is paused now, and without an
    /// owner.
    fn is_paused_for_it(&self, draft: &mut Draft<'_>, stream: StreamId) -> bool {
        let slot = draft.fleet().stream(stream);
        let Some(assignment) = slot.and_then(|slot| slot.place().assignment()) else {
            return false;
        };
        let owned = draft.now().since(assignment.assigned_at);
        orphan_if_paused(draft, stream, &self.id, owned)
    }
}

fn is_active(draft: &Draft<'_>, id: &InstanceId) -> bool {
    let slot = draft.fleet().instance(id);
    slot.is_some_and(|slot| slot.instance().status == InstanceStatus::Active)
}

#[cfg(test)]
mod tests {
    use super::super::{AgreeLease, ConfirmDelivery, HeartbeatForm, SaveStreams, StreamSpec};
    use super::*;
    use crate::ledger::Ledger;
    use crate::sample;
    use crate::stream::{AssignReason, Place};

    /// `a` owns streams 1 to 4, of which 4 may overlap; `b` has room for `room`.
    fn ledger(leased: bool, room: u32) -> Ledger {
        let mut ledger = sample::ledger();
        sample::run(&mut ledger, sample::streams(1..=4));
        let overlap = StreamSpec {
            id: Some(StreamId::new(4)),
            handoff: Some(HandoverMode::Overlap),
            ..StreamSpec::default()
        };
        let streams = vec![overlap];
        sample::run(&mut ledger, SaveStreams { streams });
        sample::run(&mut ledger, sample::register("a", 9));
        sample::run(&mut ledger, sample::ask("a", 4));
        let agreement = AgreeLease {
            id: "a".into(),
            incarnation: sample::life(&ledger, "a"),
            lease: leased.then_some(std::time::Duration::from_secs(240)),
        };
        sample::run(&mut ledger, agreement);
        sample::run(&mut ledger, sample::register("b", room));
        ledger
    }

    fn version(ledger: &Ledger) -> AssignmentVersion {
        let slot = ledger.saved().instance(&"a".into()).unwrap();
        slot.instance().assignment_version
    }

    fn settle(
        ledger: &mut Ledger,
        running: Option<&[i64]>,
        told: Option<AssignmentVersion>,
        is_new: bool,
    ) -> (Difference, Vec<Event>) {
        let command = SettleDifference {
            id: "a".into(),
            incarnation: sample::life(ledger, "a"),
            running: running.map(|ids| sample::ids(ids.iter().copied()).into()),
            told,
            is_new,
        };
        let difference = ledger.decide(&command, sample::NOW).unwrap();
        let batch = ledger.take_batch();
        let events = batch.events().cloned().collect();
        ledger.commit(batch);
        (difference, events)
    }

    fn owner(ledger: &Ledger, stream: i64) -> (String, AssignReason, bool) {
        let slot = ledger.saved().stream(StreamId::new(stream)).unwrap();
        let Place::Assigned(assignment) = slot.place() else {
            panic!("{stream} is assigned");
        };
        let owner = assignment.instance.to_string();
        (owner, assignment.reason, assignment.is_releasing())
    }

    fn follow(ledger: &mut Ledger) {
        let command = ConfirmDelivery {
            form: HeartbeatForm::WithoutIncarnation,
            id: "a".into(),
            incarnation: sample::life(ledger, "a"),
            version: Some(version(ledger)),
            running: None,
        };
        sample::run(ledger, command);
    }

    #[test]
    fn what_a_leased_worker_does_not_run_moves_once_it_cannot_begin_to() {
        let mut ledger = ledger(true, 9);
        let told = Some(version(&ledger));
        let (difference, events) = settle(&mut ledger, Some(&[1, 77]), told, true);
        let expected = Difference::Counted {
            missing: 3,
            surplus: 1,
            moved: 3,
        };
        assert_eq!(difference, expected);
        assert!(matches!(
            events[0],
            Event::StreamsDiffer {
                missing: Some(3),
                surplus: Some(1),
                ..
            }
        ));
        let (a, b) = (|| "a".to_owned(), || "b".to_owned());
        let asked = AssignReason::Requested;
        assert_eq!(owner(&ledger, 1), (a(), asked, false));
        assert_eq!(owner(&ledger, 2), (a(), asked, true), "it is to let go");
        assert_eq!(
            owner(&ledger, 4),
            (b(), AssignReason::NotRun, false),
            "what may overlap does not wait"
        );
        // It goes on saying that it runs neither: now that is as it should be.
        let (again, events) = settle(&mut ledger, Some(&[1]), told, false);
        assert_eq!((again, events), (Difference::None, vec![]));
        follow(&mut ledger);
        for stream in [2, 3] {
            assert_eq!(owner(&ledger, stream), (b(), AssignReason::NotRun, false));
        }
    }

    #[test]
    fn only_what_was_told_again_and_finds_room_moves() {
        let mut ledger = ledger(true, 2);
        let told = version(&ledger);
        sample::run(&mut ledger, sample::streams([5]));
        sample::run(&mut ledger, sample::ask("a", 1));
        let (difference, events) = settle(&mut ledger, Some(&[]), Some(told), false);
        let expected = Difference::Counted {
            missing: 4,
            surplus: 0,
            moved: 2,
        };
        assert_eq!(difference, expected);
        assert!(
            !events
                .iter()
                .any(|event| matches!(event, Event::StreamsDiffer { .. })),
            "it was told before"
        );
        follow(&mut ledger);
        let owners: Vec<String> = (1..=5).map(|id| owner(&ledger, id).0).collect();
        assert_eq!(owners, ["b", "b", "a", "a", "a"]);
    }

    #[test]
    fn who_cannot_be_told_or_sends_a_digest_keeps_its_streams() {
        for (running, told) in [(Some(&[1_i64, 2][..]), false), (None, true)] {
            let mut ledger = ledger(false, 9);
            let told = told.then(|| version(&ledger));
            let before = ledger.saved().clone();
            let (difference, events) = settle(&mut ledger, running, told, true);
            assert_ne!(difference, Difference::None);
            assert_eq!(events.len(), 1);
            assert!(*ledger.saved() == before, "nothing moved");
        }
    }

    #[test]
    fn a_classic_worker_that_goes_by_versions_loses_it_at_once() {
        let mut ledger = ledger(false, 9);
        let told = Some(version(&ledger));
        settle(&mut ledger, Some(&[1, 2, 4]), told, true);
        let moved = ("b".to_owned(), AssignReason::NotRun, false);
        assert_eq!(owner(&ledger, 3), moved);
    }

    #[test]
    fn another_life_is_not_settled() {
        let mut ledger = ledger(true, 9);
        let command = SettleDifference {
            id: "a".into(),
            incarnation: sample::life(&ledger, "b"),
            running: None,
            told: None,
            is_new: true,
        };
        assert!(ledger.decide(&command, sample::NOW).is_err());
    }
}
