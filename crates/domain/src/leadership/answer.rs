//! What each kind of answer needs before it leaves, and what is answered otherwise.
//!
//! The reason is the same in each row: if an orchestrator was replaced without knowing it, its
//! memory is a beginning of the newest history. Such an orchestrator may repeat what a worker
//! knows already. It may not say anything else to a worker, because that may be out of date.

use crate::ids::AssignmentVersion;

/// A kind of answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AnswerKind {
    /// A heartbeat of a worker that knows its newest set of streams: a lease and no list.
    Renew,
    /// Streams that a worker is to start or stop: changes, a full set, news for a long poll.
    Tell,
    /// 404 or 409 to a call of a worker, which ends its process or all of its streams.
    Deny,
    /// Which epochs are current, for a store of results.
    Judge,
    /// A command.
    Order {
        /// Whether it changed something, in a transaction of its own.
        has_changed: bool,
    },
    /// What people and dashboards read.
    Show,
    /// The same, when workers read it and go by it.
    ShowToWorker,
}

/// What has to be known before an answer leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProofNeed {
    /// Nothing at that moment: what is said ends with the newest proof there is.
    Nothing,
    /// A proof that was sent after the request came.
    Fresh,
    /// The transaction that saved the command is the proof.
    OwnTransaction,
}

/// What is answered if the need is not met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unmet {
    /// Cannot happen: nothing is needed.
    Never,
    /// 200 with the worker's own version, no list and no lease.
    Withheld,
    /// 503 with `Retry-After: 1`. A denial would make the worker stop everything; 503 sends it
    /// elsewhere.
    Unavailable,
    /// The answer from memory with `stale_since`.
    Stale,
}

impl AnswerKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Renew,
        Self::Tell,
        Self::Deny,
        Self::Judge,
        Self::Order { has_changed: true },
        Self::Order { has_changed: false },
        Self::Show,
        Self::ShowToWorker,
    ];

    /// What has to be known before the answer leaves. A command that changed nothing had no
    /// transaction, so its answer comes from memory and needs a proof like any other.
    pub const fn needs(self) -> ProofNeed {
        match self {
            Self::Renew | Self::Show => ProofNeed::Nothing,
            Self::Order { has_changed: true } => ProofNeed::OwnTransaction,
            Self::Tell
            | Self::Deny
            | Self::Judge
            | Self::Order { has_changed: false }
            | Self::ShowToWorker => ProofNeed::Fresh,
        }
    }

    /// What is answered if that is not known in time.
    pub const fn otherwise(self) -> Unmet {
        match self {
            Self::Renew | Self::Show => Unmet::Never,
            Self::Tell => Unmet::Withheld,
            Self::Deny | Self::Judge | Self::Order { .. } => Unmet::Unavailable,
            Self::ShowToWorker => Unmet::Stale,
        }
    }
}

/// A heartbeat of the current life of an instance, as far as its answer depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BeatFacts {
    /// The version of the worker's set; none: the worker names none.
    pub version: Option<AssignmentVersion>,
    /// The newest version in memory.
    pub newest: AssignmentVersion,
    /// Whether the instance's lease has not been withdrawn.
    pub is_lease_held: bool,
    /// Whether the worker's lease ended and it asks to run its streams again.
    pub is_resuming: bool,
    /// Whether the answer would report the instance as failed, which makes its worker stop.
    pub reports_failure: bool,
}

impl BeatFacts {
    /// The kind of the answer.
    pub fn answer(&self) -> AnswerKind {
        let knows_its_set = self
            .version
            .map_or(self.is_lease_held, |version| version == self.newest);
        if knows_its_set && !self.is_resuming && !self.reports_failure {
            AnswerKind::Renew
        } else {
            AnswerKind::Tell
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_answer_needs_what_the_table_says() {
        use AnswerKind::{Deny, Judge, Order, Renew, Show, ShowToWorker, Tell};
        let (changed, unchanged) = (Order { has_changed: true }, Order { has_changed: false });
        let table = [
            (Renew, ProofNeed::Nothing, Unmet::Never),
            (Tell, ProofNeed::Fresh, Unmet::Withheld),
            (Deny, ProofNeed::Fresh, Unmet::Unavailable),
            (Judge, ProofNeed::Fresh, Unmet::Unavailable),
            (changed, ProofNeed::OwnTransaction, Unmet::Unavailable),
            (unchanged, ProofNeed::Fresh, Unmet::Unavailable),
            (Show, ProofNeed::Nothing, Unmet::Never),
            (ShowToWorker, ProofNeed::Fresh, Unmet::Stale),
        ];
        assert_eq!(table.map(|row| row.0), AnswerKind::ALL);
        for (kind, needs, otherwise) in table {
            assert_eq!((kind.needs(), kind.otherwise()), (needs, otherwise));
        }
    }

    #[test]
    fn a_heartbeat_that_repeats_what_the_worker_knows_is_a_renewal() {
        use AnswerKind::{Renew, Tell};
        // version, lease held, resuming, reports a failure, kind; the newest version is 5
        let table = [
            (Some(5), true, false, false, Renew),
            (Some(5), false, false, false, Renew),
            (Some(4), true, false, false, Tell),
            (Some(6), true, false, false, Tell),
            (Some(0), true, false, false, Tell),
            (None, true, false, false, Renew),
            (None, false, false, false, Tell),
            (Some(5), true, true, false, Tell),
            (Some(5), true, false, true, Tell),
            (None, true, true, false, Tell),
        ];
        for (version, is_lease_held, is_resuming, reports_failure, expected) in table {
            let beat = BeatFacts {
                version: version.map(AssignmentVersion::new),
                newest: AssignmentVersion::new(5),
                is_lease_held,
                is_resuming,
                reports_failure,
            };
            assert_eq!(beat.answer(), expected, "{beat:?}");
        }
    }
}
