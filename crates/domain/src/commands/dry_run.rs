//! A command that is tried and not carried out.

use std::time::Duration;

use super::command::{Command, Rejection};
use crate::fleet::Draft;

/// Decides a command and undoes it: the reply says what the command would do, and a rejection is the
/// one that the command would get. Nothing is saved and no event is recorded.
///
/// The reply is about the fleet with every command that was decided before. Placing the streams that wait
/// is left out, because no reply contains it. Ids and epochs in the reply are the next free ones; a
/// command that is carried out in between takes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DryRun<C>(pub C);

impl<C: Command> Command for DryRun<C> {
    type Reply = C::Reply;

    const IS_DRY_RUN: bool = true;

    fn decide(&self, draft: &mut Draft<'_>) -> Result<Self::Reply, Rejection> {
        self.0.decide(draft)
    }

    fn timed(reply: &mut Self::Reply, took: Duration) {
        C::timed(reply, took);
    }
}
