//! The proof that a term holds, and which answers need one.
//!
//! An orchestrator proves its term with a transaction that changes the leadership row if, and only
//! if, the term is still its own. Such a transaction proves the term for the moment at which it was
//! *sent*: if another orchestrator's take-over had been committed before that moment, then the
//! transaction would have found another term, because the take-over changes the same row and the row's
//! lock orders the two. The moment at which the answer arrived proves nothing: the take-over may
//! have been committed while the answer was on its way.
//!
//! All moments are on steady time: the boot clock, from which nothing is subtracted. A process that
//! was suspended finds its newest proof old when it wakes.

use std::time::Duration;

/// Proves that no other orchestrator had taken over when the request came for which it was made.
///
/// There are two ways to a proof: a transaction that was sent after the request came, or a store
/// that no other process can open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    sent: Duration,
}

impl Proof {
    /// The proof of a transaction for a request; none if the transaction was not sent after the
    /// request came.
    pub fn after(came: Duration, sent: Duration) -> Option<Self> {
        (sent > came).then_some(Self { sent })
    }

    /// The proof of a process that has its store for itself, at the moment of a request.
    pub const fn of_a_sole_process(came: Duration) -> Self {
        Self { sent: came }
    }

    /// When it was sent.
    pub const fn sent(self) -> Duration {
        self.sent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_was_sent_after_the_request_it_is_for() {
        let at = Duration::from_millis;
        assert_eq!(Proof::after(at(10), at(11)).map(Proof::sent), Some(at(11)));
        for sent in [0, 9, 10] {
            assert_eq!(Proof::after(at(10), at(sent)), None, "{sent}");
        }
        assert_eq!(Proof::of_a_sole_process(at(10)).sent(), at(10));
    }
}
