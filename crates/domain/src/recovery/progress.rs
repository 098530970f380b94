//! The record of the attempts of one recovery.

use std::time::Duration;

use crate::incident::{Incident, StepName, StepRecord, StepResult};
use crate::time::WallTime;

/// How many failed steps an incident lists. A store that is out for a weekend must not make an
/// incident of thousands of them: the newest then stands for those that are left out.
pub const MOST_FAILED_STEPS: usize = 20;

/// The steps so far, and the attempt under way. The domain has no clock: the caller that takes a
/// step reports when it began and how long it took.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// The attempt that is under way, from 1.
    pub attempt: u32,
    /// The steps, in order.
    pub steps: Vec<StepRecord>,
    /// When the attempts were used up, if they are.
    pub escalated_at: Option<WallTime>,
}

impl Progress {
    /// Reads the progress that is saved with an incident.
    pub fn saved(incident: &Incident) -> Self {
        Self {
            attempt: incident.attempts,
            steps: incident.steps.clone(),
            escalated_at: incident.escalated_at,
        }
    }

    /// Records a step of the attempt under way.
    pub fn note(
        &mut self,
        name: StepName,
        result: StepResult,
        (started_at, took): (WallTime, Duration),
        detail: impl Into<String>,
    ) {
        let step = step(name, result, self.attempt, (started_at, took), detail);
        let is_failure = |step: &StepRecord| step.result == StepResult::Failed;
        let failures = self.steps.iter().filter(|step| is_failure(step)).count();
        if is_failure(&step)
            && failures >= MOST_FAILED_STEPS
            && let Some(last) = self.steps.iter_mut().rev().find(|step| is_failure(step))
        {
            *last = step;
        } else {
            self.steps.push(step);
        }
    }
}

/// Creates the record of a step.
pub(crate) fn step(
    name: StepName,
    result: StepResult,
    attempt: u32,
    (started_at, took): (WallTime, Duration),
    detail: impl Into<String>,
) -> StepRecord {
    StepRecord {
        name,
        result,
        attempt,
        started_at,
        duration_us: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        detail: detail.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weekend_of_failures_is_a_short_list_that_ends_with_the_newest() {
        let mut progress = Progress::default();
        let at = (WallTime::from_micros(1), Duration::from_millis(2));
        progress.note(StepName::Detect, StepResult::Done, at, "");
        for attempt in 1..=1_000 {
            progress.attempt = attempt;
            progress.note(StepName::Apply, StepResult::Failed, at, "out");
        }
        assert_eq!(progress.steps.len(), 1 + MOST_FAILED_STEPS);
        assert_eq!(progress.steps[MOST_FAILED_STEPS].attempt, 1_000);
        progress.note(StepName::Apply, StepResult::Done, at, "");
        assert_eq!(progress.steps.len(), 2 + MOST_FAILED_STEPS);
        assert_eq!(progress.steps[0].duration_us, 2_000);
    }
}
