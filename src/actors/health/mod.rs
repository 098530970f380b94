//! How the whole system is, and whether the process itself is what is slow.
//!
//! *The system.* The HealthActor looks at the fleet, the brake, the breakers and the alerts, has
//! `domain/health/machine.rs` judge them, and says what it sees: history on every change and at
//! least every [`HISTORY_INTERVAL`] (`history.rs`), alerts for orphaned streams, for moves that were
//! given up and for a system that is critical or worse for a reason that has no alert of its own. It looks within a second of whatever may have changed the verdict,
//! at least once a [`HealthSettings::check_interval`], and with each question.
//!
//! A hint that is lost is made up for by the next look; a look that is not answered leaves the
//! last verdict standing. It never needs the store.
//!
//! *The process.* It reads the clocks often enough for gaps and jumps to mean something
//! (`domain/running_time.rs`, `domain/timeline.rs`), and reports when the process stood still or the
//! wall clock jumped (`process.rs`).

mod actor;
mod failures;
mod history;
mod process;
mod recording;
mod report;

pub use actor::{AskHealth, ChangeLimits, HealthActor, HealthLinks, HealthSettings};
pub use failures::{AskFailures, FailedDetail, Failures};
pub use history::HISTORY_INTERVAL;
pub use recording::{AskHealthHistory, HealthPage};
pub use report::HealthReport;
