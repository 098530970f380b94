//! Verifies a recovery.

use super::query::Query;
use crate::fleet::Fleet;
use crate::recovery::{Applied, Unverified, Verified};

/// Compares the saved fleet with the plan of a recovery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyRecovery(pub Applied);

impl Query for VerifyRecovery {
    type Answer = Result<Verified, Box<Unverified>>;

    fn answer(&self, fleet: &Fleet) -> Self::Answer {
        self.0.clone().verify(fleet)
    }
}
