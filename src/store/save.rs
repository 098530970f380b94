//! The content of one fleet transaction.

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
    /// The last epoch that was used.
    pub counter: Epoch,
    /// The rows as they must be afterwards.
    pub rows: Rows,
    /// The events, in order.
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
