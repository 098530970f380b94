//! What became of requests at this process while it did not lead, counted since its start.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use crate::domain::leadership::CarryRefusal;

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proxied {
    /// The leader answered.
    Answered,
    /// This process had come to lead.
    ServedHere,
    /// The heartbeat was echoed.
    Echoed,
    /// It was refused.
    Refused(CarryRefusal),
    /// There are too many long polls and event streams.
    TooManyLong,
    /// Its client is gone.
    Gone,
}

/// The words for them, in the order of the counters.
const OUTCOMES: [&str; 10] = [
    "answered",
    "served_here",
    "echoed",
    "no_leader",
    "may_be_applied",
    "too_old",
    "full",
    "closing",
    "too_many_long",
    "gone",
];

static COUNTS: [AtomicU64; OUTCOMES.len()] = [const { AtomicU64::new(0) }; OUTCOMES.len()];

impl Proxied {
    const fn index(self) -> usize {
        match self {
            Self::Answered => 0,
            Self::ServedHere => 1,
            Self::Echoed => 2,
            Self::Refused(CarryRefusal::NoLeader) => 3,
            Self::Refused(CarryRefusal::MayBeApplied) => 4,
            Self::Refused(CarryRefusal::TooOld) => 5,
            Self::Refused(CarryRefusal::Full) => 6,
            Self::Refused(CarryRefusal::Closing) => 7,
            Self::TooManyLong => 8,
            Self::Gone => 9,
        }
    }

    /// Counts one.
    pub(super) fn count(self) {
        COUNTS[self.index()].fetch_add(1, Ordering::Relaxed);
    }

    /// How many there were.
    fn so_far(index: usize) -> u64 {
        COUNTS[index].load(Ordering::Relaxed)
    }
}

/// The counters, read for each scrape.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct ForwardingFigures;

impl Collector for ForwardingFigures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut proxied = encoder.encode_descriptor(
            "orchestrator_proxied_requests",
            "Requests that came while this process did not lead, by what became of them.",
            None,
            MetricType::Counter,
        )?;
        for (index, outcome) in OUTCOMES.into_iter().enumerate() {
            let labels = [("outcome", outcome)];
            let mut series = proxied.encode_family(&labels)?;
            series.encode_counter::<NoLabelSet, u64, u64>(&Proxied::so_far(index), None)?;
        }
        let mut echoes = encoder.encode_descriptor(
            "orchestrator_echoes",
            "Heartbeats that were echoed because no leader was reached.",
            None,
            MetricType::Counter,
        )?;
        let echoed = Proxied::so_far(Proxied::Echoed.index());
        echoes.encode_counter::<NoLabelSet, u64, u64>(&echoed, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outcome_has_a_word_of_its_own() {
        use CarryRefusal::{Closing, Full, MayBeApplied, NoLeader, TooOld};
        let all = [
            Proxied::Answered,
            Proxied::ServedHere,
            Proxied::Echoed,
            Proxied::Refused(NoLeader),
            Proxied::Refused(MayBeApplied),
            Proxied::Refused(TooOld),
            Proxied::Refused(Full),
            Proxied::Refused(Closing),
            Proxied::TooManyLong,
            Proxied::Gone,
        ];
        let places: Vec<usize> = all.into_iter().map(Proxied::index).collect();
        let expected: Vec<usize> = (0..OUTCOMES.len()).collect();
        assert_eq!(places, expected);
    }
}
