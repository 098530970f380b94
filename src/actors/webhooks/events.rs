//! Reads the events that targets select.

use std::sync::Arc;

use actix::prelude::*;
use log::warn;

use super::actor::{WebhookActor, newest_event};
use crate::actors::event_fields::event_object;
use crate::actors::store_calls::StoreOp;
use crate::domain::event_filter::EventFilter;
use crate::domain::webhook::{Content, Delivery, EventNotice, GIVE_UP_AFTER, Message};
use crate::store::{Store, StoreError, StoredEvent};

/// How many events of a target are read at once.
const PAGE: u32 = 200;

/// Some events, and the newest one there was before they were read.
struct Page {
    newest: i64,
    events: Vec<StoredEvent>,
}

impl WebhookActor {
    /// Begins to read the next events of a target, if it is ready for them.
    pub(super) fn read_events(&mut self, name: &str, ctx: &mut Context<Self>) {
        if self.store_retry_at.is_some() {
            return;
        }
        let now = self.clock.awake();
        let Some(receiver) = self.receivers.get_mut(name).filter(|it| it.is_to_read(now)) else {
            return;
        };
        let filter = EventFilter {
            kinds: receiver.kinds.clone(),
            ..EventFilter::after(receiver.read_to)
        };
        let read = |store: Arc<dyn Store>| async move {
            // Before the events: an event that comes in between is in the page, or after the number.
            let newest = newest_event(store.as_ref()).await?;
            let events = store.find_events(&filter, PAGE).await?;
            Ok::<_, StoreError>(Page { newest, events })
        };
        let Some(read) = self.access.read(StoreOp::ReadEvents, read) else {
            return self.retry_store();
        };
        receiver.begin_read(now);
        let (name, edition) = (name.to_owned(), receiver.edition);
        ctx.spawn(read.into_actor(self).map(move |page, actor, ctx| {
            actor.take_events(&name, edition, page, ctx);
        }));
    }

    fn take_events(
        &mut self,
        name: &str,
        edition: u64,
        page: Result<Page, StoreError>,
        ctx: &mut Context<Self>,
    ) {
        let (wall, recent) = (self.clock.wall(), self.clock.recent(GIVE_UP_AFTER));
        let Some(receiver) = self.receivers.get_mut(name) else {
            return;
        };
        if receiver.edition != edition {
            return self.go_on(ctx);
        }
        receiver.is_reading = false;
        let Ok(Page { newest, events }) = page else {
            receiver.has_news = true;
            self.retry_store();
            return self.go_on(ctx);
        };
        let is_full = events.len() == PAGE as usize;
        if is_full {
            receiver.read_on();
        } else {
            receiver.horizon = Some(newest);
        }
        let mut too_old = 0;
        let mut wanted = Vec::new();
        for stored in events {
            receiver.read_to = receiver.read_to.max(stored.sequence);
            let message = message(&receiver.target.uid, &stored);
            if !receiver.target.wants(&message) {
                continue;
            }
            let is_replayed = stored.sequence <= receiver.replay_to;
            if !is_replayed && !recent.contains(stored.event.at) {
                too_old += 1;
                continue;
            }
            wanted.push(Delivery::new(name, 0, message, wall));
        }
        if wanted.is_empty() && is_full {
            receiver.cursor = receiver.read_to;
            self.moved.insert(name.to_owned());
        }
        receiver.lane.put_events(wanted);
        if receiver.reach_horizon() {
            self.moved.insert(name.to_owned());
        }
        receiver.given_up += too_old;
        if too_old > 0 {
            self.count(name, "failed", too_old);
            warn!(webhook = name, events = too_old;
                "webhook {name} gives up {too_old} events that waited for 24 h; POST \
                 /webhooks/{name}/redeliver with `since` sends them all the same");
        }
        self.go_on(ctx);
    }
}

/// Returns the message about an event.
pub(super) fn message(uid: &str, stored: &StoredEvent) -> Message {
    let event = &stored.event.event;
    let origin = stored.event.origin.as_ref();
    let traceparent = origin.and_then(|origin| origin.traceparent.as_ref());
    Message {
        id: Message::event_id(uid, stored.sequence),
        at: stored.event.at,
        content: Content::Event(EventNotice {
            sequence: stored.sequence,
            kind: event.kind().to_owned(),
            severity: event.severity(),
            detail: event.sentence(),
            object: serde_json::Value::Object(event_object(stored)).to_string(),
            traceparent: traceparent.map(|text| text.to_string()),
        }),
    }
}
