//! Judges claims to streams, for stores of results: a former owner that has not learned that it
//! lost the stream shows an epoch that is not the current one.

use super::query::Query;
use crate::fleet::Fleet;
use crate::handover::Handover;
use crate::ids::{Epoch, InstanceId, StreamId};

/// The claim of a worker that it runs a stream under an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Claim {
    pub stream: StreamId,
    /// The epoch under which the worker runs the stream.
    pub epoch: Epoch,
}

/// The judgement of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Judgement {
    pub claim: Claim,
    /// The current assignment; `None` if the stream has no owner or does not exist.
    pub current: Option<(Epoch, InstanceId)>,
    /// The epoch of the former owner, as long as it is to go on beside the new one.
    pub former: Option<Epoch>,
}

impl Judgement {
    /// Returns whether the claim matches the current assignment, or one that overlaps with it.
    pub fn is_current(&self) -> bool {
        let current = self.current.as_ref().map(|(epoch, _)| *epoch);
        current == Some(self.claim.epoch) || self.former == Some(self.claim.epoch)
    }

    /// Returns whether another worker has what is claimed: the stream has an owner, and the claim is not
    /// current. A claim to a stream without an owner, or to an unknown one, is refused, and duplicates
    /// nothing.
    pub fn is_duplicate(&self) -> bool {
        self.current.is_some() && !self.is_current()
    }
}

/// Judges claims, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct VerifyClaims {
    pub claims: Vec<Claim>,
}

impl Query for VerifyClaims {
    type Answer = Vec<Judgement>;

    fn answer(&self, fleet: &Fleet) -> Vec<Judgement> {
        self.claims
            .iter()
            .map(|claim| {
                let slot = fleet.stream(claim.stream);
                // A disabled stream may be assigned until its worker has released it.
                let assignment = slot
                    .filter(|slot| slot.stream().enabled)
                    .and_then(|slot| slot.place().assignment());
                Judgement {
                    claim: *claim,
                    current: assignment
                        .map(|assignment| (assignment.epoch, assignment.instance.clone())),
                    former: assignment.and_then(|assignment| match assignment.handover {
                        Some(Handover::Overlapping { epoch, .. }) => Some(epoch),
                        Some(Handover::Releasing { .. } | Handover::GivenUp { .. }) | None => None,
                    }),
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::RemoveInstance;
    use crate::sample;

    #[test]
    fn a_former_owner_is_found_out_by_its_epoch() {
        let mut ledger = sample::ledger();
        sample::run(&mut ledger, sample::streams(1..=2));
        sample::run(&mut ledger, sample::register("a", 5));
        sample::run(&mut ledger, sample::ask("a", 1));
        let first = StreamId::new(1);
        let judge = |ledger: &crate::ledger::Ledger, stream, epoch| {
            let claims = vec![Claim { stream, epoch }];
            VerifyClaims { claims }.answer(ledger.saved()).remove(0)
        };
        let held = judge(&ledger, first, Epoch::new(0)).current.unwrap().0;
        assert!(judge(&ledger, first, held).is_current());

        sample::run(&mut ledger, sample::register("b", 5));
        sample::run(&mut ledger, RemoveInstance::new("a".into()));
        let late = judge(&ledger, first, held);
        assert!(!late.is_current());
        assert!(late.is_duplicate());
        let (epoch, owner) = late.current.unwrap();
        assert!(epoch > held);
        assert_eq!(owner.as_str(), "b");
        let current = judge(&ledger, first, epoch);
        assert!(current.is_current() && !current.is_duplicate());
        assert!(
            !judge(&ledger, first, epoch.next()).is_current(),
            "nor is one from the future"
        );

        for nobodys in [StreamId::new(2), StreamId::new(77)] {
            let judgement = judge(&ledger, nobodys, epoch);
            assert!(!judgement.is_duplicate(), "no other worker has it");
            assert_eq!((judgement.is_current(), judgement.current), (false, None));
        }
    }
}
