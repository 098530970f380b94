//! The saved fleet beside what the store held at the same moment.

use actix::prelude::*;

use super::actor::FleetActor;
use crate::actors::archive::Stored;
use crate::domain::consistency::Consistency;
use crate::domain::invariants::{Check, Invariant, check_fleet, compare};

/// Checks the saved fleet, and compares it with the store as it was at the same version; none if
/// the fleet has another version by now. Walks both fleets, which takes as long as they are large,
/// during which commands wait. The caller reads the store before.
#[derive(Debug, Message)]
#[rtype(result = "Option<Consistency>")]
pub struct CompareAtVersion(pub Stored);

impl Handler<CompareAtVersion> for FleetActor {
    type Result = Option<Consistency>;

    fn handle(
        &mut self,
        CompareAtVersion(stored): CompareAtVersion,
        _: &mut Self::Context,
    ) -> Self::Result {
        if stored.guard.term == self.guard.term && stored.guard.version != self.guard.version {
            return None;
        }
        let saved = self.ledger.saved();
        let agrees = if stored.guard.term != self.guard.term {
            violated("another orchestrator has taken over the database".to_owned())
        } else {
            match &stored.fleet {
                Ok(stored) => compare(saved, stored),
                Err(reason) => violated(format!("the store does not hold a fleet: {reason}")),
            }
        };
        Some(Consistency {
            fleet: check_fleet(saved),
            store: Ok(agrees),
        })
    }
}

fn violated(violation: String) -> Check {
    Check {
        invariant: Invariant::MemoryEqualsStore,
        holds: false,
        violations: vec![violation],
    }
}
