//! Saves events that no transaction of the fleet carries: what the brake did, and what operators ordered
//! it to do. For the audit trail, and for subscribers of events.
//!
//! The sender of an event does not wait: an order takes effect whether or not the store responds.
//! Events that could not be saved wait in order (`domain/outbox`) and are tried again: each event once.
//! Of a save whose outcome is unknown the answer is waited for, however long that takes. Waiting events are
//! lost only if the process ends before the store is back. If the store refuses several for their
//! content, they are saved one by one, so that only the culprit is lost.

use std::time::Duration;

use actix::prelude::*;
use log::{debug, error, warn};

use super::alarm::Alarm;
use super::alerts::OrderGiven;
use super::fatal::Vital;
use super::fleet::{Execute, FleetActor};
use super::leadership::HandsOver;
use super::refusal::Refusal;
use crate::clock::Clock;
use crate::domain::commands::{RecordEvents, Recorded};
use crate::domain::events::Event;
use crate::domain::outbox::{Excess, Outbox, Queue};
use crate::logging;

/// The wait between two tries.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);

/// How many events may wait. More than a few are there only if operators give orders all the
/// time while the store is out; those are in the log.
const MAX_WAITING: usize = 1_000;

/// Keeps the events that are not saved yet.
#[derive(Debug)]
pub struct EventOutbox {
    fleet: Addr<FleetActor>,
    clock: Clock,
    outbox: Outbox<Queue<Recorded>>,
    retry: Alarm<Self>,
    _vital: Vital,
}

impl EventOutbox {
    /// An empty one.
    pub fn new(fleet: Addr<FleetActor>, clock: Clock, vital: Vital) -> Self {
        let queue = Queue::dropping(Excess::Newest);
        Self {
            fleet,
            clock,
            outbox: Outbox::new(queue, MAX_WAITING, RETRY_INTERVAL),
            retry: Alarm::of_waits(|actor| &mut actor.retry, Self::write),
            _vital: vital,
        }
    }

    fn write(&mut self, ctx: &mut Context<Self>) {
        let Some(events) = self.outbox.begin(self.clock.awake()) else {
            return self.retry.set(self.outbox.next_retry(), &self.clock, ctx);
        };
        let (events, count) = (events.to_vec(), events.len());
        let saved = self.fleet.send(Execute(RecordEvents { events }));
        ctx.spawn(saved.into_actor(self).map(move |outcome, actor, ctx| {
            actor.written(count, outcome.unwrap_or(Err(Refusal::ShuttingDown)));
            actor.write(ctx);
        }));
    }

    fn written(&mut self, count: usize, outcome: Result<(), Refusal>) {
        let left_out = match outcome {
            Ok(()) => self.outbox.settled(Vec::new()),
            // The next tries find the culprit.
            Err(Refusal::RefusedByStore) if count > 1 => self.outbox.refused(),
            Err(
                refusal @ (Refusal::Rejected(_) | Refusal::RefusedByStore | Refusal::ShuttingDown),
            ) => {
                error!(count; "{count} events will not be written down: {refusal}");
                self.outbox.settled(Vec::new())
            }
            Err(
                refusal @ (Refusal::StoreUnavailable
                | Refusal::DatabaseReplaced
                | Refusal::OutcomeUnknown
                | Refusal::Overloaded),
            ) => {
                debug!(count; "{count} events wait to be written down: {refusal}");
                self.outbox.postponed(self.clock.awake())
            }
        };
        log_left_out(&left_out);
    }
}

fn log_left_out(events: &[Recorded]) {
    for Recorded { event, .. } in events {
        error!("too much waits to be written down; left out: {event:?}");
    }
}

impl Actor for EventOutbox {
    type Context = Context<Self>;
}

/// This happened, and perhaps because of an order.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct Note(Recorded);

impl Note {
    /// An event because of the request that is being served, if one is.
    pub fn new(event: Event) -> Self {
        let origin = logging::current_origin();
        Self(Recorded { event, origin })
    }

    /// An event of an order that was given before.
    pub fn of(recorded: Recorded) -> Self {
        Self(recorded)
    }
}

impl Handler<OrderGiven> for EventOutbox {
    type Result = ();

    fn handle(&mut self, OrderGiven(recorded): OrderGiven, ctx: &mut Self::Context) {
        self.handle(Note(recorded), ctx);
    }
}

/// Saved at once, because the process ends right after it.
impl Handler<HandsOver> for EventOutbox {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, HandsOver(event): HandsOver, _: &mut Self::Context) -> Self::Result {
        let origin = None;
        let events = vec![Recorded { event, origin }];
        let saved = self.fleet.send(Execute(RecordEvents { events }));
        Box::pin(async move {
            let saved = saved.await.unwrap_or(Err(Refusal::ShuttingDown));
            if let Err(refusal) = saved {
                warn!("the hand-over will not be written down: {refusal}");
            }
        })
    }
}

impl Handler<Note> for EventOutbox {
    type Result = ();

    fn handle(&mut self, Note(event): Note, ctx: &mut Self::Context) {
        log_left_out(&self.outbox.put(event));
        self.write(ctx);
    }
}
