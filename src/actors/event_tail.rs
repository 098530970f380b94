//! Announces new events with their numbers to the readers that follow them.
//!
//! `domain/event_tail.rs` has the states. A commit does not know the numbers that the store gave to its
//! events, so they are read back from the store: once for all readers, and only while there is one.
//!
//! | message | from | effect |
//! | --- | --- | --- |
//! | [`Committed`] | the FleetActor | the new events are read soon |
//! | [`FollowEvents`] | a reader | the answer has the newest number and the announcements after it |
//!
//! Failures: if the store does not answer, a new reader is refused, and the events are read again after a
//! while for the others, who miss none. A reader that takes the announcements too slowly loses the oldest of
//! [`BACKLOG`], and learns of it with its next one. An actor that ends is a fatal error of the process.

use std::sync::{Arc, OnceLock};

use actix::prelude::*;
use tokio::sync::{broadcast, oneshot};

use super::alarm::Alarm;
use super::archive::{StoreReader, StoredEvent};
use super::fatal::Vital;
use super::fleet::Committed;
use super::refusal::Refusal;
use crate::clock::Clock;
use crate::domain::event_filter::{EventFilter, EventOrder};
use crate::domain::event_tail::{TailMachine, TailRead};

/// How many events a reader may lag behind. A failure that moves ten thousand streams fits.
pub const BACKLOG: usize = 16_384;

/// How many events are read at once.
const PAGE: u32 = 1_000;

/// An event that was announced. All readers share it, and the text of it that the first one writes.
#[derive(Debug)]
pub struct AnnouncedEvent {
    stored: StoredEvent,
    text: OnceLock<Box<str>>,
}

impl AnnouncedEvent {
    /// Returns the event with its number.
    pub fn stored(&self) -> &StoredEvent {
        &self.stored
    }

    /// Returns the text of the event as `write` writes it, which is the same for each reader.
    pub fn text(&self, write: impl FnOnce(&StoredEvent) -> String) -> &str {
        let text = || write(&self.stored).into_boxed_str();
        self.text.get_or_init(text)
    }
}

/// The announcements, and where they begin.
#[derive(Debug)]
pub struct Announcements {
    /// Every event with a greater number is announced.
    pub newest: i64,
    /// The events, in the order of their numbers.
    pub events: broadcast::Receiver<Arc<AnnouncedEvent>>,
}

/// Asks for the announcements from now on.
#[derive(Debug, Message)]
#[rtype(result = "Result<Announcements, Refusal>")]
pub struct FollowEvents;

/// Announces new events with their numbers.
#[derive(Debug)]
pub struct EventTail {
    machine: TailMachine,
    store: StoreReader,
    clock: Clock,
    readers: broadcast::Sender<Arc<AnnouncedEvent>>,
    /// Readers that wait for the newest number.
    waiting: Vec<oneshot::Sender<Result<Announcements, Refusal>>>,
    alarm: Alarm<Self>,
    _vital: Vital,
}

impl EventTail {
    /// Creates the actor; it reads nothing until a reader follows.
    pub fn new(store: StoreReader, clock: Clock, vital: Vital) -> Self {
        Self {
            machine: TailMachine::default(),
            store,
            clock,
            readers: broadcast::Sender::new(BACKLOG),
            waiting: Vec::new(),
            alarm: Alarm::of_waits(|actor| &mut actor.alarm, Self::go_on),
            _vital: vital,
        }
    }

    /// Begins the read that is due, if one is.
    fn go_on(&mut self, ctx: &mut Context<Self>) {
        if self.readers.receiver_count() == 0 && self.waiting.is_empty() {
            self.machine.rest();
        }
        match self.machine.begin(self.clock.awake()) {
            Some(TailRead::Newest) => self.find_newest(ctx),
            Some(TailRead::After(position)) => self.read(position, ctx),
            None => {
                let next = self.machine.next_deadline();
                self.alarm.set(next, &self.clock, ctx);
            }
        }
    }

    fn find_newest(&mut self, ctx: &mut Context<Self>) {
        let store = self.store.clone();
        let newest = EventFilter {
            order: EventOrder::Descending,
            ..EventFilter::default()
        };
        let read = async move { store.find_events(newest, 1).await };
        ctx.spawn(read.into_actor(self).map(|found, actor, ctx| {
            let now = actor.clock.awake();
            match found {
                Ok(events) => {
                    let newest = events.first().map_or(0, |event| event.sequence);
                    actor.machine.found(newest, now);
                    for reader in std::mem::take(&mut actor.waiting) {
                        // A reader that is gone needs none.
                        let _ = reader.send(Ok(actor.announcements(newest)));
                    }
                }
                Err(refusal) => {
                    actor.machine.failed(now);
                    for reader in std::mem::take(&mut actor.waiting) {
                        let _ = reader.send(Err(refusal.clone()));
                    }
                }
            }
            actor.go_on(ctx);
        }));
    }

    fn read(&mut self, position: i64, ctx: &mut Context<Self>) {
        let store = self.store.clone();
        let read = async move { store.events(position, PAGE).await };
        ctx.spawn(read.into_actor(self).map(|page, actor, ctx| {
            let now = actor.clock.awake();
            match page {
                Ok(events) => {
                    let is_full = events.len() == PAGE as usize;
                    let last = events.last().map(|event| event.sequence);
                    for stored in events {
                        let text = OnceLock::new();
                        // Without a reader it fails, which is no error.
                        let _ = actor
                            .readers
                            .send(Arc::new(AnnouncedEvent { stored, text }));
                    }
                    actor.machine.read(last, is_full, now);
                }
                Err(_) => actor.machine.failed(now),
            }
            actor.go_on(ctx);
        }));
    }

    fn announcements(&self, newest: i64) -> Announcements {
        Announcements {
            newest,
            events: self.readers.subscribe(),
        }
    }
}

impl Actor for EventTail {
    type Context = Context<Self>;
}

impl Handler<Committed> for EventTail {
    type Result = ();

    fn handle(&mut self, committed: Committed, ctx: &mut Self::Context) {
        if !committed.events.is_empty() {
            self.machine.committed();
            self.go_on(ctx);
        }
    }
}

impl Handler<FollowEvents> for EventTail {
    type Result = ResponseFuture<Result<Announcements, Refusal>>;

    fn handle(&mut self, _: FollowEvents, ctx: &mut Self::Context) -> Self::Result {
        if let Some(position) = self.machine.position() {
            let answer = Ok(self.announcements(position));
            return Box::pin(async { answer });
        }
        let (sender, answer) = oneshot::channel();
        self.waiting.push(sender);
        self.machine.follow();
        self.go_on(ctx);
        Box::pin(async move { answer.await.unwrap_or(Err(Refusal::ShuttingDown)) })
    }
}
