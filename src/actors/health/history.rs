//! The history of the system's health as memory holds it.

use std::collections::VecDeque;
use std::time::Duration;

use actix::prelude::*;

use crate::domain::health::HealthRecord;
use crate::domain::time::WallTime;

/// How far apart two points of the history are at the most.
pub const HISTORY_INTERVAL: Duration = Duration::from_secs(300);

/// Points kept in memory: those of three days and more, if nothing happens.
const MAX_RECENT: usize = 1_000;

/// What was recorded.
#[derive(Debug, Default)]
pub(super) struct History {
    pub(super) recent: VecDeque<HealthRecord>,
    pub(super) unsaved: VecDeque<HealthRecord>,
    /// How many of the unsaved ones are being saved.
    pub(super) in_flight: usize,
    pub(super) refusal_logged: bool,
    pub(super) retry: Option<SpawnHandle>,
}

impl History {
    /// Records a point if it tells of something new, or the last one is old; true if so.
    pub(super) fn note(&mut self, mut record: HealthRecord, is_new: bool) -> bool {
        if let Some(last) = self.recent.back() {
            // A clock that went back is no reason to record nothing.
            let is_due = record.at.since(last.at) >= HISTORY_INTERVAL || record.at < last.at;
            if !is_new && !is_due {
                return false;
            }
            // Points are known by their moment.
            if record.at == last.at {
                record.at = record.at + Duration::from_micros(1);
            }
        }
        if self.recent.len() >= MAX_RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(record.clone());
        self.unsaved.push_back(record);
        true
    }

    /// What is known in memory from before a moment.
    pub(super) fn known(&self, before: Option<WallTime>) -> impl Iterator<Item = &HealthRecord> {
        let all = self.recent.iter().chain(&self.unsaved);
        all.filter(move |record| before.is_none_or(|before| record.at < before))
    }
}
