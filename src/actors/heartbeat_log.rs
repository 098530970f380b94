//! Collects last heartbeats and metrics and saves them in batches, so that no heartbeat ever
//! waits for the store.
//!
//! One flush at a time, and none while the breaker of the store's writes is open. What a failed flush could not save is kept and tried again with the next;
//! while the store is out the oldest metrics are dropped at a limit, and counted. A row that the store
//! refuses for its content is left out alone (`batch.rs`), counted, and logged once an instance.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use log::warn;

use super::batch::{RefusalLog, Saved, save_each};
use super::db_breaker::StoreAccess;
use super::fatal::Vital;
use super::store_calls::StoreOp;
use super::telemetry::{MemoryQueue, Telemetry};
use crate::clock::Clock;
use crate::domain::heartbeat::{BeatWatermark, LastBeat, MetricsRecord};
use crate::domain::ids::{InstanceId, Term};
use crate::domain::outbox::{Excess, Latest, Outbox, Queue};
use crate::domain::time::WallTime;
use crate::domain::timeline::Recent;
use crate::store::Store;

/// Metrics kept in memory while the store is out: a bound on memory, not a promise.
pub const MAX_PENDING_METRICS: usize = 100_000;

/// How old a heartbeat may be that is not in the log yet: it is on its way through a mailbox.
const ON_ITS_WAY: Duration = Duration::from_secs(1);

/// Saves what heartbeats say.
#[derive(Debug)]
pub struct HeartbeatLog {
    access: StoreAccess,
    clock: Clock,
    telemetry: Arc<Telemetry>,
    flush_interval: Duration,
    /// Up to when the saved heartbeats are complete.
    watermark: BeatWatermark,
    beats: Outbox<Latest<LastBeat>>,
    metrics: Outbox<Queue<MetricsRecord>>,
    refusals: RefusalLog,
    waiting: Vec<tokio::sync::oneshot::Sender<()>>,
    _vital: Vital,
}

impl HeartbeatLog {
    /// An empty log of an orchestrator in its `term`.
    pub fn new(
        access: StoreAccess,
        clock: Clock,
        telemetry: Arc<Telemetry>,
        flush_interval: Duration,
        term: Term,
        vital: Vital,
    ) -> Self {
        Self {
            access,
            clock,
            telemetry,
            flush_interval,
            watermark: BeatWatermark {
                term,
                through: WallTime::default(),
            },
            // There is one beat an instance.
            beats: Outbox::new(Latest::default(), usize::MAX, Duration::ZERO),
            metrics: Outbox::new(
                Queue::dropping(Excess::Oldest),
                MAX_PENDING_METRICS,
                Duration::ZERO,
            ),
            refusals: RefusalLog::default(),
            waiting: Vec::new(),
            _vital: vital,
        }
    }

    fn show_waiting(&self) {
        let records = self.beats.len() + self.metrics.len();
        self.telemetry.show_waiting(MemoryQueue::Records, records);
    }

    fn flush(&mut self, ctx: &mut Context<Self>) {
        self.show_waiting();
        if self.beats.is_saving() || self.metrics.is_saving() {
            return;
        }
        let complete = BeatWatermark {
            through: self.clock.wall() - ON_ITS_WAY,
            ..self.watermark
        };
        // That nothing was heard is worth saving too: a start learns from it how long each silence is.
        let silent_for = complete.through.since(self.watermark.through);
        let has_news = !self.beats.is_empty() || !self.metrics.is_empty();
        if !has_news && silent_for < self.flush_interval {
            return self.tell_waiting();
        }
        let now = self.clock.awake();
        let beats = self.beats.begin(now).unwrap_or_default();
        let metrics = self.metrics.begin(now).unwrap_or_default();
        let before = self.watermark;
        let save = move |store: Arc<dyn Store>| async move {
            let beats = save_beats(&store, &beats, before, complete).await;
            let metrics = if beats.result.is_ok() {
                let save = async |rows: &[MetricsRecord]| store.save_metrics(rows).await;
                save_each(&metrics, save).await
            } else {
                Saved::nothing(&metrics)
            };
            (beats, metrics)
        };
        let Some(save) = self.access.write(StoreOp::SaveHeartbeats, save) else {
            let _ = self.beats.postponed(now);
            let dropped = self.metrics.postponed(now);
            self.telemetry.records_dropped.inc_by(dropped.len() as u64);
            return self.tell_waiting();
        };
        let saved = save.into_actor(self);
        ctx.spawn(saved.map(move |(beats, metrics), actor, ctx| {
            if beats.result.is_ok() && beats.left.is_empty() {
                actor.watermark = complete;
            }
            actor.flushed(beats, metrics, ctx);
        }));
    }

    fn flushed(
        &mut self,
        beats: Saved<LastBeat>,
        metrics: Saved<MetricsRecord>,
        ctx: &mut Context<Self>,
    ) {
        for (beat, reason) in &beats.refused {
            self.refused("last heartbeat", &beat.instance, reason);
        }
        for (record, reason) in &metrics.refused {
            self.refused("metrics record", &record.instance, reason);
        }
        // A beat is dropped for a newer one only.
        let _ = self.beats.settled(beats.left);
        let dropped = self.metrics.settled(metrics.left);
        self.telemetry.records_dropped.inc_by(dropped.len() as u64);
        self.show_waiting();
        if let Err(error) = beats.result.and(metrics.result) {
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

    /// What is not saved yet, newest first.
    fn unsaved(&self, instance: &InstanceId, lately: &Recent) -> Vec<MetricsRecord> {
        self.metrics
            .rows()
            .rev()
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

/// Saves last heartbeats, and that they are complete up to a moment.
async fn save_beats(
    store: &Arc<dyn Store>,
    beats: &[LastBeat],
    before: BeatWatermark,
    complete: BeatWatermark,
) -> Saved<LastBeat> {
    if beats.is_empty() {
        return Saved {
            result: store.save_beats(&[], complete).await,
            ..Saved::nothing(beats)
        };
    }
    save_each(beats, async |rows: &[LastBeat]| {
        // A part of the batch makes nothing complete.
        let is_whole = rows.len() == beats.len();
        let watermark = if is_whole { complete } else { before };
        store.save_beats(rows, watermark).await
    })
    .await
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
        self.telemetry.heartbeat_mailbox.dec();
        let _ = self.beats.put(record.beat);
        if let Some(metrics) = record.metrics {
            let dropped = self.metrics.put(metrics);
            self.telemetry.records_dropped.inc_by(dropped.len() as u64);
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
#[expect(missing_docs, reason = "the names say it")]
pub struct AskHistory {
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
        let (instance, since) = (ask.instance, lately.earliest());
        let read = (self.access).read(StoreOp::ReadMetrics, move |store| async move {
            store.metrics(&instance, since, ask.limit).await
        });
        Box::pin(async move {
            let saved = match read {
                Some(read) => read.await.ok(),
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
