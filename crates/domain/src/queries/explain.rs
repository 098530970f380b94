//! Why a stream is where it is, and why an instance gets streams or does not.

use std::sync::Arc;

use super::query::Query;
use crate::explain::Candidate;
use crate::fleet::{Fleet, InstanceSlot, Outlook};
use crate::handover::Handover;
use crate::ids::{InstanceId, StreamId};
use crate::placement::{Exclusion, Need};
use crate::stream::{Assignment, Place, Stream};

/// How many waiting streams an answer about an instance shows.
const MOST_WAITING: usize = 20;

/// How many waiting streams it looks at: no other caller waits for it.
const MOST_LOOKED_AT: usize = 5_000;

/// Where a stream is, where it could go, and whether it goes there. `None` if it is not in the
/// catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct ExplainStream {
    pub id: StreamId,
}

/// The answer to [`ExplainStream`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct StreamExplained {
    pub stream: Arc<Stream>,
    pub place: Place,
    /// The instance that it would go to if it had to go.
    pub best: Option<InstanceId>,
    pub candidates: Vec<Candidate>,
    /// Whether it leaves its place by itself, as far as is known now.
    pub would_move: bool,
    /// Why it does, or does not.
    pub because: String,
}

impl Query for ExplainStream {
    type Answer = Option<StreamExplained>;

    fn answer(&self, fleet: &Fleet) -> Self::Answer {
        let slot = fleet.listed(self.id)?;
        let outlook = fleet.outlook(self.id);
        let (would_move, because) = prospect(fleet, slot.stream(), slot.place(), &outlook);
        Some(StreamExplained {
            stream: slot.stream().clone(),
            place: slot.place().clone(),
            best: outlook.best,
            candidates: outlook.candidates,
            would_move,
            because,
        })
    }
}

/// Returns whether a stream leaves its place by itself, and why.
fn prospect(fleet: &Fleet, stream: &Stream, place: &Place, outlook: &Outlook) -> (bool, String) {
    match place {
        Place::Disabled => (
            false,
            "It is disabled; POST /streams enables it.".to_owned(),
        ),
        Place::Assigned(owned) => of_owned(fleet, stream, owned, outlook),
        Place::Unclaimed { .. } | Place::Orphaned { .. } if stream.is_quarantined() => (
            false,
            format!(
                "It is quarantined, because its last owners failed; POST \
                 /streams/{}/release-quarantine releases it.",
                stream.id
            ),
        ),
        Place::Unclaimed { .. } | Place::Orphaned { .. } if stream.is_paused() => (
            false,
            "It is paused, because its workers gave it back; it is tried again after the pause."
                .to_owned(),
        ),
        Place::Unclaimed { .. } | Place::Orphaned { .. } if outlook.best.is_none() => {
            (false, nowhere(outlook, ""))
        }
        Place::Unclaimed { .. } => (
            false,
            "It waits until an instance requests it, or one with `auto_assign` has room."
                .to_owned(),
        ),
        Place::Orphaned { .. } => (true, "It is placed with the next decision.".to_owned()),
    }
}

fn of_owned(
    fleet: &Fleet,
    stream: &Stream,
    owned: &Assignment,
    outlook: &Outlook,
) -> (bool, String) {
    match &owned.handover {
        Some(Handover::Releasing { then, .. }) if then.is_final() => {
            return (false, "It ends once its owner has released it.".to_owned());
        }
        Some(Handover::Releasing { then, .. }) => {
            let to = then
                .to()
                .map_or("an instance with room", InstanceId::as_str);
            return (
                true,
                format!("It goes to {to} once its owner has released it."),
            );
        }
        Some(Handover::Overlapping { from, .. }) => {
            return (
                false,
                format!("It has just moved; {from} runs it until its owner reports it."),
            );
        }
        Some(Handover::GivenUp { .. }) => {
            return (
                false,
                "Its owner did not release it, so a move of it was given up.".to_owned(),
            );
        }
        None => {}
    }
    if let Some(home) = stream.pinned().filter(|home| **home != owned.instance) {
        let rule = match fleet.instance(home) {
            None => "is not registered",
            Some(_) if fleet.goes_home(stream.id, home) => {
                let because = format!("It is pinned to {home}, and goes back there.");
                return (true, because);
            }
            Some(slot) => excluded(stream, slot).map_or("is on probation", Exclusion::sentence),
        };
        return (
            false,
            format!("It is pinned to {home}, which {rule}; it goes back when that is over."),
        );
    }
    if stream.is_quarantined() {
        return (
            false,
            "It is on trial, because its last owners failed; it stays if its owner keeps it."
                .to_owned(),
        );
    }
    let because = match &outlook.best {
        Some(best) => format!(
            "Its owner keeps it: a stream moves only by balance, for a failure or by an order. If it \
             had to move, it would go to {best}."
        ),
        None => format!("Its owner keeps it. {}", nowhere(outlook, "other ")),
    };
    (false, because)
}

/// Returns that no instance can have a stream, with the number of instances for each rule. `other` is a
/// word for a stream that has an owner.
fn nowhere(outlook: &Outlook, other: &str) -> String {
    let rules = outlook.excluded.iter();
    let rules = rules.filter(|(rule, _)| **rule != Exclusion::IsOwner);
    let counts: Vec<String> = rules
        .map(|(rule, count)| format!("{count} by `{rule}`"))
        .collect();
    if counts.is_empty() {
        format!("There is no {other}instance.")
    } else {
        format!(
            "No {other}instance can have it: excluded are {}.",
            counts.join(", ")
        )
    }
}

fn excluded(stream: &Stream, slot: &InstanceSlot) -> Option<Exclusion> {
    let need = Need::of(stream);
    let is_back = stream.returned_by().contains(&slot.instance().id);
    Exclusion::of(slot.instance(), slot.free(), &need).or(is_back.then_some(Exclusion::ReleasedIt))
}

/// Whether an instance takes streams, which ones it could have, and how its load compares. `None` if it
/// is not registered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct ExplainInstance {
    pub id: InstanceId,
}

/// The answer to [`ExplainInstance`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct InstanceExplained {
    pub takes_streams: bool,
    pub because: String,
    /// Streams without an owner that it could have, at most 20, ascending.
    pub waiting: Vec<StreamId>,
    /// The weight of the streams it owns.
    pub assigned: u64,
}

impl Query for ExplainInstance {
    type Answer = Option<InstanceExplained>;

    fn answer(&self, fleet: &Fleet) -> Self::Answer {
        let slot = fleet.instance(&self.id)?;
        let rule = Exclusion::of(slot.instance(), slot.free(), &Need::default());
        let status = slot.instance().status;
        let because = match rule {
            None => format!("It is `{status}` and has room."),
            Some(Exclusion::Status) => format!("It is `{status}`, {}.", state_sentence(slot)),
            Some(rule) => format!("It {}.", rule.sentence()),
        };
        Some(InstanceExplained {
            takes_streams: rule.is_none(),
            because,
            waiting: waiting_for(fleet, slot),
            assigned: weight(fleet, slot),
        })
    }
}

fn state_sentence(slot: &InstanceSlot) -> &'static str {
    if slot.instance().withdrawn.is_some() {
        "and its lease is withdrawn"
    } else {
        "a state in which an instance gets no streams"
    }
}

fn waiting_for(fleet: &Fleet, slot: &InstanceSlot) -> Vec<StreamId> {
    let waiting = fleet.unclaimed().chain(fleet.orphaned());
    let could = waiting.take(MOST_LOOKED_AT).filter(|id| {
        let Some(stream) = fleet.stream(*id).map(|slot| slot.stream()) else {
            return false;
        };
        let need = Need::of(stream);
        !stream.is_withheld() && Exclusion::of(slot.instance(), slot.vacant(), &need).is_none()
    });
    let mut ids: Vec<StreamId> = could.collect();
    ids.sort_unstable();
    ids.truncate(MOST_WAITING);
    ids
}

fn weight(fleet: &Fleet, slot: &InstanceSlot) -> u64 {
    let streams = slot.held().iter().filter_map(|id| fleet.stream(*id));
    streams.map(|slot| u64::from(slot.stream().weight)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::{DeleteStream, RemoveInstance, SaveStreams, StreamSpec};
    use crate::fleet::Rows;
    use crate::ledger::Ledger;
    use crate::sample;

    fn run<C: crate::commands::Command>(ledger: &mut Ledger, command: C) -> Rows {
        ledger.decide(&command, sample::NOW).expect("accepted");
        let batch = ledger.take_batch();
        let rows = batch.rows();
        ledger.commit(batch);
        rows
    }

    fn stream(ledger: &Ledger, id: i64) -> StreamExplained {
        let id = StreamId::new(id);
        ExplainStream { id }.answer(ledger.saved()).expect("listed")
    }

    fn shown(candidates: &[Candidate]) -> Vec<(String, bool, Option<u32>, Option<Exclusion>)> {
        let shown = candidates.iter().map(|one| {
            let id = one.server_id.to_string();
            (id, one.chosen, one.rank, one.excluded_by)
        });
        shown.collect()
    }

    #[test]
    fn one_command_keeps_one_record_for_each_instance_that_got_streams() {
        let mut ledger = sample::ledger();
        run(&mut ledger, sample::streams(1..=5));
        run(&mut ledger, sample::register("a", 9));
        run(&mut ledger, sample::register("b", 1));
        run(&mut ledger, sample::ask("b", 1));
        let rows = run(&mut ledger, sample::ask("a", 4));
        let [placing] = rows.placings.as_slice() else {
            panic!("{:?}", rows.placings);
        };
        for (id, place) in &rows.places {
            let owned = place.as_ref().and_then(Place::assignment).unwrap();
            assert!(placing.covers(&owned.instance, owned.epoch), "{id}");
        }
        let a = ("a".to_owned(), true, Some(1), None);
        let b = ("b".to_owned(), false, None, Some(Exclusion::NoRoom));
        assert_eq!(shown(&placing.placed.candidates), [a, b]);
        let moved = run(&mut ledger, RemoveInstance::new("b".into()));
        let [placing] = moved.placings.as_slice() else {
            panic!("{:?}", moved.placings);
        };
        assert_eq!(placing.placed.reason.as_str(), "instance_removed");
        let after = ledger.saved().counter();
        assert!(placing.last <= after && placing.first <= placing.last);
    }

    #[test]
    fn at_most_five_candidates_are_kept_and_the_chosen_one_among_them() {
        let mut ledger = sample::ledger();
        for id in ["a", "b", "c", "d", "e", "f", "g", "h"] {
            run(&mut ledger, sample::register(id, 9));
        }
        run(&mut ledger, sample::streams([1]));
        let rows = run(&mut ledger, sample::ask("h", 1));
        let candidates = &rows.placings[0].placed.candidates;
        assert_eq!(candidates.len(), 5);
        let chosen: Vec<&Candidate> = candidates.iter().filter(|one| one.chosen).collect();
        assert_eq!((chosen.len(), chosen[0].rank), (1, Some(8)));
        let now = stream(&ledger, 1).candidates;
        assert_eq!(now.len(), 8);
        let owner = now.iter().find(|one| one.chosen).expect("the owner");
        assert_eq!(owner.server_id.as_str(), "h");
        assert_eq!(owner.excluded_by, Some(Exclusion::IsOwner));
    }

    #[test]
    fn a_stream_says_what_keeps_it_where_it_is() {
        let mut ledger = sample::ledger();
        run(&mut ledger, sample::streams(1..=3));
        assert!(stream(&ledger, 1).because.contains("There is no instance."));
        run(&mut ledger, sample::register("a", 2));
        let waiting = stream(&ledger, 1);
        assert!(!waiting.would_move && waiting.because.contains("requests it"));
        assert_eq!(waiting.best, Some("a".into()));
        run(&mut ledger, sample::ask("a", 2));
        let owned = stream(&ledger, 1);
        assert!(!owned.would_move && owned.because.starts_with("Its owner keeps it."));
        assert_eq!(owned.best, None);
        let full = stream(&ledger, 3);
        assert!(full.because.contains("1 by `no_room`"), "{}", full.because);
        run(&mut ledger, sample::register("b", 9));
        assert!(stream(&ledger, 1).because.contains("it would go to b"));
        let disabled = StreamSpec {
            id: Some(StreamId::new(2)),
            enabled: Some(false),
            ..StreamSpec::default()
        };
        run(
            &mut ledger,
            SaveStreams {
                streams: vec![disabled],
            },
        );
        assert!(stream(&ledger, 2).because.contains("disabled"));
        let id = StreamId::new(2);
        run(&mut ledger, DeleteStream { id });
        assert_eq!(ExplainStream { id }.answer(ledger.saved()), None);
    }

    #[test]
    fn an_instance_says_whether_it_gets_streams_and_which() {
        let mut ledger = sample::ledger();
        run(&mut ledger, sample::register("a", 30));
        run(&mut ledger, sample::register("b", 10));
        run(&mut ledger, sample::streams(1..=40));
        run(&mut ledger, sample::ask("b", 10));
        let explain = |id: &str, ledger: &Ledger| {
            let id = InstanceId::from(id);
            ExplainInstance { id }
                .answer(ledger.saved())
                .expect("registered")
        };
        let full = explain("b", &ledger);
        assert_eq!((full.takes_streams, full.assigned), (false, 10));
        assert!(full.because.contains("owns as many streams as it may"));
        let open = explain("a", &ledger);
        assert!(open.takes_streams && open.because.contains("`active`"));
        assert_eq!(open.waiting, sample::ids(11..=30), "at most 20");
        sample::recover(&mut ledger, "b");
        let failed = explain("b", &ledger);
        assert!(!failed.takes_streams && failed.because.contains("`failed`"));
        assert_eq!(failed.waiting, Vec::new());
        let id = "c".into();
        assert_eq!(ExplainInstance { id }.answer(ledger.saved()), None);
    }
}
