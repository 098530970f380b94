//! Checks the invariants of the fleet.

use super::query::Query;
use crate::fleet::Fleet;
use crate::invariants::{Check, check_fleet};

/// Checks the invariants that the fleet shows by itself. Walks all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InspectFleet;

impl Query for InspectFleet {
    type Answer = Vec<Check>;

    fn answer(&self, fleet: &Fleet) -> Self::Answer {
        check_fleet(fleet)
    }
}
