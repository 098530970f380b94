//! Compares the streams that a worker runs with the streams it should run.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::query::Query;
use crate::fleet::{Fleet, InstanceSlot};
use crate::ids::{InstanceId, StreamId};
use crate::instance::{Instance, InstanceStatus};
use crate::stream::Holding;

/// How many streams a sentence names; the full sets are beside it.
const NAMED_STREAMS: usize = 10;

/// Compares a worker's own list with the saved one; `None` if the instance is not registered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Diagnose {
    pub id: InstanceId,
    /// The streams the worker says it runs.
    pub local_streams: Vec<StreamId>,
    /// The number of streams the worker says it runs.
    pub local_stream_count: i64,
}

/// The result of the comparison. All sets ascend.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Diagnosis {
    pub instance: Arc<Instance>,
    /// The streams the worker says it runs, each once.
    pub local: BTreeSet<StreamId>,
    /// The streams it should run.
    pub owned: BTreeSet<StreamId>,
    /// The same, each with its epoch.
    pub assignments: Vec<Holding>,
    /// How many streams the index of the instance counts; equal to `owned` unless memory is
    /// damaged.
    pub counted: usize,
    /// Streams the worker runs and should not run.
    pub only_local: Vec<StreamId>,
    /// Streams the worker should run and does not run.
    pub only_orchestrator: Vec<StreamId>,
    /// Streams the worker should run and runs.
    pub in_sync: Vec<StreamId>,
    /// Whether the worker's number differs from the length of its list.
    pub count_mismatch: bool,
    /// Whether the orchestrator's own count differs from the number of assignments.
    pub orchestrator_count_mismatch: bool,
    /// What to do, as sentences; empty if nothing is to do.
    pub recommendations: Vec<String>,
}

impl Diagnosis {
    /// Returns whether both sides agree.
    pub fn is_synchronized(&self) -> bool {
        self.only_local.is_empty()
            && self.only_orchestrator.is_empty()
            && !self.count_mismatch
            && !self.orchestrator_count_mismatch
    }
}

impl Query for Diagnose {
    type Answer = Option<Diagnosis>;

    fn answer(&self, fleet: &Fleet) -> Self::Answer {
        let slot = fleet.instance(&self.id)?;
        let local: BTreeSet<StreamId> = self.local_streams.iter().copied().collect();
        // The set is read from the places, because the index is compared with it.
        let owned: BTreeSet<StreamId> = slot
            .held()
            .iter()
            .copied()
            .filter(|id| owner(fleet, *id) == Some(&self.id) && !slot.releasing().contains(id))
            .chain(slot.lingering().keys().copied())
            .collect();
        let counted = slot.held().len() - slot.releasing().len() + slot.lingering().len();
        let mut diagnosis = Diagnosis {
            instance: slot.instance().clone(),
            counted,
            only_local: local.difference(&owned).copied().collect(),
            only_orchestrator: owned.difference(&local).copied().collect(),
            in_sync: local.intersection(&owned).copied().collect(),
            assignments: fleet.holdings(slot, owned.iter().copied()).collect(),
            count_mismatch: usize::try_from(self.local_stream_count) != Ok(local.len()),
            orchestrator_count_mismatch: counted != owned.len(),
            recommendations: Vec::new(),
            local,
            owned,
        };
        diagnosis.recommendations = self.recommend(fleet, slot, &diagnosis);
        Some(diagnosis)
    }
}

impl Diagnose {
    fn recommend(&self, fleet: &Fleet, slot: &InstanceSlot, diagnosis: &Diagnosis) -> Vec<String> {
        let mut sentences = Vec::new();
        let (elsewhere, nowhere): (Vec<StreamId>, Vec<StreamId>) = diagnosis
            .only_local
            .iter()
            .partition(|id| owner(fleet, **id).is_some());
        if !elsewhere.is_empty() {
            sentences.push(format!(
                "Stop {} at once: assigned to another instance, and so run twice now.",
                named(&elsewhere)
            ));
        }
        if !nowhere.is_empty() {
            sentences.push(format!(
                "Stop {}: not assigned to this instance. It may ask for streams with \
                 POST /streams/assign.",
                named(&nowhere)
            ));
        }
        let (untold, told): (Vec<StreamId>, Vec<StreamId>) = diagnosis
            .only_orchestrator
            .iter()
            .partition(|id| slot.undelivered().contains(*id));
        if !untold.is_empty() {
            sentences.push(format!(
                "Call POST /streams/assign to be handed {}: moved here, and not fetched by the \
                 worker yet.",
                named(&untold)
            ));
        }
        if !told.is_empty() {
            sentences.push(format!(
                "Start {}, or give it up with POST /streams/release: assigned to this instance, but \
                 not running.",
                named(&told)
            ));
        }
        let repeated = self.local_streams.len() - diagnosis.local.len();
        if repeated > 0 {
            sentences.push(format!(
                "Remove duplicates from the worker's list: local_streams names {repeated} of its \
                 entries more than once, and may run them twice."
            ));
        }
        if diagnosis.count_mismatch {
            sentences.push(format!(
                "Correct the worker's counter: local_stream_count is {}, and local_streams names \
                 {} different streams.",
                self.local_stream_count,
                diagnosis.local.len()
            ));
        }
        if diagnosis.orchestrator_count_mismatch {
            sentences.push(format!(
                "Restart the orchestrator and report this as its defect: it counts {} streams \
                 here and finds {} assignments.",
                diagnosis.counted,
                diagnosis.owned.len()
            ));
        }
        sentences.extend(about_status(slot.instance().status).map(str::to_owned));
        sentences
    }
}

/// Returns what the state of an instance requires of its worker, if it stands in the way of
/// anything.
const fn about_status(status: InstanceStatus) -> Option<&'static str> {
    match status {
        InstanceStatus::Active | InstanceStatus::Recovering | InstanceStatus::Draining => None,
        InstanceStatus::Suspect => Some(
            "Send heartbeats on time: the instance is late, and its streams are moved if it stays \
             silent.",
        ),
        InstanceStatus::Failed => Some(
            "Send a heartbeat or register again: the instance counts as failed and is given no \
             streams.",
        ),
        InstanceStatus::Maintenance | InstanceStatus::Inactive => Some(
            "Register again when the instance is to run streams: it is out of use and is given \
             none.",
        ),
    }
}

fn owner(fleet: &Fleet, stream: StreamId) -> Option<&InstanceId> {
    let assignment = fleet.stream(stream)?.place().assignment()?;
    Some(&assignment.instance)
}

/// Returns "stream 4", "streams 4, 7" or "streams 1, 2, … and 90 more".
fn named(ids: &[StreamId]) -> String {
    let first: Vec<String> = ids
        .iter()
        .take(NAMED_STREAMS)
        .map(StreamId::to_string)
        .collect();
    let noun = if ids.len() == 1 { "stream" } else { "streams" };
    let rest = match ids.len().saturating_sub(NAMED_STREAMS) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{noun} {}{rest}", first.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::RemoveInstance;
    use crate::ledger::Ledger;
    use crate::sample;

    fn diagnose(ledger: &Ledger, local: &[i64], count: i64) -> Diagnosis {
        let query = Diagnose {
            id: "a".into(),
            local_streams: sample::ids(local.iter().copied()),
            local_stream_count: count,
        };
        query.answer(ledger.saved()).unwrap()
    }

    fn fleet() -> Ledger {
        let mut ledger = sample::ledger();
        sample::run(&mut ledger, sample::streams(1..=9));
        for (id, streams) in [("a", 3), ("b", 2), ("gone", 1)] {
            sample::run(&mut ledger, sample::register(id, streams));
            sample::run(&mut ledger, sample::ask(id, i64::from(streams)));
        }
        ledger
    }

    #[test]
    fn agreement_needs_no_words() {
        let diagnosis = diagnose(&fleet(), &[3, 1, 2], 3);
        assert!(diagnosis.is_synchronized());
        assert_eq!(diagnosis.in_sync, sample::ids([1, 2, 3]));
        assert_eq!(diagnosis.recommendations, Vec::<String>::new());
    }

    #[test]
    fn each_difference_is_told_apart_and_has_its_sentence() {
        let mut ledger = fleet();
        sample::run(&mut ledger, sample::register("a", 9));
        sample::run(&mut ledger, RemoveInstance::new("gone".into()));
        let diagnosis = diagnose(&ledger, &[1, 2, 2, 4, 77, 8], 6);
        assert!(!diagnosis.is_synchronized());
        assert_eq!(diagnosis.only_local, sample::ids([4, 8, 77]));
        assert_eq!(diagnosis.only_orchestrator, sample::ids([3, 6]));
        assert!(diagnosis.count_mismatch && !diagnosis.orchestrator_count_mismatch);
        let starts = [
            "Stop stream 4 at once",
            "Stop streams 8, 77:",
            "Call POST /streams/assign to be handed stream 6:",
            "Start stream 3,",
            "Remove duplicates",
            "Correct the worker's counter: local_stream_count is 6",
        ];
        assert_eq!(diagnosis.recommendations.len(), starts.len());
        for (sentence, start) in diagnosis.recommendations.iter().zip(starts) {
            assert!(sentence.starts_with(start), "{sentence}");
        }
    }

    #[test]
    fn a_wrong_count_alone_is_an_inconsistency() {
        assert!(!diagnose(&fleet(), &[1, 2, 3], -3).is_synchronized());
        assert!(!diagnose(&fleet(), &[1, 2, 3], 4).is_synchronized());
    }

    #[test]
    fn long_lists_are_cut_in_sentences() {
        assert_eq!(named(&sample::ids([5])), "stream 5");
        let text = named(&sample::ids(1..=100));
        assert!(text.ends_with("9, 10 and 90 more"), "{text}");
    }
}
