//! The moments at which a delivery is tried again.

use std::time::Duration;

/// A delivery that its receiver has not accepted for so long is given up.
pub const GIVE_UP_AFTER: Duration = Duration::from_secs(24 * 3_600);

/// The longest wait between two tries.
const LONGEST: Duration = Duration::from_secs(300);

/// Jitter takes away at most this part of a wait, so that many deliveries do not move as one.
const JITTER_SHARE: f64 = 0.25;

/// Returns the wait after so many failed tries in a row: 1, 2, 4 … seconds, at most five minutes. `jitter` in 0..=1
/// shortens it by up to a quarter.
pub fn delay(failures: u32, jitter: f64) -> Duration {
    let doublings = failures.saturating_sub(1).min(9);
    Duration::from_secs(1 << doublings)
        .min(LONGEST)
        .mul_f64(1.0 - JITTER_SHARE * jitter.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_five_minutes() {
        let seconds = |failures| delay(failures, 0.0).as_secs();
        let waits: Vec<u64> = (1..=11).map(seconds).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!((seconds(0), seconds(u32::MAX)), (1, 300));
        assert_eq!(delay(1, 1.0), Duration::from_millis(750));
        assert_eq!(delay(1, 9.0), Duration::from_millis(750), "clamped");
    }
}
