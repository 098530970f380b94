//! Deliveries that an operator wants again.

use std::collections::BTreeSet;
use std::sync::Arc;

use actix::prelude::*;
use log::info;

use super::actor::WebhookActor;
use super::events::message;
use super::orders::WebhookRefusal;
use crate::actors::refusal::Refusal;
use crate::actors::store_calls::StoreOp;
use crate::domain::event_filter::EventFilter;
use crate::domain::time::WallTime;
use crate::domain::webhook::{Delivery, DeliveryFilter};
use crate::store::{Store, StoreError, StoredEvent};

/// How many deliveries are sent again at once at the most.
const MOST: u32 = 10_000;

/// Has messages delivered again: these, or all since a moment, delivered or not.
#[derive(Debug, Message)]
#[rtype(result = "Result<Redelivery, WebhookRefusal>")]
#[expect(missing_docs, reason = "the names say it")]
pub struct RedeliverWebhook {
    pub name: String,
    pub ids: Vec<String>,
    pub since: Option<WallTime>,
}

/// What is delivered again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redelivery {
    /// How many deliveries with a row wait again.
    pub deliveries: usize,
    /// The events after this number are read again.
    pub events_after: Option<i64>,
}

/// What was found in the store.
struct Found {
    deliveries: Vec<Delivery>,
    /// Events that have no row.
    events: Vec<StoredEvent>,
    /// The number before the first event since the moment.
    rewind_to: Option<i64>,
}

impl Handler<RedeliverWebhook> for WebhookActor {
    type Result = ResponseActFuture<Self, Result<Redelivery, WebhookRefusal>>;

    fn handle(&mut self, order: RedeliverWebhook, _: &mut Self::Context) -> Self::Result {
        let RedeliverWebhook { name, ids, since } = order;
        let Some(receiver) = self.receivers.get(&name) else {
            return Box::pin(fut::ready(Err(WebhookRefusal::Unknown(name))));
        };
        if !receiver.target.is_active() {
            return Box::pin(fut::ready(Err(WebhookRefusal::Inactive(name))));
        }
        let (uid, kinds) = (receiver.target.uid.clone(), receiver.kinds.clone());
        let filter = DeliveryFilter {
            since,
            ids,
            ..DeliveryFilter::of(&name)
        };
        let wanted = filter.clone();
        let read = move |store: Arc<dyn Store>| async move {
            find(store.as_ref(), &wanted, &uid, kinds).await
        };
        let Some(read) = self.access.read(StoreOp::ReadWebhooks, read) else {
            let refusal = Refusal::StoreUnavailable.into();
            return Box::pin(fut::ready(Err(refusal)));
        };
        Box::pin(read.into_actor(self).map(move |found, actor, ctx| {
            let found = found.map_err(|_| Refusal::StoreUnavailable)?;
            let begun = actor.begin_again(&name, &filter, found)?;
            actor.go_on(ctx);
            Ok(begun)
        }))
    }
}

async fn find(
    store: &dyn Store,
    filter: &DeliveryFilter,
    uid: &str,
    kinds: Vec<&'static str>,
) -> Result<Found, StoreError> {
    let mut found = Found {
        deliveries: store.deliveries(filter, MOST).await?,
        events: Vec::new(),
        rewind_to: None,
    };
    let has_row: BTreeSet<&str> = found
        .deliveries
        .iter()
        .map(|delivery| delivery.message.id.as_str())
        .collect();
    let prefix = crate::domain::webhook::Message::event_id(uid, 0);
    let prefix = prefix.trim_end_matches('0');
    let missing = filter
        .ids
        .iter()
        .filter(|id| !has_row.contains(id.as_str()));
    // An event that was accepted at once has no row.
    let sequences = missing.filter_map(|id| id.strip_prefix(prefix)?.parse::<i64>().ok());
    for sequence in sequences.filter(|sequence| *sequence > 0) {
        let next = store.events(sequence - 1, 1).await?;
        let this = next.into_iter().filter(|event| event.sequence == sequence);
        found.events.extend(this);
    }
    if let Some(since) = filter.since
        && !kinds.is_empty()
    {
        let first = EventFilter {
            kinds,
            from: Some(since),
            ..EventFilter::default()
        };
        let first = store.find_events(&first, 1).await?;
        found.rewind_to = first.first().map(|event| event.sequence - 1);
    }
    Ok(found)
}

impl WebhookActor {
    fn begin_again(
        &mut self,
        name: &str,
        filter: &DeliveryFilter,
        found: Found,
    ) -> Result<Redelivery, WebhookRefusal> {
        let wall = self.clock.wall();
        let mut deliveries = self.overlaid(filter, found.deliveries);
        for stored in found.events {
            let number = self.next_number();
            if let Some(receiver) = self.receivers.get(name) {
                let message = message(&receiver.target.uid, &stored);
                deliveries.push(Delivery::new(name, number, message, wall));
            }
        }
        let Some(receiver) = self.receivers.get_mut(name) else {
            return Err(WebhookRefusal::Unknown(name.to_owned()));
        };
        if let Some(first) = filter.ids.first()
            && deliveries.is_empty()
        {
            return Err(WebhookRefusal::NoSuchMessage(first.clone()));
        }
        deliveries.retain(|delivery| !receiver.lane.is_in_flight(&delivery.message.id));
        let rewind_to = found.rewind_to.filter(|to| *to < receiver.cursor);
        if let Some(to) = rewind_to {
            receiver.replay_to = receiver.replay_to.max(receiver.cursor);
            receiver.rewind(to);
            self.moved.insert(name.to_owned());
        }
        for delivery in &mut deliveries {
            delivery.begin_again(wall);
        }
        let count = deliveries.len();
        info!(webhook = name, deliveries = count;
            "webhook {name} gets {count} messages again, as an operator wants");
        for delivery in &deliveries {
            self.keep(delivery.clone());
        }
        self.take(deliveries);
        Ok(Redelivery {
            deliveries: count,
            events_after: rewind_to,
        })
    }
}
