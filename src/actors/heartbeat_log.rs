//! Collects last heartbeats and metrics and saves them in batches, so that no heartbeat ever
//! waits for the store.
//!
//! One flush at a time, and none while the breaker of the store's writes is open. What a failed flush could not save is kept and tried again with the next;
//! while the store is out the oldest metrics are dropped at a limit, and counted. A row that the store
//! refuses for its content is left out alone (`batch.rs`), counted, and logged once an instance.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use log::warn;

use super::batch::{RefusalLog, Saved, save_each};
use super::db_breaker::StoreAccess;
use super::fatal::Vital;
use super::telemetry::Telemetry;
use crate::clock::Clock;
use crate::domain::heartbeat::{BeatWatermark, LastBeat, MetricsRecord};
use crate::domain::ids::{InstanceId, Term};
use crate::domain::time::WallTime;
use crate::domain::timeline::Recent;
use crate::store::{Store, StoreError};

/// Metrics kept in memory while the store is out: a bound on memory, not a promise.
pub const MAX_PENDING_METRICS: usize = 100_000;

/// How old a heartbeat may be that is not in the log yet: it is on its way through a mailbox.
const ON_ITS_WAY: Duration = Duration::from_secs(1);

/// Saves what heartbeats say.
#[derive(Debug)]
pub struct HeartbeatLog {
    store: Arc<dyn Store>,
    access: StoreAccess,
    clock: Clock,
    telemetry: Arc<Telemetry>,
    flush_interval: Duration,
    /// Up to when the saved heartbeats are complete.
    watermark: BeatWatermark,
    beats: BTreeMap<InstanceId, LastBeat>,
    metrics: VecDeque<MetricsRecord>,
    in_flight: Arc<[MetricsRecord]>,
    is_flushing: bool,
    refusals: RefusalLog,
    waiting: Vec<tokio::sync::oneshot::Sender<()>>,
    _vital: Vital,
}

impl HeartbeatLog {
    /// An empty log of an orchestrator in its `term`.
    pub fn new(
        store: Arc<dyn Store>,
        access: StoreAccess,
        clock: Clock,
        telemetry: Arc<Telemetry>,
        flush_interval: Duration,
        term: Term,
        vital: Vital,
    ) -> Self {
        Self {
            store,
            access,
            clock,
            telemetry,
            flush_interval,
            watermark: BeatWatermark {
                term,
                through: WallTime::default(),
            },
            beats: BTreeMap::new(),
            metrics: VecDeque::new(),
            in_flight: Arc::from([]),
            is_flushing: false,
            refusals: RefusalLog::default(),
            waiting: Vec::new(),
            _vital: vital,
        }
    }

    fn flush(&mut self, ctx: &mut Context<Self>) {
        if self.is_flushing {
            return;
        }
        if self.beats.is_empty() && self.metrics.is_empty() {
            self.tell_waiting();
            return;
        }
        let Some(permit) = self.access.to_write() else {
            self.tell_waiting();
            return;
        };
        self.is_flushing = true;
        let beats: Vec<LastBeat> = std::mem::take(&mut self.beats).into_values().collect();
        self.in_flight = std::mem::take(&mut self.metrics).into_iter().collect();
        let (store, metrics) = (self.store.clone(), self.in_flight.clone());
        let before = self.watermark;
        let complete = BeatWatermark {
            through: self.clock.wall() - ON_ITS_WAY,
            ..before
        };
        let save = async move {
            let beats = save_each(&beats, async |rows: &[LastBeat]| {
                // A part of the batch makes nothing complete.
                let is_whole = rows.len() == beats.len();
                let watermark = if is_whole { complete } else { before };
                store.save_beats(rows, watermark).await
            });
            let beats = beats.await;
            let metrics = if beats.result.is_ok() {
                let save = async |rows: &[MetricsRecord]| store.save_metrics(rows).await;
                save_each(&metrics, save).await
            } else {
                Saved::nothing(&metrics)
            };
            let result = beats.result.clone().and(metrics.result.clone());
            permit.tell(&result);
            (beats, metrics, complete, result)
        };
        let saved = save.into_actor(self);
        ctx.spawn(saved.map(|(beats, metrics, complete, result), actor, ctx| {
            if beats.result.is_ok() && beats.left.is_empty() {
                actor.watermark = complete;
            }
            actor.flushed(beats, metrics, &result, ctx);
        }));
    }

    fn flushed(
        &mut self,
        beats: Saved<LastBeat>,
        metrics: Saved<MetricsRecord>,
        result: &Result<(), StoreError>,
        ctx: &mut Context<Self>,
    ) {
        self.is_flushing = false;
        self.in_flight = Arc::from([]);
        for (beat, reason) in &beats.refused {
            self.refused("last heartbeat", &beat.instance, reason);
        }
        for (record, reason) in &metrics.refused {
            self.refused("metrics record", &record.instance, reason);
        }
        for beat in beats.left {
            self.beats.entry(beat.instance.clone()).or_insert(beat);
        }
        for record in metrics.left.into_iter().rev() {
            self.metrics.push_front(record);
        }
        self.drop_excess();
        if let Err(error) = result {
            warn!(error:%; "heartbeats could not be saved; kept for the next try");
            self.tell_waiting();
        } else if !self.waiting.is_empty() {
            self.flush(ctx);
        }
    }

    /// A row would be refused for ever: it is lost.
    fn refused(&mut self, what: &str, instance: &InstanceId, reason: &str) {
        self.telemetry.records_refused.inc();
        self.telemetry.records_dropped.inc();
        let server_id = instance.as_str();
        if self.refusals.is_new(&format!("{what} of {server_id}")) {
            warn!(server_id, reason;
                "the database refused a {what} of {server_id}; such rows are left out: {reason}");
        }
    }

    fn tell_waiting(&mut self) {
        for waiter in self.waiting.drain(..) {
            // Who left does not need to know.
            let _ = waiter.send(());
        }
    }

    fn drop_excess(&mut self) {
        while self.metrics.len() > MAX_PENDING_METRICS {
            self.metrics.pop_front();
            self.telemetry.records_dropped.inc();
        }
    }

    /// What is not saved yet, newest first.
    fn unsaved(&self, instance: &InstanceId, lately: &Recent) -> Vec<MetricsRecord> {
        self.metrics
            .iter()
            .rev()
            .chain(self.in_flight.iter().rev())
            .filter(|record| record.instance == *instance && lately.contains(record.recorded_at))
            .cloned()
            .collect()
    }
}

impl Actor for HeartbeatLog {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(self.flush_interval, |actor, ctx| actor.flush(ctx));
    }
}

/// What a heartbeat said.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct Record {
    /// The heartbeat itself.
    pub beat: LastBeat,
    /// The machine's readings, if it sent any.
    pub metrics: Option<MetricsRecord>,
}

impl Handler<Record> for HeartbeatLog {
    type Result = ();

    fn handle(&mut self, record: Record, _: &mut Self::Context) {
        self.beats.insert(record.beat.instance.clone(), record.beat);
        if let Some(metrics) = record.metrics {
            self.metrics.push_back(metrics);
            self.drop_excess();
        }
    }
}

/// Saves everything now; answered when it is saved, or could not be.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Flush;

impl Handler<Flush> for HeartbeatLog {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Flush, ctx: &mut Self::Context) -> Self::Result {
        let (done, waiter) = tokio::sync::oneshot::channel();
        self.waiting.push(done);
        self.flush(ctx);
        Box::pin(async move {
            let _ = waiter.await;
        })
    }
}

/// The metrics of an instance, newest first, saved or not.
#[derive(Debug, Clone, Message)]
#[rtype(result = "History")]
pub struct AskHistory {
    /// Whose.
    pub instance: InstanceId,
    /// How far back.
    pub within: Duration,
    /// How many at the most.
    pub limit: u32,
}

/// An answer about the past.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// The records, newest first.
    pub records: Vec<MetricsRecord>,
    /// Whether the store could be asked; if not, only what was not saved yet is here.
    pub is_complete: bool,
}

impl Handler<AskHistory> for HeartbeatLog {
    type Result = ResponseFuture<History>;

    fn handle(&mut self, ask: AskHistory, _: &mut Self::Context) -> Self::Result {
        let lately = self.clock.recent(ask.within);
        let mut records = self.unsaved(&ask.instance, &lately);
        let store = self.store.clone();
        let permit = self.access.to_read();
        Box::pin(async move {
            let saved = match permit {
                Some(permit) => {
                    let saved = store
                        .metrics(&ask.instance, lately.earliest(), ask.limit)
                        .await;
                    permit.tell(&saved);
                    saved.ok()
                }
                None => None,
            };
            let is_complete = saved.is_some();
            let saved = saved.unwrap_or_default().into_iter();
            records.extend(saved.filter(|record| lately.contains(record.recorded_at)));
            records.sort_by_key(|record| std::cmp::Reverse(record.recorded_at));
            // What was being saved while it was read is there twice.
            records.dedup_by_key(|record| record.recorded_at);
            records.truncate(ask.limit as usize);
            History {
                records,
                is_complete,
            }
        })
    }
}
