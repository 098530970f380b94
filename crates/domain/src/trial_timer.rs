//! The timer after which quarantined streams are retried, and suspicions are forgotten.
//!
//! Both are deadlines of the saved stream; the rules are in `quarantine`.

use super::ids::Epoch;
use super::quarantine::QuarantinePolicy;
use super::stream::{Place, Stream};
use super::stream_timer::{Deadline, StreamTimer};

/// The deadline that a stream has reached against which something speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum TrialDue {
    /// Its wait after so many failed retries is over.
    Retry { retries: u32 },
    /// One owner has kept it for the whole window under this epoch.
    Steady { epoch: Epoch },
}

/// The deadlines of all streams against which something speaks.
pub type TrialTimer = StreamTimer<TrialDue>;

/// Returns the next deadline of a stream; `None` for most, because nothing speaks against them.
pub fn trial_deadline(
    stream: &Stream,
    place: &Place,
    policy: &QuarantinePolicy,
) -> Option<Deadline<TrialDue>> {
    let suspicion = stream.suspicion.as_deref()?;
    match place {
        Place::Assigned(assignment) => Some(Deadline {
            due: TrialDue::Steady {
                epoch: assignment.epoch,
            },
            at: assignment.assigned_at + policy.window,
            within: policy.window,
        }),
        // The end of the pause changes the stream, and asks anew.
        Place::Unclaimed { .. } | Place::Orphaned { .. } if stream.is_paused() => None,
        Place::Unclaimed { .. } | Place::Orphaned { .. } => {
            let quarantine = suspicion.quarantine?;
            Some(Deadline {
                due: TrialDue::Retry {
                    retries: quarantine.retries,
                },
                // A trial that lost its owner without a fault goes on at once.
                at: quarantine.retry_at.unwrap_or(quarantine.since),
                within: policy.wait(quarantine.retries),
            })
        }
        Place::Disabled => None,
    }
}
