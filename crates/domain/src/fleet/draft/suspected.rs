//! Streams whose owners fail.

use std::sync::Arc;

use super::Draft;
use crate::events::Event;
use crate::ids::{InstanceId, StreamId};
use crate::quarantine::{OwnerFailure, QuarantineEnd, Suspicion};
use crate::returns::ReturnsEnd;
use crate::stream::{AssignReason, Stream};

impl Draft<'_> {
    /// The owner of a stream failed, or gave the stream back, and that is evidence. Returns whether
    /// the stream is quarantined for it: the caller takes it from its owner.
    pub fn blame(&mut self, stream: StreamId, failure: OwnerFailure) -> bool {
        let policy = self.policies.quarantine;
        let Some(before) = self.fleet.stream(stream).map(|slot| slot.stream().clone()) else {
            return false;
        };
        if policy.after == 0 {
            return false;
        }
        let known = before.suspicion.as_deref();
        let fleet = &self.fleet;
        let suspicion = Suspicion::after(known, failure, &policy, self.now, |owners| {
            fleet.could_go_elsewhere(stream, owners)
        });
        let is_quarantined = suspicion.quarantine.is_some();
        self.put_suspicion(&before, Some(suspicion));
        if is_quarantined {
            // One wait at a time: that of the quarantine replaces the pause.
            self.forget_returns(stream, ReturnsEnd::Quarantined);
        }
        is_quarantined
    }

    /// Records that a stream is quarantined, one of so many that share their failures.
    pub fn tell_quarantined(&mut self, stream: StreamId, suspects: u32) {
        let Some(slot) = self.fleet.stream(stream) else {
            return;
        };
        let Some(suspicion) = &slot.stream().suspicion else {
            return;
        };
        let (name, failures) = (slot.stream().name.clone(), suspicion.failures.clone());
        let (retries, retry_at) = match suspicion.quarantine {
            Some(quarantine) => (quarantine.retries, quarantine.retry_at),
            None => return,
        };
        self.tell(Event::StreamQuarantined {
            stream,
            name,
            failures,
            suspects,
            retries,
            retry_at,
        });
    }

    /// Gives a quarantined stream to an instance, to find out whether that one fails too.
    pub fn begin_trial(&mut self, stream: StreamId, to: &InstanceId) {
        let Some(before) = self.fleet.stream(stream).map(|slot| slot.stream().clone()) else {
            return;
        };
        let Some(suspicion) = before.suspicion.as_deref() else {
            return;
        };
        self.put_suspicion(&before, Some(suspicion.on_trial()));
        self.assign(stream, to, AssignReason::RoomAppeared);
        self.tell(Event::QuarantineRetried {
            stream,
            instance: to.clone(),
        });
    }

    /// Forgets what speaks against a stream. A quarantined one may be placed again.
    pub fn forget_suspicion(
        &mut self,
        stream: StreamId,
        because: QuarantineEnd,
        reason: Option<Arc<str>>,
    ) {
        let Some(before) = self.fleet.stream(stream).map(|slot| slot.stream().clone()) else {
            return;
        };
        if before.suspicion.is_some() {
            self.tell_quarantine_over(&before, because, reason);
            self.put_suspicion(&before, None);
        }
    }

    /// Lets a stream leave its quarantine because a fellow suspect failed again.
    pub fn clear_fellow(&mut self, stream: StreamId) {
        let Some(before) = self.fleet.stream(stream).map(|slot| slot.stream().clone()) else {
            return;
        };
        let cleared = before.suspicion.as_deref().and_then(Suspicion::cleared);
        self.tell_quarantine_over(&before, QuarantineEnd::AnotherFailed, None);
        self.put_suspicion(&before, cleared);
    }

    /// Records that a stream leaves its quarantine, if it is in one.
    pub fn tell_quarantine_over(
        &mut self,
        stream: &Stream,
        because: QuarantineEnd,
        reason: Option<Arc<str>>,
    ) {
        if stream.is_quarantined() {
            self.tell(Event::QuarantineOver {
                stream: stream.id,
                because,
                by: Some(because.by()),
                reason,
            });
        }
    }

    fn put_suspicion(&mut self, before: &Stream, suspicion: Option<Suspicion>) {
        self.put_stream(Stream {
            suspicion: suspicion.map(Box::new),
            ..Stream::clone(before)
        });
    }
}
