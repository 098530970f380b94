//! The content of one fleet transaction.

use std::sync::Arc;

use crate::domain::events::{DatedEvent, Event};
use crate::domain::fleet::Rows;
use crate::domain::ids::Epoch;
use crate::domain::ledger::Batch;
use crate::domain::request::EventOrigin;
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
    /// Who gave the order that led to each event, in the same order; empty if no order led to any.
    pub origins: Vec<Option<Arc<EventOrigin>>>,
}

impl Save {
    /// The number of rows and events that are written.
    pub fn row_count(&self) -> usize {
        self.rows.len() + self.events.len()
    }

    /// The same, after which this epoch counts as the last one that was used.
    #[must_use]
    pub fn with_counter(&self, counter: Epoch) -> Self {
        Self {
            counter,
            ..self.clone()
        }
    }

    /// Returns the events as they are kept.
    pub fn dated_events(&self) -> impl Iterator<Item = DatedEvent> {
        self.events
            .iter()
            .enumerate()
            .map(|(place, event)| DatedEvent {
                at: self.at,
                origin: self.origins.get(place).cloned().flatten(),
                event: event.clone(),
            })
    }
}

impl From<&Batch> for Save {
    fn from(batch: &Batch) -> Self {
        Self {
            at: batch.at(),
            counter: batch.counter(),
            rows: batch.rows(),
            events: batch.events().cloned().collect(),
            origins: match batch.origins().flatten().next() {
                Some(_) => batch.origins().map(Option::<&_>::cloned).collect(),
                None => Vec::new(),
            },
        }
    }
}
