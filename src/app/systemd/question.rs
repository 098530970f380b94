//! The question whether the FleetActor lives.

use std::pin::Pin;
use std::time::Duration;

use super::announced::Life;

/// The time between two looks at the program, and the time after which an unanswered question shows in the
/// status.
pub(super) const PERIOD: Duration = Duration::from_secs(1);

/// The answer of the FleetActor: whether it came from a living one.
pub(super) type Answer = Pin<Box<dyn Future<Output = bool>>>;

/// The question whether the FleetActor lives, of which one is asked at a time.
#[derive(Default)]
pub(super) struct Question {
    asked: Option<Answer>,
    waited: Duration,
}

impl Question {
    /// Waits at most so long for the answer; a question without one stays asked.
    pub(super) async fn life(&mut self, patience: Duration, ask: impl FnOnce() -> Answer) -> Life {
        let answer = self.asked.get_or_insert_with(ask);
        if let Ok(is_alive) = tokio::time::timeout(patience, answer).await {
            *self = Self::default();
            return match is_alive {
                true => Life::Proven,
                false => Life::Silent,
            };
        }
        self.waited += patience;
        match self.waited < PERIOD {
            true => Life::Awaited,
            false => Life::Silent,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_takes_long_is_awaited_and_proves_life() {
        let mut question = Question::default();
        let slow = || -> Answer {
            Box::pin(async {
                tokio::time::sleep(Duration::from_millis(2_500)).await;
                true
            })
        };
        let again = || -> Answer { panic!("one question is under way") };
        let half = PERIOD / 2;
        assert_eq!(question.life(half, slow).await, Life::Awaited);
        for _ in 0..3 {
            assert_eq!(question.life(half, again).await, Life::Silent);
        }
        assert_eq!(question.life(PERIOD, again).await, Life::Proven);
        // The next question is a new one.
        let gone = || -> Answer { Box::pin(ready(false)) };
        assert_eq!(question.life(PERIOD, gone).await, Life::Silent);
    }

    #[tokio::test(start_paused = true)]
    async fn an_actor_without_an_answer_is_silent_after_a_second_for_good() {
        let mut question = Question::default();
        let never = || -> Answer { Box::pin(pending()) };
        for _ in 0..9 {
            let life = question.life(PERIOD / 10, never).await;
            assert_eq!(life, Life::Awaited);
        }
        for _ in 0..100 {
            let life = question.life(PERIOD / 10, never).await;
            assert_eq!(life, Life::Silent);
        }
    }
}
