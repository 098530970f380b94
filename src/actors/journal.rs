//! Has written down what happened beside the fleet: what the brake did, and what operators told
//! it to do. For the audit trail, and for whoever listens to events.
//!
//! Whoever tells it goes on at once: an order takes effect whether or not the store is there.
//! What could not be written waits, in order, and is tried again until it is: each event once. Of a
//! save whose outcome is unknown the answer is waited for, however long that takes. What waits is
//! lost only if the process ends before the store is back. If the store refuses several for their
//! content, they are written one by one, so that only the culprit is lost.

use std::collections::VecDeque;
use std::time::Duration;

use actix::prelude::*;
use log::{debug, error};

use super::fatal::Vital;
use super::fleet::{Execute, FleetActor};
use super::refusal::Refusal;
use crate::domain::commands::RecordEvents;
use crate::domain::events::Event;

/// The wait between two tries.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);

/// How many events may wait. More than a few are there only if somebody gives orders all the
/// time while the store is out; those are in the log.
const MOST_WAITING: usize = 1_000;

/// Keeps what is not written yet.
#[derive(Debug)]
pub struct Journal {
    fleet: Addr<FleetActor>,
    waiting: VecDeque<Event>,
    /// How many of those that wait are to be written one by one.
    singly: usize,
    /// A save or the wait for the next one is under way.
    is_busy: bool,
    _vital: Vital,
}

impl Journal {
    /// An empty one.
    pub fn new(fleet: Addr<FleetActor>, vital: Vital) -> Self {
        Self {
            fleet,
            waiting: VecDeque::new(),
            singly: 0,
            is_busy: false,
            _vital: vital,
        }
    }

    fn write(&mut self, ctx: &mut Context<Self>) {
        if self.is_busy || self.waiting.is_empty() {
            return;
        }
        self.is_busy = true;
        let count = if self.singly > 0 {
            1
        } else {
            self.waiting.len()
        };
        let events: Vec<Event> = self.waiting.iter().take(count).cloned().collect();
        let saved = self.fleet.send(Execute(RecordEvents { events }));
        ctx.spawn(saved.into_actor(self).map(move |outcome, actor, ctx| {
            actor.written(count, outcome.unwrap_or(Err(Refusal::ShuttingDown)), ctx);
        }));
    }

    fn written(&mut self, count: usize, outcome: Result<(), Refusal>, ctx: &mut Context<Self>) {
        let wait = match outcome {
            Ok(()) => {
                self.drop_first(count);
                Duration::ZERO
            }
            Err(Refusal::RefusedByStore) if count > 1 => {
                self.singly = count;
                Duration::ZERO
            }
            Err(
                refusal @ (Refusal::Rejected(_) | Refusal::RefusedByStore | Refusal::ShuttingDown),
            ) => {
                error!(count; "{count} events will not be written down: {refusal}");
                self.drop_first(count);
                Duration::ZERO
            }
            Err(
                refusal @ (Refusal::StoreUnavailable
                | Refusal::DatabaseReplaced
                | Refusal::OutcomeUnknown
                | Refusal::Overloaded),
            ) => {
                debug!(count; "{count} events wait to be written down: {refusal}");
                RETRY_INTERVAL
            }
        };
        ctx.run_later(wait, |actor, ctx| {
            actor.is_busy = false;
            actor.write(ctx);
        });
    }

    fn drop_first(&mut self, count: usize) {
        self.waiting.drain(..count);
        self.singly = self.singly.saturating_sub(count);
    }
}

impl Actor for Journal {
    type Context = Context<Self>;
}

/// This happened.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct Note(pub Event);

impl Handler<Note> for Journal {
    type Result = ();

    fn handle(&mut self, Note(event): Note, ctx: &mut Self::Context) {
        if self.waiting.len() >= MOST_WAITING {
            error!("too much waits to be written down; left out: {event:?}");
            return;
        }
        self.waiting.push_back(event);
        self.write(ctx);
    }
}
