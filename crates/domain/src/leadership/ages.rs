//! Silence across a start or a take-over.
//!
//! The heartbeats that the leader before heard are saved from time to time, with a *watermark*: up
//! to that moment, each heartbeat it heard is among the saved ones. Watermark and heartbeats are
//! readings of one clock, so their difference is the silence that was really listened to. What
//! lies between the watermark and the moment a new leader begins to judge counts for no instance.
//!
//! The silence that is carried over is at most the timeout less the warning threshold. So no
//! instance fails before the new leader has listened for one warning threshold, whatever the
//! database says: wrong clocks move a verdict, but an instance that is heard never fails.

use std::time::Duration;

use crate::settings::LivenessThresholds;
use crate::time::{Timestamp, WallTime};

/// How long an instance had been silent when the leader before was last known to listen.
///
/// `last_beat` is its saved heartbeat and `watermark` the moment up to which heartbeats were saved,
/// both on the clock of the leader before. Without one of them, or with a heartbeat that is newer
/// than the watermark, nothing is carried over.
pub fn carried_silence(
    last_beat: Option<WallTime>,
    watermark: Option<WallTime>,
    thresholds: &LivenessThresholds,
) -> Duration {
    let longest = thresholds.timeout.saturating_sub(thresholds.warning);
    match (watermark, last_beat) {
        (Some(watermark), Some(last_beat)) => watermark.since(last_beat).min(longest),
        _ => Duration::ZERO,
    }
}

/// The moment on the new leader's running time that counts as the last heartbeat of an instance.
/// Running time has to begin high enough for the silence to fit below `judging_from`; otherwise less
/// of it is carried over.
pub fn last_beat(judging_from: Timestamp, carried: Duration) -> Timestamp {
    let carried = u64::try_from(carried.as_micros()).unwrap_or(u64::MAX);
    Timestamp::from_micros(judging_from.as_micros().saturating_sub(carried))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Incarnation;
    use crate::instance::InstanceStatus;
    use crate::liveness::{Effect, LivenessMachine, Saved, Silence};
    use proptest::prelude::*;

    /// A day: what running time begins with.
    const DAY: u64 = 86_400;

    fn wall(seconds: i64) -> WallTime {
        WallTime::from_micros(seconds * 1_000_000)
    }

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn running(seconds: u64) -> Timestamp {
        Timestamp::ZERO + secs(seconds)
    }

    fn thresholds() -> LivenessThresholds {
        LivenessThresholds::default()
    }

    /// When an instance fails that the new leader never hears.
    fn fails_at(
        last_saved: Option<i64>,
        watermark: Option<i64>,
        judging_from: Timestamp,
    ) -> Timestamp {
        let carried = carried_silence(last_saved.map(wall), watermark.map(wall), &thresholds());
        last_beat(judging_from, carried) + thresholds().timeout
    }

    #[test]
    fn the_silence_up_to_the_watermark_is_carried_over_up_to_a_limit() {
        // saved heartbeat, watermark, carried; 300 s timeout, 120 s warning
        let table = [
            (Some(1_000), Some(1_000), 0),
            (Some(990), Some(1_000), 10),
            (Some(821), Some(1_000), 179),
            (Some(820), Some(1_000), 180),
            (Some(700), Some(1_000), 180),
            (Some(-5_000_000), Some(1_000), 180),
            (Some(1_001), Some(1_000), 0),
            (Some(9_000_000), Some(1_000), 0),
            (None, Some(1_000), 0),
            (Some(500), None, 0),
            (None, None, 0),
        ];
        for (saved, watermark, expected) in table {
            let carried = carried_silence(saved.map(wall), watermark.map(wall), &thresholds());
            assert_eq!(carried, secs(expected), "{saved:?}, {watermark:?}");
        }
    }

    #[test]
    fn an_instance_that_fell_silent_for_good_fails_as_if_the_gap_had_not_been() {
        let from = running(DAY);
        // Silent for 100 s at the watermark: 200 s later, measured by the new leader.
        assert_eq!(fails_at(Some(900), Some(1_000), from), running(DAY + 200));
        // On the verge of its failure: the new leader listens for one warning threshold first.
        assert_eq!(fails_at(Some(701), Some(1_000), from), running(DAY + 120));
        // Nothing is known of it: a full timeout.
        assert_eq!(fails_at(None, Some(1_000), from), running(DAY + 300));
        assert_eq!(fails_at(Some(900), None, from), running(DAY + 300));
    }

    /// The machine of an instance that had been silent for `silent_for` seconds at the watermark.
    fn machine(silent_for: i64, from: Timestamp) -> LivenessMachine {
        let saved = Saved {
            incarnation: Incarnation::new(1),
            status: InstanceStatus::Active,
            flaps: 0,
        };
        let last = wall(1_000 - silent_for);
        let carried = carried_silence(Some(last), Some(wall(1_000)), &thresholds());
        LivenessMachine::new(thresholds(), saved, last_beat(from, carried))
    }

    #[test]
    fn an_instance_that_is_heard_starts_anew() {
        let mut machine = machine(290, running(DAY));
        assert_eq!(
            machine.handle_deadline(running(DAY)),
            Some(Effect::BecameLate)
        );
        assert_eq!(machine.handle_deadline(running(DAY + 119)), None);
        assert_eq!(
            machine.heartbeat(running(DAY + 119)),
            Some(Effect::BackOnTime)
        );
        assert_eq!(machine.handle_deadline(running(DAY + 238)), None);
        let late = machine.handle_deadline(running(DAY + 418));
        assert_eq!(late, Some(Effect::BecameLate));
        assert_eq!(machine.handle_deadline(running(DAY + 418)), None);
        let failed = machine.handle_deadline(running(DAY + 419));
        assert_eq!(
            failed,
            Some(Effect::BecameSilent),
            "a full timeout after it was heard"
        );
    }

    #[test]
    fn all_instances_that_are_not_heard_are_late_before_the_first_can_fail() {
        let from = running(DAY);
        let mut fleet: Vec<_> = (0..=300)
            .step_by(10)
            .map(|age| machine(age, from))
            .collect();
        for machine in &mut fleet {
            machine.handle_deadline(running(DAY + 120));
        }
        let late = fleet.iter().filter(|one| one.silence() >= Silence::Late);
        assert_eq!(late.count(), fleet.len(), "a mass is seen as one");
    }

    #[test]
    fn running_time_that_begins_too_low_carries_less() {
        assert_eq!(last_beat(running(10), secs(180)), Timestamp::ZERO);
        assert_eq!(last_beat(running(180), secs(180)), Timestamp::ZERO);
        assert_eq!(last_beat(running(181), secs(180)), running(1));
    }

    proptest! {
        /// No instance fails before the new leader has listened for a warning threshold, whatever
        /// clocks and rows say, and none gets more than a full timeout.
        #[test]
        fn no_instance_fails_before_it_could_be_heard(
            saved in prop::option::of(any::<i64>()),
            watermark in prop::option::of(any::<i64>()),
            from in 0_u64..10_000_000,
        ) {
            let saved = saved.map(WallTime::from_micros);
            let watermark = watermark.map(WallTime::from_micros);
            let carried = carried_silence(saved, watermark, &thresholds());
            prop_assert!(carried <= thresholds().timeout - thresholds().warning);
            let from = running(from);
            let fails = last_beat(from, carried) + thresholds().timeout;
            prop_assert!(fails >= from + thresholds().warning);
            prop_assert!(fails <= from + thresholds().timeout);
        }

        /// The bound of blindness: with right clocks, an instance that fell silent for good fails
        /// at the later of its timeout, prolonged by the gap in which no leader listened, and one
        /// warning threshold of the new leader.
        #[test]
        fn a_dead_instance_fails_in_time(
            silent_for in 0_u64..300,
            gap in 0_u64..600,
        ) {
            // On one clock: the watermark is at 1,000 s, and the new leader judges after the gap.
            let last = 1_000 - silent_for;
            let judged_from = 1_000 + gap;
            let fails = fails_at(Some(last as i64), Some(1_000), running(DAY));
            let found = judged_from + fails.since(running(DAY)).as_secs();
            prop_assert_eq!(found, (last + 300 + gap).max(judged_from + 120));
        }

        /// A step of the old leader's clock between a heartbeat and the watermark does not fail an
        /// instance that is heard within the warning threshold.
        #[test]
        fn a_clock_step_fails_no_instance_that_is_heard(
            silent_for in 0_i64..300,
            step in -1_000_000_i64..1_000_000,
            heard_after in 0_u64..120,
        ) {
            let from = running(DAY);
            let fails = fails_at(Some(1_000 - silent_for), Some(1_000 + step), from);
            prop_assert!(from + secs(heard_after) < fails);
        }
    }
}
