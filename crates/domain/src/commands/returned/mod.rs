//! Ends the pauses and trials of streams that were given back.

use super::command::{Command, Rejection};
use crate::fleet::Draft;
use crate::ids::StreamId;
use crate::return_timer::Due;
use crate::returns::ReturnsEnd;

/// Ends the pauses and trials that are over, and passes over entries that are out of date. Streams
/// whose pause has ended are placed in the same step. Repeating the command changes nothing more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContinueReturned {
    /// The streams, and what is due for each.
    pub due: Vec<(StreamId, Due)>,
}

impl Command for ContinueReturned {
    /// The number of entries that were not out of date.
    type Reply = usize;

    fn decide(&self, draft: &mut Draft<'_>) -> Result<usize, Rejection> {
        let mut continued = 0;
        for (stream, due) in &self.due {
            continued += usize::from(proceed(draft, *stream, *due));
        }
        Ok(continued)
    }
}

fn proceed(draft: &mut Draft<'_>, stream: StreamId, due: Due) -> bool {
    let Some(slot) = draft.fleet().stream(stream) else {
        return false;
    };
    let Some(returns) = &slot.stream().returns else {
        return false;
    };
    let is_true = match due {
        Due::Retry { count } => returns.count == count && returns.retry_at.is_some(),
        Due::Steady { epoch } => {
            let assignment = slot.place().assignment();
            assignment.is_some_and(|assignment| assignment.epoch == epoch)
        }
    };
    match due {
        Due::Retry { .. } if is_true => draft.ask_again(stream),
        Due::Steady { .. } if is_true => draft.forget_returns(stream, ReturnsEnd::RanSteadily),
        Due::Retry { .. } | Due::Steady { .. } => {}
    }
    is_true
}

#[cfg(test)]
mod tests;
