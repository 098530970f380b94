//! How long an instance had been silent when the orchestrator before ended.
//!
//! Two moments are saved together: of each instance its last heartbeat *b*, and the *watermark* F, up
//! to which every heartbeat that was heard is among the saved ones. Both are of the clock of the
//! orchestrator that heard them, so F − b compares one clock with itself. What lies between F and the
//! start counts for nobody: nobody was there to hear.
//!
//! The silence that is carried over a start is min(F − b, timeout − warning). So
//!
//! - nobody fails within one warning threshold after the start: a living worker is heard in that
//!   time, and its silence begins anew;
//! - a worker that fell silent for good fails at max(b + timeout + gap, start + warning), where the
//!   gap is the time from F to the start;
//! - at the first moment at which anybody can fail, everybody who was not heard is late, so the
//!   brake for mass failures sees a mass as one.
//!
//! A clock that was set, or ages that are wrong, only move the silence within these bounds: they can
//! delay or hasten the verdict on an instance that stays silent, and make none about one that is heard.

use std::time::Duration;

use crate::settings::LivenessThresholds;
use crate::time::WallTime;

/// The silence that an instance brings along into a start: with its last heartbeat, and the
/// watermark if there is one.
pub fn carried_silence(
    watermark: Option<WallTime>,
    last_beat: WallTime,
    thresholds: &LivenessThresholds,
) -> Duration {
    let longest = thresholds.timeout.saturating_sub(thresholds.warning);
    watermark.map_or(Duration::ZERO, |heard_through| {
        heard_through.since(last_beat).min(longest)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn carried(watermark: Option<i64>, last_beat: i64) -> u64 {
        let thresholds = LivenessThresholds::from_timeout(Duration::from_secs(300));
        let at = |seconds: i64| WallTime::from_micros(seconds * 1_000_000);
        carried_silence(watermark.map(at), at(last_beat), &thresholds).as_secs()
    }

    #[test]
    fn the_silence_before_the_watermark_is_carried_up_to_a_bound() {
        // watermark, last heartbeat, carried silence
        let table = [
            (Some(1_000), 1_000, 0),
            (Some(1_000), 970, 30),
            (Some(1_000), 820, 180),
            (Some(1_000), 819, 180),
            (Some(1_000), -5_000, 180),
            (None, 0, 0),
        ];
        for (watermark, last_beat, expected) in table {
            assert_eq!(carried(watermark, last_beat), expected, "{watermark:?} {last_beat}");
        }
    }

    #[test]
    fn a_heartbeat_after_the_watermark_or_a_clock_that_was_set_carries_nothing() {
        assert_eq!(carried(Some(1_000), 1_001), 0);
        assert_eq!(carried(Some(1_000), 99_000), 0);
        assert_eq!(carried(Some(-1_000), 5), 0);
    }

    #[test]
    fn nobody_can_fail_within_one_warning_threshold_after_a_start() {
        for timeout in [3, 20, 300, 3_600] {
            let thresholds = LivenessThresholds::from_timeout(Duration::from_secs(timeout));
            let longest = carried_silence(
                Some(WallTime::from_micros(i64::MAX)),
                WallTime::from_micros(0),
                &thresholds,
            );
            assert_eq!(longest + thresholds.warning, thresholds.timeout);
        }
    }
}
