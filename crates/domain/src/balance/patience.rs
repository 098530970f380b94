//! Streams whose owner did not release them: they are not tried again for a growing while.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::ids::StreamId;
use crate::time::Timestamp;

/// The wait after the first move that is given up; each further one doubles it.
const FIRST_WAIT: Duration = Duration::from_secs(10 * 60);

/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Debug, Clone, Copy)]
struct Wait {
    until: Timestamp,
    length: Duration,
}

/// The streams that are held back.
#[derive(Debug, Clone, Default)]
pub(super) struct Patience {
    waits: BTreeMap<StreamId, Wait>,
}

impl Patience {
    /// Holds a stream back whose move was given up.
    pub(super) fn hold(&mut self, stream: StreamId, now: Timestamp) {
        let before = self.waits.get(&stream);
        let length = before.map_or(FIRST_WAIT, |wait| (wait.length * 2).min(LONGEST_WAIT));
        let until = now + length;
        self.waits.insert(stream, Wait { until, length });
    }

    /// Forgets a stream that has moved or is gone.
    pub(super) fn forget(&mut self, stream: StreamId) {
        self.waits.remove(&stream);
    }

    /// Returns the streams that are held back now.
    pub(super) fn held_back(&self, now: Timestamp) -> BTreeSet<StreamId> {
        let waits = self.waits.iter().filter(|(_, wait)| now < wait.until);
        waits.map(|(stream, _)| *stream).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wait_is_twice_as_long_up_to_a_day() {
        let mut patience = Patience::default();
        let (stream, mut now) = (StreamId::new(1), Timestamp::from_micros(0));
        for minutes in [10, 20, 40, 80, 160, 320, 640, 1_280, 1_440, 1_440] {
            patience.hold(stream, now);
            let end = now + Duration::from_secs(minutes * 60);
            let just_before = now + Duration::from_secs(minutes * 60 - 1);
            assert!(
                patience.held_back(just_before).contains(&stream),
                "{minutes}"
            );
            assert!(patience.held_back(end).is_empty(), "{minutes}");
            now = end;
        }
        patience.forget(stream);
        patience.hold(stream, now);
        assert!(patience.held_back(now + FIRST_WAIT).is_empty());
    }
}
