//! What is left to do.

use std::collections::VecDeque;

use super::super::stream::{Handoff, StopReason, StreamId};

/// Whether exclusive streams may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Leased,
    Lapsed,
}

/// What has to be done, as of the last change; made anew when something changes.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Under which standing it was made; `None` if something has changed since.
    pub(super) made: Option<Standing>,
    pub(super) bindings: VecDeque<(StreamId, Handoff)>,
    pub(super) stops: VecDeque<(StreamId, StopReason)>,
    pub(super) starts: VecDeque<StreamId>,
}

impl Plan {
    /// Something has changed.
    pub(super) fn discard(&mut self) {
        self.made = None;
    }

    /// Whether it does not consider the end of the lease yet.
    pub(super) fn expects_lease_end(&self) -> bool {
        self.made != Some(Standing::Lapsed)
    }
}
