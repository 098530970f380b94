//! Streams that workers give back.

use std::sync::Arc;

use super::Draft;
use crate::events::Event;
use crate::ids::{InstanceId, StreamId};
use crate::returns::{Returns, ReturnsEnd};
use crate::stream::{Place, Stream};

impl Draft<'_> {
    /// A worker gave a stream back, and that counts: it may be paused from here on.
    pub fn count_return(&mut self, stream: StreamId, by: &InstanceId, reason: Option<Arc<str>>) {
        let Some(before) = self.fleet.stream(stream).map(|slot| slot.stream().clone()) else {
            return;
        };
        let known = before.returns.as_deref();
        let returns = Returns::after(known, stream, by, reason, self.now);
        if returns.is_reported() {
            self.tell(Event::StreamReturned {
                stream,
                name: before.name.clone(),
                instance: by.clone(),
                returns: returns.count,
                workers: returns.workers.clone(),
                reason: returns.reason.clone(),
                retry_at: returns.retry_at,
            });
        }
        self.put_stream(Stream {
            returns: Some(Box::new(returns)),
            ..Stream::clone(&before)
        });
    }

    /// A stream that was given back may be given out again: its pause is over.
    pub fn end_pause(&mut self, stream: StreamId) {
        let Some(slot) = self.fleet.stream(stream) else {
            return;
        };
        let before = slot.stream();
        let Some(returns) = before.returns.as_ref().filter(|r| r.retry_at.is_some()) else {
            return;
        };
        let returns = Returns {
            retry_at: None,
            ..Returns::clone(returns)
        };
        let after = Stream {
            returns: Some(Box::new(returns)),
            ..Stream::clone(before)
        };
        self.put_stream(after);
    }

    /// A stream that was given back is tried again, also by the one that gave it back.
    pub fn ask_again(&mut self, stream: StreamId) {
        self.end_pause(stream);
        let place = self.fleet.stream(stream).map(|slot| slot.place().clone());
        if let Some(Place::Unclaimed {
            released_by: Some(_),
            since,
        }) = place
        {
            let released_by = None;
            self.place(stream, Place::Unclaimed { released_by, since });
        }
    }

    /// That a stream was given back is forgotten.
    pub fn forget_returns(&mut self, stream: StreamId, because: ReturnsEnd) {
        let Some(slot) = self.fleet.stream(stream) else {
            return;
        };
        let before = slot.stream().clone();
        self.tell_returns_over(&before, because);
        if before.returns.is_some() {
            self.ask_again(stream);
            self.put_stream(Stream {
                returns: None,
                ..Stream::clone(&before)
            });
        }
    }

    /// A worker that has left for good had given a stream back, as leaving workers do: its return
    /// counts no more, if it was the last one and none came with a reason.
    pub fn take_back_return(&mut self, stream: StreamId, by: &InstanceId) {
        let Some(before) = self.fleet.stream(stream).map(|slot| slot.stream().clone()) else {
            return;
        };
        let Some(returns) = before.returns.as_ref() else {
            return;
        };
        if returns.reason.is_some() || returns.workers.last() != Some(by) {
            return;
        }
        let fewer = returns.without_last();
        if !fewer.as_ref().is_some_and(Returns::is_reported) {
            self.tell_returns_over(&before, ReturnsEnd::WorkerLeft);
        }
        self.put_stream(Stream {
            returns: fewer.map(Box::new),
            ..Stream::clone(&before)
        });
    }

    /// The same, if the stream itself is about to be replaced.
    pub fn tell_returns_over(&mut self, stream: &Stream, because: ReturnsEnd) {
        let returns = stream.returns.as_ref();
        if let Some(returns) = returns.filter(|returns| returns.is_reported()) {
            let returns = returns.count;
            self.tell(Event::ReturnsOver {
                stream: stream.id,
                returns,
                because,
            });
        }
    }
}
