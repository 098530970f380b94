//! The history of the system's health: on its way to the store, and back to who reads it.
//!
//! What could not be saved is kept and tried again, up to a limit; what was recorded lately stays
//! in memory too, so that it can be read while the store is out.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix::prelude::*;
use log::{debug, warn};

use super::actor::HealthActor;
use crate::actors::batch::{Saved, save_each};
use crate::actors::clean_up::Forget;
use crate::actors::store_calls::StoreOp;
use crate::domain::health::HealthRecord;
use crate::domain::time::WallTime;
use crate::store::Store;

impl Handler<Forget> for HealthActor {
    type Result = ();

    fn handle(&mut self, Forget(expiry): Forget, _: &mut Self::Context) {
        let recent = &mut self.history.recent;
        recent.retain(|record| expiry.health.contains(record.at));
        let excess = recent
            .len()
            .saturating_sub(expiry.most_health_rows as usize);
        recent.drain(..excess);
    }
}

impl HealthActor {
    pub(super) fn keep(&mut self, record: HealthRecord, ctx: &mut Context<Self>) {
        let dropped = self.history.outbox.put(record);
        self.telemetry.records_dropped.inc_by(dropped.len() as u64);
        self.save_history(ctx);
    }

    pub(super) fn save_history(&mut self, ctx: &mut Context<Self>) {
        let (history, now) = (&mut self.history, self.clock.awake());
        let Some(records) = history.outbox.begin(now) else {
            let next = history.outbox.next_retry();
            return self.retry.set(next, &self.clock, ctx);
        };
        let rows = records.clone();
        let save = |store: Arc<dyn Store>| async move {
            let save = async |rows: &[HealthRecord]| store.save_health(rows).await;
            save_each(&rows, save).await
        };
        let Some(save) = self.links.access.write(StoreOp::SaveHealth, save) else {
            return self.history_settled(records.to_vec(), false, ctx);
        };
        ctx.spawn(save.into_actor(self).map(|saved, actor, ctx| {
            actor.history_saved(saved, ctx);
        }));
    }

    fn history_saved(&mut self, saved: Saved<HealthRecord>, ctx: &mut Context<Self>) {
        if let Some((_, reason)) = saved.refused.first() {
            let records = saved.refused.len();
            self.telemetry.records_refused.inc_by(records as u64);
            self.telemetry.records_dropped.inc_by(records as u64);
            if !std::mem::replace(&mut self.history.refusal_logged, true) {
                warn!(reason, records;
                    "the database refused {records} points of the system's history: {reason}");
            }
        }
        if let Err(error) = &saved.result {
            debug!(error:%; "the system's history could not be saved; kept for the next try");
        }
        self.history_settled(saved.left, saved.result.is_ok(), ctx);
    }

    fn history_settled(
        &mut self,
        left: Vec<HealthRecord>,
        responded: bool,
        ctx: &mut Context<Self>,
    ) {
        let outbox = &mut self.history.outbox;
        let dropped = if responded {
            outbox.settled(left)
        } else {
            outbox.failed(left, self.clock.awake())
        };
        self.telemetry.records_dropped.inc_by(dropped.len() as u64);
        self.save_history(ctx);
    }
}

/// Asks for a page of the history, newest first.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "HealthPage")]
pub struct AskHealthHistory {
    /// Only points from before.
    pub before: Option<WallTime>,
    /// How many at the most.
    pub limit: u32,
}

/// A page of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthPage {
    /// Newest first.
    pub records: Vec<HealthRecord>,
    /// Since when the store does not answer, if it does not: then older points are missing.
    pub stale_since: Option<WallTime>,
}

impl Handler<AskHealthHistory> for HealthActor {
    type Result = ResponseActFuture<Self, HealthPage>;

    fn handle(&mut self, ask: AskHealthHistory, _: &mut Self::Context) -> Self::Result {
        let AskHealthHistory { before, limit } = ask;
        let read = self
            .links
            .access
            .read(StoreOp::ReadHealth, move |store| async move {
                store.health(before, limit).await
            });
        let read = async move { read?.await.ok() };
        Box::pin(read.into_actor(self).map(move |stored, actor, _| {
            let known = actor.history.known(before);
            let mut records: BTreeMap<WallTime, HealthRecord> =
                known.map(|record| (record.at, record.clone())).collect();
            let stale_since = match &stored {
                Some(_) => None,
                // The first failure has opened nothing yet.
                None => {
                    let since = actor.links.access.gate().stale_since();
                    Some(since.unwrap_or_else(|| actor.clock.wall()))
                }
            };
            let stored = stored.unwrap_or_default();
            records.extend(stored.into_iter().map(|record| (record.at, record)));
            let newest_first = records.into_values().rev();
            HealthPage {
                records: newest_first.take(limit as usize).collect(),
                stale_since,
            }
        }))
    }
}
