//! What one fleet transaction writes.

use crate::domain::events::Event;
use crate::domain::fleet::Rows;
use crate::domain::ids::Epoch;
use crate::domain::ledger::Batch;
use crate::domain::time::WallTime;

/// One fleet transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Save {
    /// When it was decided.
    pub at: WallTime,
    /// The last epoch given out.
    pub counter: Epoch,
    /// The rows as they are to be.
    pub rows: Rows,
    /// What happened, in order.
    pub events: Vec<Event>,
}

impl From<&Batch> for Save {
    fn from(batch: &Batch) -> Self {
        Self {
            at: batch.at(),
            counter: batch.counter(),
            rows: batch.rows(),
            events: batch.events().cloned().collect(),
        }
    }
}
