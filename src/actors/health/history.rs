//! The history of the system's health as memory holds it.

use std::collections::VecDeque;
use std::time::Duration;

use crate::domain::health::HealthRecord;
use crate::domain::outbox::{Excess, Outbox, Queue};
use crate::domain::time::WallTime;

/// How far apart two points of the history are at the most.
pub const HISTORY_INTERVAL: Duration = Duration::from_secs(300);

/// Points kept in memory: those of three days and more, if nothing happens.
const MAX_RECENT: usize = 1_000;

/// Points kept for the store at the most while it is out.
const MAX_UNSAVED: usize = 10_000;

/// How soon what could not be saved is tried again.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);

/// What was recorded.
#[derive(Debug)]
pub(super) struct History {
    pub(super) recent: VecDeque<HealthRecord>,
    pub(super) outbox: Outbox<Queue<HealthRecord>>,
    pub(super) refusal_logged: bool,
}

impl History {
    pub(super) fn new() -> Self {
        let queue = Queue::dropping(Excess::Oldest);
        Self {
            recent: VecDeque::new(),
            outbox: Outbox::new(queue, MAX_UNSAVED, RETRY_INTERVAL),
            refusal_logged: false,
        }
    }

    /// Records a point if it tells of something new, or the last one is old. Returns it if so: it is to be
    /// saved.
    pub(super) fn note(&mut self, mut record: HealthRecord, is_new: bool) -> Option<HealthRecord> {
        if let Some(last) = self.recent.back() {
            // A clock that went back is no reason to record nothing.
            let is_due = record.at.since(last.at) >= HISTORY_INTERVAL || record.at < last.at;
            if !is_new && !is_due {
                return None;
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
        Some(record)
    }

    /// What is known in memory from before a moment.
    pub(super) fn known(&self, before: Option<WallTime>) -> impl Iterator<Item = &HealthRecord> {
        let all = self.recent.iter().chain(self.outbox.rows());
        all.filter(move |record| before.is_none_or(|before| record.at < before))
    }
}
