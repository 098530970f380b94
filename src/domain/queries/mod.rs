//! Every question that can be asked of the fleet, one a file, and nothing that changes it.
//!
//! A query is plain data that can be sent to whoever holds the fleet; its answer shares the rows
//! instead of copying them. A question about one instance costs no more than what that instance
//! holds; only lists, counts and checks walk further.

mod assignments;
mod changes;
mod diagnose;
mod filter;
mod inspect;
mod instances;
mod recovered;
mod standing;
mod streams;
mod tell_again;
mod totals;
mod verify;
mod watch;

use std::fmt;

use super::fleet::Fleet;
use super::ids::{InstanceId, StreamId};

pub use assignments::{AssignmentLine, AssignmentList};
pub use changes::{ChangesSince, SetUpdate, WorkerUpdate};
pub use diagnose::{Diagnose, Diagnosis};
pub use filter::{NameFilter, StreamFilter};
pub use inspect::InspectFleet;
pub use instances::{InstanceDetail, InstanceLine, InstanceList};
pub use recovered::VerifyRecovery;
pub use standing::Standing;
pub use streams::{Rest, StreamDetail, StreamLine, StreamList, StreamStretch};
pub use tell_again::TellAgain;
pub use totals::{FleetTotals, Totals};
pub use verify::{Claim, Judgement, VerifyClaims};
pub use watch::{FailedInstance, FailedInstances, FleetFacts, FleetVitals, Vitals};

/// A question.
pub trait Query: fmt::Debug + Send + 'static {
    /// What is answered.
    type Answer: fmt::Debug + Send + 'static;

    /// Looks it up.
    fn answer(&self, fleet: &Fleet) -> Self::Answer;
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Whether the list goes on: the next page follows the last item.
    pub more: bool,
}

/// The instance a page was to follow is not registered (any more); the list has to be read from
/// its beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownCursor(pub InstanceId);

impl fmt::Display for UnknownCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "No instance `{}` is registered to continue after; read the list from its beginning.",
            self.0
        )
    }
}

impl std::error::Error for UnknownCursor {}

/// The first `limit` items (none: all), and whether there are more.
fn page<T>(mut items: impl Iterator<Item = T>, limit: Option<usize>) -> Page<T> {
    let limit = limit.unwrap_or(usize::MAX);
    let mut taken = Vec::new();
    while taken.len() < limit {
        let Some(item) = items.next() else {
            return Page {
                items: taken,
                more: false,
            };
        };
        taken.push(item);
    }
    Page {
        items: taken,
        more: items.next().is_some(),
    }
}

/// The least id a stream list starts after: ids begin at 1.
fn start(after: Option<StreamId>) -> StreamId {
    after.unwrap_or_default()
}

#[cfg(test)]
pub(super) mod sample {
    //! A small fleet with one of everything.

    use std::collections::BTreeMap;
    use std::time::Duration;

    use crate::domain::commands::{
        AssignStreams, Command, OpenIncident, Opening, RecoverInstance, RegisterInstance,
        SaveStreams, StreamSpec,
    };
    use crate::domain::fleet::{Fleet, Ledger, Scoring};
    use crate::domain::ids::{Epoch, InstanceId, StreamId};
    use crate::domain::incident::FailureCause;
    use crate::domain::lease::{LeaseOver, lease};
    use crate::domain::liveness::FenceAnswer;
    use crate::domain::queries::Standing;
    use crate::domain::recovery::{Detected, Failure, Manner, Progress};
    use crate::domain::time::{Timestamp, WallTime};

    pub(crate) const NOW: WallTime = WallTime::from_micros(1_000_000);

    pub(crate) fn ledger() -> Ledger {
        Ledger::new(Fleet::new(Epoch::default()))
    }

    /// Decides and saves.
    pub(crate) fn run<C: Command>(ledger: &mut Ledger, command: C) -> C::Reply {
        let reply = ledger.decide(&command, NOW).expect("accepted");
        let batch = ledger.take_batch();
        ledger.commit(batch);
        reply
    }

    pub(crate) fn register(id: &str, max_streams: u32) -> RegisterInstance {
        RegisterInstance {
            id: id.into(),
            ip: format!("ip-of-{id}"),
            port: 8080,
            max_streams,
            labels: BTreeMap::new(),
            heartbeat_interval: None,
            auto_assign: false,
        }
    }

    pub(crate) fn streams(ids: impl IntoIterator<Item = i64>) -> SaveStreams {
        SaveStreams {
            streams: ids
                .into_iter()
                .map(|id| StreamSpec {
                    id: Some(StreamId::new(id)),
                    name: Some(format!("s{id}").into()),
                    ..StreamSpec::default()
                })
                .collect(),
        }
    }

    pub(crate) fn ask(id: &str, requested: i64) -> AssignStreams {
        AssignStreams {
            id: id.into(),
            incarnation: None,
            requested,
        }
    }

    /// Takes the whole way of a recovery, but for its end.
    pub(crate) fn recover(ledger: &mut Ledger, id: &str) {
        let failure = Failure {
            id: id.into(),
            incarnation: life(ledger, id),
            cause: FailureCause::Reported,
            detected_at: NOW,
        };
        let slot = ledger.saved().instance(&failure.id).expect("known");
        let confirmed = Detected::new(failure)
            .refresh(Some(&Standing::of(slot)))
            .and_then(|refreshed| refreshed.reconfirm(Some(FenceAnswer::Fenced)))
            .expect("fenced");
        let (manner, progress) = (Manner::Ordinary, Progress::default());
        let command = OpenIncident::new(confirmed, manner.clone(), progress.clone());
        if let Opening::Opened(opened) = run(ledger, command) {
            let scoring = Scoring::default();
            run(
                ledger,
                RecoverInstance::new(opened, lease_over(ledger, id), manner, progress, scoring),
            );
        }
    }

    /// The lease of an instance, at the end of all times.
    pub(crate) fn lease_over(ledger: &Ledger, id: &str) -> LeaseOver {
        let slot = ledger.saved().instance(&id.into()).expect("known");
        let (granted, now) = (Timestamp::from_micros(0), Timestamp::from_micros(u64::MAX));
        let lease = lease(&Standing::of(slot), Some(granted), Duration::ZERO, now);
        lease.over().expect("over")
    }

    pub(crate) fn life(ledger: &Ledger, id: &str) -> crate::domain::ids::Incarnation {
        let id = InstanceId::from(id);
        ledger
            .saved()
            .instance(&id)
            .expect("known")
            .instance()
            .incarnation
    }

    pub(crate) fn ids(numbers: impl IntoIterator<Item = i64>) -> Vec<StreamId> {
        numbers.into_iter().map(StreamId::new).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_knows_whether_the_list_goes_on() {
        let of = |count: usize, limit| page(0..count, limit);
        assert_eq!(of(3, None).items, [0, 1, 2]);
        assert!(!of(3, None).more);
        assert!(!of(3, Some(3)).more, "exactly full is the end");
        assert!(of(3, Some(2)).more);
        assert!(of(1, Some(0)).more);
        assert!(!of(0, Some(0)).more);
    }
}
