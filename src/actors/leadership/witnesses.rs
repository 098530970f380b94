//! What a standby hears for a leader that it does not reach, on its way through the database.
//!
//! ```text
//!   echo ──▶ Echoes ── after each look, in one statement ──▶ `witnessed` ── one statement ──▶ RecoveryActor
//!                ▲──────── not written: later, with its age ───────┘
//! ```
//!
//! The rules are those of `domain/leadership/witness.rs`. Neither side waits for the database for longer than one
//! statement on the leadership row may take.

use std::sync::Arc;
use std::time::Duration;

use log::{debug, warn};
use tokio::time::timeout;

use super::view::ClusterView;
use crate::domain::leadership::{Life, MOST_WITNESSES, Witness, is_wanted};
use crate::store::{Leadership, StoreError};

fn late() -> StoreError {
    StoreError::Unavailable("it was not answered in time".to_owned())
}

/// Writes what this standby heard, if the leader lives and is not reached from here.
pub(super) async fn write(row: &Arc<dyn Leadership>, view: &ClusterView, limit: Duration) {
    if !is_wanted(view.reached_leader().is_some(), view.row_unchanged_for()) {
        return view.flow().written();
    }
    let beats = view.echoes().unwritten(MOST_WITNESSES);
    if beats.is_empty() {
        return;
    }
    let now = view.moment();
    let witnesses: Vec<Witness> = beats
        .iter()
        .map(|beat| Witness {
            id: beat.id.clone(),
            incarnation: beat.incarnation,
            age: now.since(beat.came),
        })
        .collect();
    let written = timeout(limit, row.witness(&view.me().node, &witnesses)).await;
    match written.unwrap_or_else(|_| Err(late())) {
        Ok(()) => view.flow().written(),
        Err(error) => {
            debug!(error:%; "what this standby heard could not be written: {error}");
            view.echoes().not_written(beats);
            view.flow().failed(now);
        }
    }
}

/// Reads what other orchestrators heard of instances.
#[derive(Debug, Clone)]
pub(in crate::actors) struct WitnessReader {
    row: Option<Arc<dyn Leadership>>,
    limit: Duration,
}

impl WitnessReader {
    /// Reads from this row, for at most `limit`; none: no other orchestrator can hear anything.
    pub(super) const fn new(row: Option<Arc<dyn Leadership>>, limit: Duration) -> Self {
        Self { row, limit }
    }

    /// Returns whether another orchestrator may have heard something.
    pub(in crate::actors) const fn may_find(&self) -> bool {
        self.row.is_some()
    }

    /// Returns what was heard of these lives; nothing if the database does not answer in time.
    pub(in crate::actors) async fn of(&self, lives: &[Life]) -> Vec<Witness> {
        let Some(row) = &self.row else {
            return Vec::new();
        };
        let read = timeout(self.limit, row.witnessed(lives)).await;
        read.unwrap_or_else(|_| Err(late()))
            .unwrap_or_else(|error| {
                let lives = lives.len();
                warn!(lives, error:%;
                "what other orchestrators heard of {lives} instances could not be read: {error}");
                Vec::new()
            })
    }
}
