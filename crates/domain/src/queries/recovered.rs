//! Whether a recovery did what it was to do.

use super::query::Query;
use crate::fleet::Fleet;
use crate::recovery::{Applied, Unverified, Verified};

/// Compares what is saved with what a recovery was to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyRecovery(pub Applied);

impl Query for VerifyRecovery {
    type Answer = Result<Verified, Box<Unverified>>;

    fn answer(&self, fleet: &Fleet) -> Self::Answer {
        self.0.clone().verify(fleet)
    }
}
