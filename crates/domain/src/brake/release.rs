//! The recoveries of a held mass after its hold, one after the other.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::census::Sighting;
use super::hold::Hold;
use crate::ids::{Incarnation, InstanceId};
use crate::time::Timestamp;

/// Over how long the recoveries of a mass are spread, however many they are. A mass is to be
/// recovered within 20 s; the rest is for fencing and saving the last ones.
pub const RELEASE_WINDOW: Duration = Duration::from_secs(15);

/// The longest wait between two recoveries of a small mass.
const LONGEST_GAP: Duration = Duration::from_secs(1);

/// Recoveries that are due closer together than this are released together.
const RELEASE_STEP: Duration = Duration::from_millis(100);

/// A mass on its way to recovery, most loaded first.
#[derive(Debug, Clone)]
pub(super) struct Release {
    /// The hold that ended.
    pub(super) hold: Hold,
    began: Timestamp,
    gap: Duration,
    queue: VecDeque<(InstanceId, Incarnation)>,
    queued: BTreeSet<InstanceId>,
    released: u32,
}

impl Release {
    /// Begins the release of the instances of a hold that has ended.
    pub(super) fn new(hold: Hold, mut silent: Vec<(InstanceId, Sighting)>, now: Timestamp) -> Self {
        silent.sort_by(|(a, left), (b, right)| right.held.cmp(&left.held).then_with(|| a.cmp(b)));
        let queue: VecDeque<_> = silent
            .into_iter()
            .map(|(id, one)| (id, one.incarnation))
            .collect();
        Self {
            hold,
            began: now,
            gap: gap(queue.len()),
            queued: queue.iter().map(|(id, _)| id.clone()).collect(),
            queue,
            released: 0,
        }
    }

    /// Returns how many instances wait for their recovery.
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Returns whether this instance waits for its recovery.
    pub(super) fn contains(&self, id: &InstanceId) -> bool {
        self.queued.contains(id)
    }

    /// Returns when the next recovery is due: the first at once, the last within the window.
    /// Recoveries that are close together share one moment.
    pub(super) fn next(&self) -> Timestamp {
        let offset = self.gap * self.released;
        let step = RELEASE_STEP.as_micros();
        let steps = u32::try_from(offset.as_micros() / step).unwrap_or(u32::MAX);
        self.began + RELEASE_STEP * steps
    }

    /// Moves the instances whose recovery is due to `due`.
    pub(super) fn due(&mut self, now: Timestamp, due: &mut Vec<(InstanceId, Incarnation)>) {
        while self.next() <= now
            && let Some((id, incarnation)) = self.queue.pop_front()
        {
            self.released += 1;
            self.queued.remove(&id);
            due.push((id, incarnation));
        }
    }
}

/// Returns the wait between two of `count` recoveries.
fn gap(count: usize) -> Duration {
    let count = u32::try_from(count.max(1)).unwrap_or(u32::MAX);
    (RELEASE_WINDOW / count).min(LONGEST_GAP)
}
