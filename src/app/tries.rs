//! The tries of one start: an error that passes by itself leads to another one after a pause.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use log::{info, warn};

use super::start_error::StartError;
use crate::clock::Clock;
use crate::domain::startup::{AfterFailure, DatabaseWait};
use crate::domain::time::WallTime;
use crate::http::{self, Awaited, Gate, Phase};
use crate::store::StoreError;

/// Returns the phase of a start that waits for something and goes on at once.
pub(super) fn phase(clock: &Clock, awaited: Awaited, since: WallTime) -> Phase {
    Phase::Starting(http::Starting {
        awaited,
        since,
        next_step_at: clock.since_made(),
    })
}

/// The tries of one start.
pub(super) struct Start<'s> {
    pub(super) clock: &'s Clock,
    pub(super) gate: &'s Gate,
    /// The database, without its password.
    pub(super) database: String,
    pub(super) wait: DatabaseWait,
}

impl Start<'_> {
    /// Tries until it succeeds, fails for good, or took too long. A try reports when the database
    /// answers and only the fleet is missing.
    pub(super) async fn repeat<T>(
        &mut self,
        mut attempt: impl AsyncFnMut(&dyn Fn()) -> Result<T, StartError>,
    ) -> Result<T, StartError> {
        let (since, began) = (self.clock.wall(), self.clock.since_made());
        let mut has_waited = false;
        loop {
            let loading = || {
                let since = self.clock.wall();
                self.gate.set(phase(self.clock, Awaited::Fleet, since));
            };
            let error = match attempt(&loading).await {
                Ok(loaded) => {
                    if has_waited {
                        self.say_that_it_answers(self.clock.since_made() - began);
                    }
                    return Ok(loaded);
                }
                Err(StartError::Store(error)) if error.is_passing() => error,
                Err(error) => return Err(error),
            };
            let waited = self.clock.since_made() - began;
            match self.wait.failed(waited, &error.to_string()) {
                AfterFailure::GiveUp if !has_waited => return Err(error.into()),
                AfterFailure::GiveUp => return Err(StartError::WaitedInVain { waited, error }),
                AfterFailure::TryAgain { pause, is_news } => {
                    self.pause(since, waited, pause, &error, is_news).await;
                    has_waited = true;
                }
            }
        }
    }

    async fn pause(
        &self,
        since: WallTime,
        waited: Duration,
        pause: Duration,
        error: &StoreError,
        is_news: bool,
    ) {
        if is_news {
            let (database, since) = (&self.database, shown(since));
            let (waited_seconds, pause_ms) = (waited.as_secs(), pause.as_millis());
            warn!(database, since = since.as_str(), waited_seconds, pause_ms:%;
                "waiting for the database {database} since {since}: {error}; next try in \
                 {pause_ms} ms");
        }
        self.gate.set(Phase::Starting(http::Starting {
            awaited: Awaited::Database,
            since,
            next_step_at: self.clock.since_made() + pause,
        }));
        tokio::time::sleep(pause).await;
    }

    fn say_that_it_answers(&self, waited: Duration) {
        let (database, waited_seconds) = (&self.database, waited.as_secs());
        info!(database, waited_seconds;
            "the database {database} answers; the start waited for {waited_seconds} s");
    }
}

/// Returns a time of day for a sentence.
fn shown(time: WallTime) -> String {
    let since_epoch = Duration::from_micros(u64::try_from(time.as_micros()).unwrap_or(0));
    let time: SystemTime = UNIX_EPOCH + since_epoch;
    humantime::format_rfc3339_seconds(time).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actors::leadership::{ClusterView, Office};
    use crate::clock::testing::VirtualTime;

    const NEW_YEAR: WallTime = WallTime::from_micros(1_767_225_600_000_000);

    fn view(clock: &Clock) -> ClusterView {
        use crate::domain::ids::Term;

        Office::embedded(Term::new(1), clock).view().clone()
    }

    /// A start whose tries fail with these errors and then succeed: how it ended, and when each try
    /// came.
    async fn start(
        limit: Option<u64>,
        errors: Vec<StoreError>,
    ) -> (Result<(), StartError>, Vec<Duration>) {
        tokio::time::pause();
        let clock = VirtualTime::starting_at(NEW_YEAR).clock();
        clock.stop_listening();
        let began = clock.now();
        let gate = Gate::new(view(&clock), phase(&clock, Awaited::Database, NEW_YEAR));
        let mut start = Start {
            clock: &clock,
            gate: &gate,
            database: "postgres://db/…".to_owned(),
            wait: DatabaseWait::new(limit.map(Duration::from_secs)),
        };
        let (mut errors, mut tries) = (errors.into_iter(), Vec::new());
        let outcome = start
            .repeat(async |loading| {
                tries.push(clock.since_made());
                match errors.next() {
                    Some(error) => Err(error.into()),
                    None => {
                        loading();
                        Ok(())
                    }
                }
            })
            .await;
        assert_eq!(clock.now(), began, "no deadline comes nearer");
        (outcome, tries)
    }

    fn refused() -> StoreError {
        StoreError::Unavailable("refused".to_owned())
    }

    /// To the hundredth of a second: a timer is up to a millisecond late.
    fn millis(tries: &[Duration]) -> Vec<u128> {
        tries.iter().map(|at| at.as_millis() / 10 * 10).collect()
    }

    #[tokio::test]
    async fn what_passes_is_tried_again_after_growing_pauses() {
        let in_doubt = StoreError::InDoubt("COMMIT was not answered".to_owned());
        let (outcome, tries) = start(None, vec![refused(), in_doubt, refused()]).await;
        assert!(outcome.is_ok());
        assert_eq!(millis(&tries), [0, 500, 1_500, 3_500]);
    }

    #[tokio::test]
    async fn what_can_never_succeed_ends_the_start_at_once() {
        let unusable = StoreError::Unusable("written by a newer release".to_owned());
        let (outcome, tries) = start(None, vec![refused(), unusable.clone()]).await;
        assert_eq!(outcome.unwrap_err().to_string(), unusable.to_string());
        assert_eq!(millis(&tries), [0, 500]);
    }

    #[tokio::test]
    async fn a_limit_ends_the_start_with_its_last_error() {
        let (outcome, tries) = start(Some(2), vec![refused(); 100]).await;
        let sentence = outcome.unwrap_err().to_string();
        assert!(sentence.contains("refused"), "{sentence}");
        assert!(sentence.contains("gave up after 2 s (DATABASE_WAIT)"));
        assert_eq!(millis(&tries), [0, 500, 1_500, 2_000]);
    }

    #[tokio::test]
    async fn a_limit_of_zero_ends_the_start_with_its_first_error() {
        let (outcome, tries) = start(Some(0), vec![refused(); 100]).await;
        assert_eq!(outcome.unwrap_err().to_string(), refused().to_string());
        assert_eq!(millis(&tries), [0]);
    }
}
