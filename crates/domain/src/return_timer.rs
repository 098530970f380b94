//! The timer after which streams that were given back are tried again: one for all of them.
//!
//! The end of a pause and the end of a trial are deadlines of the saved stream; the rules are in
//! `returns`.

use super::ids::Epoch;
use super::returns::{ReturnPolicy, whole_pause};
use super::stream::{Place, Stream};
use super::stream_timer::{self, StreamTimer};

pub use super::stream_timer::RETRY_INTERVAL;

/// The deadline that a stream has reached after it was given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Due {
    /// Its pause after so many returns is over.
    Retry { count: u32 },
    /// It has run steadily under this epoch.
    Steady { epoch: Epoch },
}

/// A deadline of a stream that was given back.
pub type Deadline = stream_timer::Deadline<Due>;

/// The deadlines of all streams that were given back.
pub type ReturnTimer = StreamTimer<Due>;

/// Returns the next deadline of a stream; `None` for most, because they were never given back.
pub fn deadline(stream: &Stream, place: &Place, policy: &ReturnPolicy) -> Option<Deadline> {
    let returns = stream.returns.as_deref()?;
    match place {
        Place::Assigned(assignment) => Some(Deadline {
            due: Due::Steady {
                epoch: assignment.epoch,
            },
            at: assignment.assigned_at + policy.steady,
            within: policy.steady,
        }),
        Place::Unclaimed { .. } | Place::Orphaned { .. } => Some(Deadline {
            due: Due::Retry {
                count: returns.count,
            },
            at: returns.retry_at?,
            within: whole_pause(returns.count),
        }),
        Place::Disabled => None,
    }
}
