//! How a parent hears of the end of a child, however it ended.

use std::sync::Arc;

use actix::prelude::*;

use crate::domain::ids::InstanceId;

/// Which of all the actors ever created; never given out twice, so that the end of an actor of an
/// instance that was removed and came back is not taken for its successor's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Generation(u64);

impl Generation {
    /// The one after this one.
    pub(super) fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Sent when an actor is dropped, for whatever reason.
#[derive(Debug, Message)]
#[rtype(result = "()")]
#[expect(missing_docs, reason = "the names say it")]
pub struct ChildExited {
    /// Whose actor it was.
    pub id: InstanceId,
    pub generation: Generation,
    /// Whether it panicked.
    pub panicked: bool,
}

/// A field of every child; notifies the parent when the child is gone.
///
/// Its `Drop` runs during unwinding, where a second panic would end the process: it only puts a
/// message into a mailbox.
#[derive(Debug)]
pub struct DeathNotice {
    id: InstanceId,
    generation: Generation,
    parent: Arc<Recipient<ChildExited>>,
}

impl DeathNotice {
    /// A notice to `parent`.
    pub(super) fn new(
        id: InstanceId,
        generation: Generation,
        parent: Arc<Recipient<ChildExited>>,
    ) -> Self {
        Self {
            id,
            generation,
            parent,
        }
    }
}

impl Drop for DeathNotice {
    fn drop(&mut self) {
        self.parent.do_send(ChildExited {
            id: self.id.clone(),
            generation: self.generation,
            panicked: std::thread::panicking(),
        });
    }
}
