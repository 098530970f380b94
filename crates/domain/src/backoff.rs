//! How long to wait before trying again.

use std::time::Duration;

use super::settings::RetryPolicy;

/// Waits stop doubling here, so that the longest delay is minutes and not days.
const MAX_DOUBLINGS: u32 = 6;

/// Jitter takes away at most this part of a wait, so that many waiters do not move as one.
const JITTER_SHARE: f64 = 0.25;

/// Returns the wait before retry `retry` (1 for the first), at most 64 times the first wait.
///
/// `jitter` in 0..=1 shortens it by up to a quarter; it is an argument so that this function stays
/// arithmetic. Once the attempts of the policy are used up, the wait stays at the longest delay.
pub fn retry_delay(policy: &RetryPolicy, retry: u32, jitter: f64) -> Duration {
    let step = retry.clamp(1, policy.max_attempts.max(1)) - 1;
    let factor = if policy.exponential {
        1 << step.min(MAX_DOUBLINGS)
    } else {
        1
    };
    policy
        .delay
        .saturating_mul(factor)
        .mul_f64(1.0 - JITTER_SHARE * jitter.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_wait_is_longer_than_a_later_one_or_than_the_slowest_step(
            max_attempts in 0_u32..200,
            exponential: bool,
            retry in 0_u32..1_000,
            jitter in 0.0_f64..=1.0,
        ) {
            let delay = Duration::from_secs(5);
            let policy = RetryPolicy { max_attempts, delay, exponential };
            let wait = retry_delay(&policy, retry, jitter);
            prop_assert!(wait <= retry_delay(&policy, retry.saturating_add(1), jitter));
            prop_assert!(wait <= retry_delay(&policy, retry, 0.0));
            prop_assert!(wait >= delay.mul_f64(0.75));
            prop_assert!(wait <= delay * 64);
        }
    }

    #[test]
    fn waits_double_up_to_the_last_attempt_and_stay_there() {
        let policy = RetryPolicy::default();
        let seconds = |retry| retry_delay(&policy, retry, 0.0).as_secs();
        assert_eq!([1, 2, 3, 4, 400].map(seconds), [5, 10, 20, 20, 20]);
        let flat = RetryPolicy {
            exponential: false,
            ..policy
        };
        assert_eq!(retry_delay(&flat, 3, 0.0), policy.delay);
    }

    #[test]
    fn jitter_only_shortens_and_by_a_quarter_at_most() {
        let policy = RetryPolicy::default();
        assert_eq!(retry_delay(&policy, 1, 1.0), Duration::from_millis(3_750));
        assert_eq!(
            retry_delay(&policy, 1, 77.0),
            Duration::from_millis(3_750),
            "clamped"
        );
    }

    #[test]
    fn absurd_policies_do_not_overflow() {
        let policy = RetryPolicy {
            max_attempts: u32::MAX,
            delay: Duration::from_secs(1),
            exponential: true,
        };
        assert_eq!(retry_delay(&policy, u32::MAX, 0.0), Duration::from_secs(64));
    }
}
