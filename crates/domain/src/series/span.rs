//! Which points of a series a caller wants.

use std::fmt;
use std::time::Duration;

use super::point::{Resolution, micros};
use crate::time::WallTime;

/// How far back a series goes if its begin is not given.
pub const DEFAULT_SPAN: Duration = Duration::from_secs(3_600);

/// The longest step.
pub const LONGEST_STEP: Duration = Duration::from_secs(86_400);

/// The most points of an answer.
pub const MAX_POINTS: i64 = 2_200;

/// How many points an answer has at the most if its step is not given.
const COMFORTABLE_POINTS: i64 = 400;

/// The steps from which one is chosen if none is given, in seconds.
const STEPS: [u64; 10] = [10, 30, 60, 300, 900, 1_800, 3_600, 10_800, 21_600, 86_400];

/// A time, cut into steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeriesSpan {
    from: WallTime,
    to: WallTime,
    step: Duration,
    resolution: Resolution,
}

/// Why a span cannot be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum SpanFault {
    FromAfterTo,
    /// Points as short as this are kept for `kept` only.
    StepTooSmall {
        least: Duration,
        kept: Duration,
    },
    StepTooLarge,
    StepUneven {
        unit: Duration,
    },
    TooManyPoints {
        points: i64,
    },
}

impl SeriesSpan {
    /// Cuts the time from `from` (by default an hour before its end) to `to` (by default now) into steps (by
    /// default such that there are not very many). The first step is the one in which `from` lies, the last one
    /// that in which `to` lies.
    ///
    /// # Errors
    /// If the points are not kept so, or are too many.
    pub fn new(
        now: WallTime,
        from: Option<WallTime>,
        to: Option<WallTime>,
        step: Option<Duration>,
    ) -> Result<Self, SpanFault> {
        let to = to.unwrap_or(now);
        let from = from.unwrap_or(to - DEFAULT_SPAN);
        if from > to {
            return Err(SpanFault::FromAfterTo);
        }
        let is_recent = from >= now - Resolution::Fine.span();
        let kept = if is_recent {
            Resolution::Fine
        } else {
            Resolution::Coarse
        };
        let step = step.unwrap_or_else(|| comfortable(kept, from, to));
        check(step, kept)?;
        let steps = from.as_micros().div_euclid(micros(step));
        let begin = steps.saturating_mul(micros(step));
        let span = Self {
            from: WallTime::from_micros(begin),
            to,
            step,
            resolution: kept,
        };
        match span.count() {
            points if points > MAX_POINTS => Err(SpanFault::TooManyPoints { points }),
            _ => Ok(span),
        }
    }

    /// How many steps there are, with points or without.
    fn count(&self) -> i64 {
        count(self.from, self.to, self.step)
    }

    /// Returns the moment at which the first step begins.
    pub const fn from(&self) -> WallTime {
        self.from
    }

    /// Returns the moment before which the last step begins.
    pub const fn to(&self) -> WallTime {
        self.to
    }

    /// Returns the length of a step.
    pub const fn step(&self) -> Duration {
        self.step
    }

    /// Returns the ring whose points are read.
    pub const fn resolution(&self) -> Resolution {
        self.resolution
    }
}

fn count(from: WallTime, to: WallTime, step: Duration) -> i64 {
    let span = i128::from(to.as_micros()) - i128::from(from.as_micros());
    let step = i128::from(micros(step));
    i64::try_from((span + step - 1) / step).unwrap_or(i64::MAX)
}

fn comfortable(kept: Resolution, from: WallTime, to: WallTime) -> Duration {
    let steps = STEPS.into_iter().map(Duration::from_secs);
    let mut steps = steps.filter(|step| *step >= kept.step());
    let fits = |step: &Duration| count(from, to, *step) <= COMFORTABLE_POINTS;
    steps.find(fits).unwrap_or(LONGEST_STEP)
}

fn check(step: Duration, kept: Resolution) -> Result<(), SpanFault> {
    let unit = kept.step();
    if step < unit {
        Err(SpanFault::StepTooSmall {
            least: unit,
            kept: Resolution::Fine.span(),
        })
    } else if step > LONGEST_STEP {
        Err(SpanFault::StepTooLarge)
    } else if !step.as_micros().is_multiple_of(unit.as_micros()) {
        Err(SpanFault::StepUneven { unit })
    } else {
        Ok(())
    }
}

impl SpanFault {
    /// Returns the parameter that is to be changed.
    pub const fn field(&self) -> &'static str {
        match self {
            Self::FromAfterTo => "to",
            Self::StepTooSmall { .. }
            | Self::StepTooLarge
            | Self::StepUneven { .. }
            | Self::TooManyPoints { .. } => "step",
        }
    }
}

impl fmt::Display for SpanFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FromAfterTo => f.write_str("must not be earlier than `from`"),
            Self::StepTooSmall { least, .. } if *least == Resolution::Fine.step() => write!(
                f,
                "must be at least {} s: no shorter points are kept",
                least.as_secs()
            ),
            Self::StepTooSmall { least, kept } => write!(
                f,
                "must be at least {} s, because `from` is more than {} h ago; shorter points are not kept for so long",
                least.as_secs(),
                kept.as_secs() / 3_600
            ),
            Self::StepTooLarge => {
                write!(f, "must be at most {} s, a day", LONGEST_STEP.as_secs())
            }
            Self::StepUneven { unit } => {
                write!(f, "must be a multiple of {} s", unit.as_secs())
            }
            Self::TooManyPoints { points } => write!(
                f,
                "would make {points} points of this time, and {MAX_POINTS} is the most; ask for a longer step or a shorter time"
            ),
        }
    }
}

impl std::error::Error for SpanFault {}
