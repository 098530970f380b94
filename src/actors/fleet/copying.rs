//! A copy of the saved fleet that was asked for, and what comes of it.

use tokio::sync::oneshot;

use crate::domain::fleet::{CopiedFleet, FleetCopy};
use crate::store::Guard;

/// The saved fleet as it was at one moment.
#[derive(Debug)]
pub struct SavedCopy {
    /// What it was saved under.
    pub guard: Guard,
    /// Its rows.
    pub rows: CopiedFleet,
}

/// A copy that was asked for.
pub(super) struct Copying {
    pub(super) under: Option<Guard>,
    pub(super) copy: FleetCopy,
    pub(super) done: oneshot::Sender<SavedCopy>,
}

impl Copying {
    /// Whether nothing can come of it any more.
    pub(super) fn is_over(&self, guard: Guard) -> bool {
        let has_moved = |under: &Guard| under.term == guard.term && under.version != guard.version;
        self.done.is_closed() || self.under.as_ref().is_some_and(has_moved)
    }
}
