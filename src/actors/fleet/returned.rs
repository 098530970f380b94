//! When streams that were given back are due again.

use actix::prelude::*;

use crate::domain::return_timer::ReturnTimer;
use crate::domain::time::Timestamp;

/// The deadlines, and the timer that is armed for the first.
#[derive(Debug, Default)]
pub(super) struct Returned {
    pub(super) timer: ReturnTimer,
    pub(super) armed: Option<(Timestamp, SpawnHandle)>,
}
