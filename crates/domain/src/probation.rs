//! How long an instance that failed must send steady heartbeats before it is trusted again.
//!
//! Each failure *during* a probation counts as a flap and doubles the next probation, up to
//! [`MOST_FLAPS`] doublings or [`LONGEST_PROBATION`], whichever is less. Steady time removes flaps:
//! a trusted instance loses one flap for each period in which it is not late and which is as long
//! as its probation would be now. During a probation, streams are not assigned to the instance
//! while others have room; if it falls silent it is recovered as always.

use std::time::Duration;

use super::settings::LivenessThresholds;

/// More flaps are not counted: they would lengthen no probation, only the way back.
pub const MOST_FLAPS: u32 = 6;

/// No doubling makes a probation longer than this.
pub const LONGEST_PROBATION: Duration = Duration::from_secs(24 * 3_600);

/// Returns the probation of an instance with so many flaps. A configured probation longer than
/// [`LONGEST_PROBATION`] is not shortened.
pub fn probation_for(thresholds: &LivenessThresholds, flaps: u32) -> Duration {
    let doubled = thresholds
        .probation
        .saturating_mul(1 << flaps.min(MOST_FLAPS));
    doubled.min(LONGEST_PROBATION.max(thresholds.probation))
}

/// Returns the flaps after one more failure on probation.
pub const fn flapped(flaps: u32) -> u32 {
    if flaps < MOST_FLAPS {
        flaps + 1
    } else {
        MOST_FLAPS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn with_probation(probation: Duration) -> LivenessThresholds {
        LivenessThresholds {
            probation,
            ..LivenessThresholds::default()
        }
    }

    #[test]
    fn each_flap_doubles_it_up_to_the_limit() {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        for (flaps, expected) in [
            (0, minutes(2)),
            (1, minutes(4)),
            (2, minutes(8)),
            (6, minutes(128)),
            (7, minutes(128)),
            (u32::MAX, minutes(128)),
        ] {
            let length = probation_for(&LivenessThresholds::default(), flaps);
            assert_eq!(length, expected, "{flaps} flaps");
        }
    }

    #[test]
    fn a_day_is_the_limit_unless_a_longer_one_was_asked_for() {
        let hour = Duration::from_secs(3_600);
        assert_eq!(probation_for(&with_probation(hour), 4), 16 * hour);
        assert_eq!(probation_for(&with_probation(hour), 5), LONGEST_PROBATION);
        for flaps in [0, 1, 6] {
            assert_eq!(probation_for(&with_probation(48 * hour), flaps), 48 * hour);
        }
    }

    proptest! {
        #[test]
        fn it_is_bounded_and_never_shorter_for_more_flaps(
            seconds in 0_u64..10_000_000,
            flaps in any::<u32>(),
        ) {
            let thresholds = with_probation(Duration::from_secs(seconds));
            let length = probation_for(&thresholds, flaps);
            prop_assert!(length >= thresholds.probation);
            prop_assert!(length <= LONGEST_PROBATION.max(thresholds.probation));
            prop_assert!(length <= thresholds.probation * 64);
            prop_assert!(probation_for(&thresholds, flapped(flaps)) >= length);
            prop_assert!(flapped(flaps) <= MOST_FLAPS && flapped(flaps) >= 1);
        }
    }
}
