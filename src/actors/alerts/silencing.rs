//! Silences of operators.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use actix::prelude::*;
use log::info;
use tokio::time::timeout;

use super::actor::{AlertBookActor, AlertsSaved, AskLabels, InstanceLabels, OrderGiven};
use crate::actors::refusal::Refusal;
use crate::actors::store_calls::StoreOp;
use crate::domain::alert::{Alert, MAX_SILENCES, Matcher, Silence, SilenceBook, Silenced};
use crate::domain::events::Event;
use crate::domain::ids::{AlertId, SilenceId};
use crate::domain::planned::Requester;
use crate::domain::time::WallTime;
use crate::logging;

/// The longest wait for a look at the ends of silences: the wall clock may be set forward.
const LOOK_INTERVAL: Duration = Duration::from_secs(60);

/// The longest wait for the labels of instances. Without them no silence with a label applies.
const LABELS_WAIT_LIMIT: Duration = Duration::from_secs(2);

/// From so many comparisons on, another thread makes them.
const COMPARED_AT_ONCE: usize = 10_000;

/// Silences alerts that match, until a moment. The matchers have been checked.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Silence, NotSilenced>")]
#[expect(missing_docs, reason = "the names say it")]
pub struct AddSilence {
    pub matchers: Vec<Matcher>,
    pub until: WallTime,
    pub reason: String,
    pub by: Requester,
}

/// Ends a silence.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<Silence, NotSilenced>")]
#[expect(missing_docs, reason = "the names say it")]
pub struct EndSilence {
    pub id: SilenceId,
    pub by: Requester,
}

/// The reason why a silence was not added or ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotSilenced {
    /// No such silence is active.
    Unknown,
    /// Too many are active.
    Full(usize),
    /// It was not saved.
    Refused(Refusal),
}

impl From<Refusal> for NotSilenced {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Asks for the active silences, newest first.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Vec<Silence>")]
pub struct AskSilences;

/// Asks which silences apply to each of some alerts, in their order.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Vec<Vec<SilenceId>>")]
pub struct AskSilenced(pub Vec<Alert>);

impl AlertBookActor {
    /// Saves a silence as it is to be.
    fn save_silence(
        &self,
        silence: Silence,
    ) -> impl Future<Output = Result<Silence, NotSilenced>> + use<> {
        let saved = silence.clone();
        let save = self.access.write(StoreOp::SaveSilence, |store| async move {
            store.save_silence(&saved).await
        });
        async move {
            let save = save.ok_or(Refusal::StoreUnavailable)?;
            save.await.map_err(Refusal::from)?;
            Ok(silence)
        }
    }

    /// Ends the silences whose end is reached, and rings at the next end.
    pub(super) fn end_silences(&mut self, ctx: &mut Context<Self>) {
        let now = self.clock.wall();
        for silence in self.silences.expire(now) {
            let id = silence.id.get();
            info!(silence = id; "silence {id} is over: {}", silence.reason);
            self.note_end(silence.id, Requester::Program, now);
        }
        let next = self.silences.active().map(|silence| silence.until).min();
        if let Some(until) = next {
            let wait = until.since(now).min(LOOK_INTERVAL);
            let deadline = self.clock.awake() + wait;
            self.ending.set_by(deadline, &self.clock, ctx);
        }
    }

    fn note_end(&self, silence: SilenceId, by: Requester, ended_at: WallTime) {
        for follower in &self.savers {
            // What it silenced may be announced now.
            follower.do_send(AlertsSaved);
        }
        self.audit.do_send(OrderGiven::new(Event::SilenceEnded {
            silence,
            by,
            ended_at,
        }));
    }

    /// Returns the silences that apply to each of some alerts.
    pub(super) fn silencing(
        &self,
        alerts: Vec<Alert>,
    ) -> impl Future<Output = (Vec<Alert>, BTreeMap<AlertId, Vec<SilenceId>>)> + use<> {
        let silences = (!self.silences.is_empty()).then(|| self.silences.clone());
        let fleet = self.fleet.clone();
        async move {
            let Some(silences) = silences else {
                return (alerts, BTreeMap::new());
            };
            let labels = match silences.needs_labels() {
                false => BTreeMap::new(),
                true => {
                    let open = alerts.iter().filter(|alert| alert.is_open());
                    let ids: BTreeSet<_> = open.flat_map(|alert| &alert.instances).collect();
                    let ids = ids.into_iter().cloned().collect();
                    let answer = timeout(LABELS_WAIT_LIMIT, fleet.send(AskLabels(ids))).await;
                    answer.ok().and_then(Result::ok).unwrap_or_default()
                }
            };
            let listed: usize = alerts
                .iter()
                .map(|alert| alert.instances.len().max(1))
                .sum();
            let comparisons = listed * silences.active().count();
            let compare = move || {
                let found = compared(&silences, &alerts, &labels);
                (alerts, found)
            };
            match comparisons <= COMPARED_AT_ONCE {
                true => compare(),
                false => tokio::task::spawn_blocking(compare)
                    .await
                    .unwrap_or_default(),
            }
        }
    }
}

fn compared(
    silences: &SilenceBook,
    alerts: &[Alert],
    labels: &InstanceLabels,
) -> BTreeMap<AlertId, Vec<SilenceId>> {
    let found = alerts.iter().map(|alert| {
        let found = silences.silencing(Silenced { alert, labels });
        (alert.id, found)
    });
    found.filter(|(_, found)| !found.is_empty()).collect()
}

impl Handler<AddSilence> for AlertBookActor {
    type Result = ResponseActFuture<Self, Result<Silence, NotSilenced>>;

    fn handle(&mut self, order: AddSilence, ctx: &mut Self::Context) -> Self::Result {
        self.end_silences(ctx);
        if self.silences.is_full() {
            return Box::pin(fut::ready(Err(NotSilenced::Full(MAX_SILENCES))));
        }
        let now = self.clock.wall();
        let silence = Silence {
            id: self.silences.next_id(now),
            matchers: order.matchers,
            created_at: now,
            by: order.by,
            until: order.until,
            reason: order.reason,
        };
        let saved = self.save_silence(silence).into_actor(self);
        let request = logging::current();
        Box::pin(saved.map(move |saved, actor, ctx| {
            let silence = saved?;
            if !actor.silences.add(silence.clone()) {
                return Err(Refusal::RefusedByStore.into());
            }
            let (id, until) = (silence.id.get(), silence.until);
            info!(silence = id, by = silence.by.as_str();
                "silence {id} is in force until {until}: {}", silence.reason);
            let event = Event::SilenceAdded {
                silence: silence.id,
                matchers: silence.matchers.iter().map(Matcher::to_string).collect(),
                until,
                by: silence.by,
                reason: silence.reason.clone(),
                ordered_at: silence.created_at,
            };
            logging::sync_within(request.as_ref(), || {
                actor.audit.do_send(OrderGiven::new(event));
            });
            actor.end_silences(ctx);
            Ok(silence)
        }))
    }
}

impl Handler<EndSilence> for AlertBookActor {
    type Result = ResponseActFuture<Self, Result<Silence, NotSilenced>>;

    fn handle(&mut self, order: EndSilence, ctx: &mut Self::Context) -> Self::Result {
        self.end_silences(ctx);
        let Some(silence) = self.silences.get(order.id) else {
            return Box::pin(fut::ready(Err(NotSilenced::Unknown)));
        };
        let ended = Silence {
            until: self.clock.wall(),
            ..silence.clone()
        };
        let saved = self.save_silence(ended).into_actor(self);
        let request = logging::current();
        Box::pin(saved.map(move |saved, actor, ctx| {
            let silence = saved?;
            actor.silences.end(silence.id);
            let (id, by) = (silence.id.get(), order.by);
            info!(silence = id, by = by.as_str(); "silence {id} was ended by {}", by.noun());
            logging::sync_within(request.as_ref(), || {
                actor.note_end(silence.id, by, silence.until);
            });
            actor.end_silences(ctx);
            Ok(silence)
        }))
    }
}

impl Handler<AskSilences> for AlertBookActor {
    type Result = MessageResult<AskSilences>;

    fn handle(&mut self, _: AskSilences, ctx: &mut Self::Context) -> Self::Result {
        self.end_silences(ctx);
        MessageResult(self.silences.active().cloned().collect())
    }
}

impl Handler<AskSilenced> for AlertBookActor {
    type Result = ResponseFuture<Vec<Vec<SilenceId>>>;

    fn handle(
        &mut self,
        AskSilenced(alerts): AskSilenced,
        ctx: &mut Self::Context,
    ) -> Self::Result {
        self.end_silences(ctx);
        let found = self.silencing(alerts);
        Box::pin(async move {
            let (alerts, mut found) = found.await;
            alerts
                .iter()
                .map(|alert| found.remove(&alert.id).unwrap_or_default())
                .collect()
        })
    }
}
