//! Questions about the fleet.
use std::fmt;

use super::fleet::Fleet;

/// Something that can be asked about the fleet.
pub trait Query: fmt::Debug + Send + 'static {
    /// The answer.
    type Answer: fmt::Debug + Send + 'static;

    /// Answers it.
    fn answer(&self, fleet: &Fleet) -> Self::Answer;
}
