//! What a process tells a leader that does not reach the database, from what it remembers of its own looks and claims. The
//! rules are in `domain/leadership/failsafe`.

use std::sync::PoisonError;

use super::view::ClusterView;
use crate::domain::leadership::{FailsafeAnswer, FailsafeQuestion, FailsafeRecord, LeadershipRow};

impl ClusterView {
    /// Changes what this process remembers.
    pub(super) fn change_record(&self, change: impl FnOnce(&mut FailsafeRecord)) {
        change(&mut self.record.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// This process has written its row.
    pub(super) fn joined(&self) {
        self.change_record(FailsafeRecord::joined);
    }

    /// A look was answered. Comes before anything is decided on it.
    pub(super) fn looked(&self, row: &LeadershipRow) {
        let own = self.me().run;
        self.change_record(|record| record.looked(row, own));
    }

    /// A statement was not answered in time.
    pub(super) fn look_failed(&self) {
        self.change_record(FailsafeRecord::failed);
    }

    /// Answers a leader that does not reach its database.
    pub fn confirm_leader(&self, asked: &FailsafeQuestion) -> FailsafeAnswer {
        let record = self.record.read().unwrap_or_else(PoisonError::into_inner);
        record.answer(&self.me().node, self.me().run, asked)
    }
}
