//! Sends what is due, and takes the answers.

use actix::prelude::*;
use log::{debug, info, warn};

use super::actor::WebhookActor;
use super::body::{body_of, body_of_all};
use super::receiver::{REPEAT_INTERVAL, Sent};
use super::sender::OutgoingRequest;
use crate::actors::alerts::AskAlerts;
use crate::domain::alert::{AlertFilter, AlertKind};
use crate::domain::breaker::BreakerState;
use crate::domain::time::WallTime;
use crate::domain::webhook::{
    Answer, Delivery, DeliveryState, GIVE_UP_AFTER, LaneState, Message, Settled, Source, Target,
    Verdict, judge, repeated,
};

/// How many open alerts are repeated at once at the most.
const MAX_REPEATED: u32 = 10_000;

impl WebhookActor {
    /// Begins the next request to a target, if one is due.
    pub(super) fn send_next(&mut self, name: &str, ctx: &mut Context<Self>) {
        let now = self.clock.awake();
        let Some(receiver) = self.receivers.get_mut(name) else {
            return;
        };
        if !receiver.target.is_active() || receiver.is_repeating {
            return;
        }
        // Before what waits: on a busy lane it would never have its turn.
        let is_due = receiver.repeat_at.is_some_and(|at| at <= now);
        if is_due && receiver.lane.is_free(now) {
            receiver.is_repeating = true;
            return self.repeat(name.to_owned(), ctx);
        }
        if let Some(delivery) = receiver.lane.begin(now) {
            let body = body_of(&delivery.message, receiver.target.format, &self.generator);
            let request = request(
                &receiver.target,
                &delivery.message.id,
                body,
                self.clock.wall(),
            );
            let receipt = receiver.sent();
            let request = OutgoingRequest {
                traceparent: delivery.message.traceparent().map(str::to_owned),
                ..request
            };
            let sent = self.sender.send(request);
            ctx.spawn(sent.into_actor(self).map(move |answer, actor, ctx| {
                actor.answered(&receipt, &answer);
                actor.go_on(ctx);
            }));
        }
    }

    /// Sends all open alerts to a target that forgets them otherwise.
    fn repeat(&mut self, name: String, ctx: &mut Context<Self>) {
        let ask = AskAlerts {
            filter: AlertFilter {
                open: Some(true),
                ..AlertFilter::default()
            },
            limit: MAX_REPEATED,
        };
        let asked = self.alerts.book().send(ask);
        ctx.spawn(asked.into_actor(self).map(move |page, actor, ctx| {
            let mut alerts = Vec::new();
            if let Ok(page) = page {
                alerts = page.alerts;
                alerts.retain(|alert| !page.silenced_by.contains_key(&alert.id));
            }
            let (now, wall) = (actor.clock.awake(), actor.clock.wall());
            let Some(receiver) = actor.receivers.get_mut(&name) else {
                return;
            };
            receiver.is_repeating = false;
            receiver.repeat_at = receiver.repeat_at.map(|_| now + REPEAT_INTERVAL);
            let open = alerts.iter();
            let messages: Vec<Message> = open
                .filter_map(|alert| repeated(alert, &receiver.target, wall))
                .collect();
            if messages.is_empty() || !receiver.lane.begin_repeat(now) {
                return actor.go_on(ctx);
            }
            let body = body_of_all(&messages, &actor.generator);
            let id = format!("msg_{}_repeat_{}", receiver.target.uid, wall.as_micros());
            let receipt = receiver.sent();
            let sent = actor
                .sender
                .send(request(&receiver.target, &id, body, wall));
            ctx.spawn(sent.into_actor(actor).map(move |answer, actor, ctx| {
                actor.answered(&receipt, &answer);
                actor.go_on(ctx);
            }));
        }));
    }

    /// Takes the answer to the request under way. One of a target that was deleted meanwhile says nothing, also if
    /// there is another one of its name; one of a target that was changed counts only if it took the message.
    fn answered(&mut self, sent: &Sent, answer: &Answer) {
        let name = &*sent.name;
        let (now, wall) = (self.clock.awake(), self.clock.wall());
        let (jitter, number) = (self.chance.f64(), self.next_number());
        let receiver = self.receivers.get_mut(name);
        let Some(receiver) = receiver.filter(|receiver| receiver.target.uid == sent.uid) else {
            return;
        };
        let is_current = receiver.edition == sent.edition;
        let before = receiver.lane.state(now).breaker;
        let settled = receiver.lane.answered(answer, now, wall, jitter, number);
        if is_current || judge(answer) == Verdict::Delivered {
            self.note(name, answer, before, wall);
        }
        if let Some(Settled {
            delivery,
            has_row,
            cursor,
            ..
        }) = settled
        {
            let (id, kind) = (&*delivery.message.id, delivery.message.kind());
            debug!(webhook = name, message = id, kind = kind.as_str();
                "webhook {name}: {kind} ended with: {answer}");
            let outcome = match delivery.state {
                DeliveryState::Delivered => "delivered",
                DeliveryState::Pending => "retried",
                DeliveryState::Failed => "failed",
            };
            self.count(name, outcome, 1);
            if let Some(receiver) = self.receivers.get_mut(name)
                && let Some(cursor) = cursor
            {
                receiver.cursor = receiver.cursor.max(cursor);
                receiver.reach_horizon();
                self.moved.insert(name.to_owned());
            }
            if has_row {
                self.keep(delivery);
            }
        }
        if is_current && judge(answer) == Verdict::Gone {
            self.stop(name);
        }
    }

    /// Notes how a target is, in the log and in the alert about it.
    pub(super) fn note(&mut self, name: &str, answer: &Answer, before: BreakerState, at: WallTime) {
        let now = self.clock.awake();
        let Some(receiver) = self.receivers.get_mut(name) else {
            return;
        };
        let LaneState {
            breaker,
            failures,
            is_failing,
            ..
        } = receiver.lane.state(now);
        let subject = receiver.target.subject();
        if judge(answer) == Verdict::Delivered {
            receiver.last_success_at = Some(at);
            receiver.failing_since = None;
            if before != BreakerState::Closed {
                info!(webhook = name; "webhook {name} accepts messages again");
            }
            if std::mem::take(&mut receiver.is_alerted) {
                self.alerts.clear(AlertKind::WebhookFailing, subject);
            }
            return;
        }
        receiver.last_failure = Some((at, answer.to_string()));
        if judge(answer) == Verdict::Gone {
            return;
        }
        let since = *receiver.failing_since.get_or_insert(at);
        if breaker == BreakerState::Open && before == BreakerState::Closed {
            warn!(webhook = name, failures;
                "webhook {name} fails: {answer}; its messages wait, and one at a time is tried again");
        }
        if is_failing {
            receiver.is_alerted = true;
            let detail = format!(
                "Webhook `{name}` accepts no message since {since}. The last answer: {answer}. What \
                 waits is given up after 24 h."
            );
            self.alerts
                .raise(AlertKind::WebhookFailing, subject, detail);
        }
    }

    /// Stops a target whose receiver wants no message any more.
    fn stop(&mut self, name: &str) {
        let wall = self.clock.wall();
        let Some(receiver) = self.receivers.get_mut(name) else {
            return;
        };
        receiver.target.gone = true;
        receiver.repeat_at = None;
        let waiting = receiver.lane.take_all();
        self.unsaved_targets.insert(name.to_owned());
        warn!(webhook = name;
            "webhook {name} answered 410 and gets no message until it is saved again");
        self.raise_gone(name);
        for mut delivery in waiting {
            delivery.give_up("the receiver answered HTTP 410 to an earlier message", wall);
            self.given_up(delivery);
        }
    }

    /// Raises the alert about a target whose receiver wants no message any more.
    pub(super) fn raise_gone(&mut self, name: &str) {
        let Some(receiver) = self.receivers.get_mut(name) else {
            return;
        };
        receiver.is_alerted = true;
        let mend = match receiver.target.source {
            Source::Api => format!("Correct its URL with PUT /webhooks/{name}, or delete it."),
            Source::File => {
                "Correct its URL in WEBHOOKS_FILE, or take it out there, and send SIGHUP."
                    .to_owned()
            }
        };
        let detail = format!(
            "Webhook `{name}` answered HTTP 410: its receiver wants no message any more. {mend}"
        );
        let subject = receiver.target.subject();
        self.alerts
            .raise(AlertKind::WebhookFailing, subject, detail);
    }

    /// Takes another content of a target, of which no failure is known.
    pub(super) fn change(&mut self, name: &str, target: Target, cursor: i64) {
        let now = self.clock.awake();
        let Some(receiver) = self.receivers.get_mut(name) else {
            return;
        };
        receiver.change(target, cursor, now);
        receiver.failing_since = None;
        if std::mem::take(&mut receiver.is_alerted) {
            let subject = receiver.target.subject();
            self.alerts.clear(AlertKind::WebhookFailing, subject);
        }
    }

    /// Gives up what waited for too long.
    pub(super) fn give_up_old(&mut self) {
        let (wall, recent) = (self.clock.wall(), self.clock.recent(GIVE_UP_AFTER));
        let receivers = self.receivers.values_mut();
        let old: Vec<Delivery> = receivers
            .flat_map(|receiver| receiver.lane.expire(&recent, wall))
            .collect();
        for delivery in old {
            self.given_up(delivery);
        }
    }

    /// Notes a delivery that was given up.
    pub(super) fn given_up(&mut self, delivery: Delivery) {
        let (name, id) = (delivery.target.clone(), &delivery.message.id);
        let kind = delivery.message.kind();
        let reason = delivery.last_answer.as_deref().unwrap_or_default();
        warn!(webhook = name.as_str(), message = id.as_str(), kind = kind.as_str(), reason;
            "webhook {name} gives up {kind}: {reason}");
        if let Some(receiver) = self.receivers.get_mut(&name) {
            receiver.given_up += 1;
        }
        self.count(&name, "failed", 1);
        self.keep(delivery);
    }
}

/// Returns the request for a message to a target.
pub(super) fn request(target: &Target, id: &str, body: Vec<u8>, now: WallTime) -> OutgoingRequest {
    OutgoingRequest {
        url: target.url.clone(),
        id: id.to_owned(),
        timestamp: now.as_micros() / 1_000_000,
        body,
        traceparent: None,
        secrets: target.secrets(now),
    }
}
