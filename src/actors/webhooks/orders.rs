//! What operators ask and order.

use std::sync::Arc;

use actix::prelude::*;
use log::info;
use tokio::sync::OwnedMutexGuard;

use super::actor::{WebhookActor, newest_event};
use super::body::body_of;
use super::receiver::Receiver;
use super::sending::request;
use super::view::WebhookView;
use crate::actors::refusal::Refusal;
use crate::actors::store_calls::StoreOp;
use crate::domain::alert::AlertKind;
use crate::domain::event_filter::EventFilter;
use crate::domain::time::WallTime;
use crate::domain::webhook::{
    Answer, Content, Delivery, DeliveryFilter, DeliveryState, Fault, Fresh, MAX_TARGETS, Message,
    Secret, Source, TargetDraft, Verdict, judge,
};
use crate::store::{Store, StoreError, StoredWebhook};

/// Why an order about a target was not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebhookRefusal {
    /// There is no target of that name.
    Unknown(String),
    /// The target is written in the file.
    FromFile(String),
    /// The target is off, or was stopped by 410.
    Inactive(String),
    /// There are as many targets as there may be.
    TooMany,
    /// A field has a bad value.
    Invalid(Fault),
    /// None of these messages is known.
    NoSuchMessage(String),
    /// As any other order.
    Other(Refusal),
}

impl From<Refusal> for WebhookRefusal {
    fn from(refusal: Refusal) -> Self {
        Self::Other(refusal)
    }
}

impl From<StoreError> for WebhookRefusal {
    fn from(error: StoreError) -> Self {
        Self::Other(error.into())
    }
}

/// Asks for all targets.
#[derive(Debug, Message)]
#[rtype(result = "Vec<WebhookView>")]
pub struct AskWebhooks;

impl Handler<AskWebhooks> for WebhookActor {
    type Result = Vec<WebhookView>;

    fn handle(&mut self, _: AskWebhooks, _: &mut Self::Context) -> Self::Result {
        let (now, wall) = (self.clock.awake(), self.clock.wall());
        let receivers = self.receivers.values();
        receivers.map(|receiver| receiver.view(now, wall)).collect()
    }
}

/// Creates or changes a target.
#[derive(Debug, Message)]
#[rtype(result = "Result<SavedWebhook, WebhookRefusal>")]
#[expect(missing_docs, reason = "the names say it")]
pub struct PutWebhook {
    pub name: String,
    pub draft: TargetDraft,
    pub fresh: Fresh,
}

/// A target that was saved.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct SavedWebhook {
    pub view: WebhookView,
    pub is_new: bool,
    /// The secret, if it was made just now: it is shown this once.
    pub secret: Option<Secret>,
}

impl Handler<PutWebhook> for WebhookActor {
    type Result = ResponseActFuture<Self, Result<SavedWebhook, WebhookRefusal>>;

    fn handle(&mut self, put: PutWebhook, _: &mut Self::Context) -> Self::Result {
        let turn = Arc::clone(&self.turns).lock_owned().into_actor(self);
        let put = turn.then(|turn, actor: &mut Self, _| actor.put(put, turn));
        Box::pin(put.map(Self::after_a_turn))
    }
}

impl WebhookActor {
    /// Goes on with what waited for the turn, whatever became of an order.
    fn after_a_turn<T>(done: T, actor: &mut Self, ctx: &mut Context<Self>) -> T {
        actor.go_on(ctx);
        done
    }

    /// Saves a target. No write about an earlier one of its name is under way.
    fn put(
        &mut self,
        PutWebhook { name, draft, fresh }: PutWebhook,
        turn: OwnedMutexGuard<()>,
    ) -> ResponseActFuture<Self, Result<SavedWebhook, WebhookRefusal>> {
        let prepared = self.prepare(&name, draft, fresh);
        let (webhook, secret, begin) = match prepared {
            Ok(prepared) => prepared,
            Err(refusal) => return refused(refusal),
        };
        // What happened while there was no target is no news to the first one.
        let skips_alerts = self.skips_alerts || self.receivers.is_empty();
        let is_removed = self.removed_targets.contains(&name);
        let removed = is_removed.then(|| name.clone());
        let save = move |store: Arc<dyn Store>| async move {
            let mut webhook = webhook;
            webhook.cursor = begin.find(store.as_ref()).await?;
            if let Some(name) = removed {
                store.delete_webhook(&name).await?;
            }
            store.save_webhook(&webhook, skips_alerts).await?;
            Ok::<_, StoreError>(webhook)
        };
        let Some(save) = self.access.write(StoreOp::SaveWebhooks, save) else {
            return refused(Refusal::StoreUnavailable.into());
        };
        Box::pin(save.into_actor(self).map(move |saved, actor, _| {
            drop(turn);
            let webhook = saved?;
            let (now, wall) = (actor.clock.awake(), actor.clock.wall());
            actor.skips_alerts = false;
            actor.removed_targets.remove(&name);
            actor.unsaved_targets.remove(&name);
            let is_new = !actor.receivers.contains_key(&name);
            if is_new {
                let receiver = Receiver::new(webhook, now);
                actor.receivers.insert(name.clone(), receiver);
            } else {
                actor.change(&name, webhook.target, webhook.cursor);
            }
            actor.count(&name, "delivered", 0);
            let Some(receiver) = actor.receivers.get(&name) else {
                return Err(Refusal::ShuttingDown.into());
            };
            let url = &receiver.target.url;
            info!(webhook = name.as_str(); "webhook {name} was saved; it leads to {url}");
            let view = receiver.view(now, wall);
            Ok(SavedWebhook {
                view,
                is_new,
                secret,
            })
        }))
    }
}

/// With which event a target begins.
enum Begin {
    /// With the first one to come: it waits for none yet.
    Now,
    /// With the first one that it selects and has not had.
    Next(EventFilter),
}

impl Begin {
    /// Returns the number of the event before it.
    async fn find(self, store: &dyn Store) -> Result<i64, StoreError> {
        // Before the next one: an event that comes in between is the next one, or after the number.
        let newest = newest_event(store).await?;
        let next = match self {
            Self::Now => Vec::new(),
            Self::Next(filter) => store.find_events(&filter, 1).await?,
        };
        Ok(next.first().map_or(newest, |event| event.sequence - 1))
    }
}

/// What a PUT saves: the target, the secret that was made, and with which event it begins.
type Prepared = (StoredWebhook, Option<Secret>, Begin);

fn refused<T: 'static>(
    refusal: WebhookRefusal,
) -> ResponseActFuture<WebhookActor, Result<T, WebhookRefusal>> {
    Box::pin(fut::ready(Err(refusal)))
}

impl WebhookActor {
    fn prepare(
        &self,
        name: &str,
        draft: TargetDraft,
        fresh: Fresh,
    ) -> Result<Prepared, WebhookRefusal> {
        let before = self.receivers.get(name);
        if before.is_some_and(|before| before.target.source == Source::File) {
            return Err(WebhookRefusal::FromFile(name.to_owned()));
        }
        if before.is_none() && self.receivers.len() >= MAX_TARGETS {
            return Err(WebhookRefusal::TooMany);
        }
        let (wall, known) = (self.clock.wall(), before.map(|before| &before.target));
        let (target, secret) = draft
            .apply(name, known, fresh, Source::Api, wall)
            .map_err(WebhookRefusal::Invalid)?;
        let begin = match before.filter(|before| !before.waits_for_no_event()) {
            None => Begin::Now,
            Some(before) => Begin::Next(EventFilter {
                kinds: before.kinds.clone(),
                ..EventFilter::after(before.cursor)
            }),
        };
        let webhook = StoredWebhook { target, cursor: 0 };
        Ok((webhook, secret, begin))
    }
}

impl WebhookActor {
    /// Ends everything that memory has of a target.
    pub(super) fn forget_target(&mut self, name: &str) {
        if let Some(receiver) = self.receivers.remove(name) {
            let subject = receiver.target.subject();
            self.alerts.clear(AlertKind::WebhookFailing, subject);
        }
        self.dirty.retain(|(target, _), _| target != name);
        self.unwritten.retain(|(target, _), _| target != name);
        self.moved.remove(name);
        self.unsaved_targets.remove(name);
        self.hide(name);
    }
}

/// Deletes a target with its deliveries.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), WebhookRefusal>")]
pub struct DeleteWebhook(pub String);

impl Handler<DeleteWebhook> for WebhookActor {
    type Result = ResponseActFuture<Self, Result<(), WebhookRefusal>>;

    fn handle(
        &mut self,
        DeleteWebhook(name): DeleteWebhook,
        _: &mut Self::Context,
    ) -> Self::Result {
        let turn = Arc::clone(&self.turns).lock_owned().into_actor(self);
        let delete = turn.then(|turn, actor: &mut Self, _| actor.delete(name, turn));
        Box::pin(delete.map(Self::after_a_turn))
    }
}

impl WebhookActor {
    /// Deletes a target. No write about it is under way, which would bring back a row.
    fn delete(
        &mut self,
        name: String,
        turn: OwnedMutexGuard<()>,
    ) -> ResponseActFuture<Self, Result<(), WebhookRefusal>> {
        match self.receivers.get(&name) {
            None => return refused(WebhookRefusal::Unknown(name)),
            Some(receiver) if receiver.target.source == Source::File => {
                return refused(WebhookRefusal::FromFile(name));
            }
            Some(_) => {}
        }
        let deleted = name.clone();
        let delete =
            move |store: Arc<dyn Store>| async move { store.delete_webhook(&deleted).await };
        let Some(delete) = self.access.write(StoreOp::SaveWebhooks, delete) else {
            return refused(Refusal::StoreUnavailable.into());
        };
        Box::pin(delete.into_actor(self).map(move |deleted, actor, _| {
            drop(turn);
            deleted?;
            actor.forget_target(&name);
            info!(webhook = name.as_str(); "webhook {name} was deleted with its deliveries");
            Ok(())
        }))
    }
}

/// Sends a test now, once.
#[derive(Debug, Message)]
#[rtype(result = "Result<Delivery, WebhookRefusal>")]
pub struct TestWebhook(pub String);

impl Handler<TestWebhook> for WebhookActor {
    type Result = ResponseActFuture<Self, Result<Delivery, WebhookRefusal>>;

    fn handle(&mut self, TestWebhook(name): TestWebhook, _: &mut Self::Context) -> Self::Result {
        let (number, wall) = (self.next_number(), self.clock.wall());
        let Some(receiver) = self.receivers.get(&name) else {
            return refused(WebhookRefusal::Unknown(name));
        };
        let target = &receiver.target;
        let message = Message {
            id: format!("msg_{}_test_{number}", target.uid),
            at: wall,
            content: Content::Test,
        };
        let body = body_of(&message, target.format, &self.generator);
        let sent = self.sender.send(request(target, &message.id, body, wall));
        Box::pin(sent.into_actor(self).map(move |answer, actor, ctx| {
            let delivery =
                actor.tested(&name, Delivery::new(&name, number, message, wall), &answer);
            actor.go_on(ctx);
            Ok(delivery)
        }))
    }
}

impl WebhookActor {
    fn tested(&mut self, name: &str, mut delivery: Delivery, answer: &Answer) -> Delivery {
        let (now, wall) = (self.clock.awake(), self.clock.wall());
        delivery.attempts = 1;
        delivery.last_status = answer.status();
        if judge(answer) == Verdict::Delivered {
            delivery.state = DeliveryState::Delivered;
            delivery.next_try_at = None;
            delivery.ended_at = Some(wall);
            delivery.last_answer = Some(answer.to_string());
            if let Some(receiver) = self.receivers.get_mut(name) {
                let before = receiver.lane.state(now).breaker;
                receiver.lane.recovered(now);
                self.note(name, answer, before, wall);
            }
        } else {
            delivery.give_up(answer.to_string(), wall);
        }
        // A target that was deleted meanwhile keeps nothing.
        if self.receivers.contains_key(name) {
            let outcome = match delivery.state {
                DeliveryState::Delivered => "delivered",
                DeliveryState::Pending | DeliveryState::Failed => "failed",
            };
            self.count(name, outcome, 1);
            self.keep(delivery.clone());
        }
        delivery
    }
}

/// Asks for deliveries of a target, newest first.
#[derive(Debug, Message)]
#[rtype(result = "Result<DeliveryPage, WebhookRefusal>")]
#[expect(missing_docs, reason = "the names say it")]
pub struct AskDeliveries {
    pub filter: DeliveryFilter,
    pub limit: u32,
}

/// Deliveries, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct DeliveryPage {
    pub deliveries: Vec<Delivery>,
    /// Since when the store does not answer, if it does not: then only what it does not know yet is shown.
    pub stale_since: Option<WallTime>,
}

impl Handler<AskDeliveries> for WebhookActor {
    type Result = ResponseActFuture<Self, Result<DeliveryPage, WebhookRefusal>>;

    fn handle(&mut self, ask: AskDeliveries, _: &mut Self::Context) -> Self::Result {
        let AskDeliveries { filter, limit } = ask;
        if !self.receivers.contains_key(&filter.target) {
            return refused(WebhookRefusal::Unknown(filter.target));
        }
        let most = limit.saturating_add(u32::try_from(self.dirty.len()).unwrap_or(u32::MAX));
        let wanted = filter.clone();
        let read = self
            .access
            .read(StoreOp::ReadWebhooks, move |store| async move {
                store.deliveries(&wanted, most).await
            });
        let read = async move { read?.await.ok() };
        Box::pin(read.into_actor(self).map(move |stored, actor, _| {
            let gate = actor.access.gate();
            let stale_since = match stored {
                Some(_) => None,
                None => Some(gate.stale_since().unwrap_or_else(|| actor.clock.wall())),
            };
            let mut deliveries = actor.overlaid(&filter, stored.unwrap_or_default());
            deliveries.truncate(limit as usize);
            Ok(DeliveryPage {
                deliveries,
                stale_since,
            })
        }))
    }
}

impl WebhookActor {
    /// Returns the deliveries of the store as memory knows them, newest first.
    pub(super) fn overlaid(&self, filter: &DeliveryFilter, stored: Vec<Delivery>) -> Vec<Delivery> {
        let newer = self.unwritten.values().chain(self.dirty.values());
        let newer: Vec<&Delivery> = newer.filter(|it| it.target == filter.target).collect();
        let is_older = |delivery: &Delivery| {
            let id = &delivery.message.id;
            newer.iter().all(|newer| newer.message.id != *id)
        };
        let older = stored.into_iter().filter(is_older);
        let mut all: Vec<Delivery> = newer
            .iter()
            .filter(|delivery| filter.wants(delivery))
            .map(|delivery| Delivery::clone(delivery))
            .chain(older)
            .collect();
        all.sort_by_key(|delivery| std::cmp::Reverse(delivery.number));
        all
    }
}
