//! The recent past in numbers: a few series, each a point for each step of the wall clock.
//!
//! Two rings hold the same samples at two *resolutions*: one point for each 10 seconds of the last 6 hours,
//! and one for each 5 minutes of the last 7 days. Both have a fixed number of places, so their memory and
//! their table never grow. A sample comes every 10 seconds and is added to the newest point of both rings.
//!
//! ```text
//!   sample ──▶ fine ring    |·|·|·|·|·|·| … 2,160 points of 10 s
//!          └─▶ coarse ring  |·····|·····| … 2,016 points of 5 min
//! ```
//!
//! | what happens | consequence |
//! | --- | --- |
//! | no sample comes: the process is down or stands still | the points of that time are absent; no point is a guess |
//! | the process starts again | it goes on with the saved points; its counters start at 0, and so do its differences |
//! | the wall clock goes back | points dated after it are dropped: their moments were wrong |
//! | the wall clock goes ahead | the points between are absent |
//! | a point is saved, and grows afterwards | it is saved again |
//!
//! A series is a *count* (how often something happened: a longer step has the sum) or a *level* (how much there
//! is: a longer step has the mean of its samples).

mod history;
mod name;
mod point;
mod span;
#[cfg(test)]
mod tests;

pub use history::{Counters, Levels, SeriesHistory, SeriesSample};
pub use name::{SeriesKind, SeriesName};
pub use point::{Resolution, SeriesPoint};
pub use span::{DEFAULT_SPAN, LONGEST_STEP, MAX_POINTS, SeriesSpan, SpanFault};

/// How often a sample is taken.
pub const SAMPLE_INTERVAL: std::time::Duration = std::time::Duration::from_secs(10);
