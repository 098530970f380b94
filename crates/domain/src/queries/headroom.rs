//! What the instances hold and could take, for the question whether the loss of some could be absorbed.

use super::query::Query;
use crate::fleet::Fleet;
use crate::headroom::Holder;

/// Collects the facts. Walks the instances, not the streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadroomFacts;

impl Query for HeadroomFacts {
    type Answer = Vec<Holder>;

    fn answer(&self, fleet: &Fleet) -> Self::Answer {
        let holder = |slot: &crate::fleet::InstanceSlot| {
            let choosy = slot.choosy().clone();
            let count: usize = choosy.values().sum();
            Holder {
                instance: slot.instance().clone(),
                plain: slot.held().len().saturating_sub(count),
                choosy,
                free: slot.free(),
            }
        };
        fleet.instances().map(holder).collect()
    }
}
