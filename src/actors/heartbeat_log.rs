//! Collects last heartbeats and metrics and saves them in batches, so that no heartbeat ever
//! waits for the store.
//!
//! One flush at a time, and none while the breaker of the store's writes is open. What a failed flush could not save is kept and tried again with the next;
//! while the store is out the oldest metrics are dropped at a limit, and counted.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use log::{info, warn};

use super::db_breaker::StoreAccess;
use super::fatal::Vital;
use super::telemetry::Telemetry;
use crate::clock::Clock;
use crate::domain::heartbeat::{LastBeat, MetricsRecord};
use crate::domain::ids::InstanceId;
use crate::domain::time::WallTime;
use crate::store::{Expiry, Store, StoreError};

/// Metrics kept in memory while the store is out: a bound on memory, not a promise.
pub const MAX_PENDING_METRICS: usize = 100_000;

/// How often old rows are looked for.
const PRUNE_INTERVAL: Duration = Duration::from_secs(3_600);

/// How long what is written is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Metrics.
    pub metrics: Duration,
    /// Events, and alerts after they were closed.
    pub events: Duration,
    /// The system's history.
    pub health: Duration,
    /// Points of the system's history at the most.
    pub most_health_rows: u32,
}

/// Saves what heartbeats say.
#[derive(Debug)]
pub struct HeartbeatLog {
    store: Arc<dyn Store>,
    access: StoreAccess,
    clock: Clock,
    telemetry: Arc<Telemetry>,
    flush_interval: Duration,
    retention: Retention,
    beats: BTreeMap<InstanceId, LastBeat>,
    metrics: VecDeque<MetricsRecord>,
    in_flight: Arc<[MetricsRecord]>,
    is_flushing: bool,
    waiting: Vec<tokio::sync::oneshot::Sender<()>>,
    _vital: Vital,
}

impl HeartbeatLog {
    /// An empty log.
    pub fn new(
        store: Arc<dyn Store>,
        access: StoreAccess,
        clock: Clock,
        telemetry: Arc<Telemetry>,
        flush_interval: Duration,
        retention: Retention,
        vital: Vital,
    ) -> Self {
        Self {
            store,
            access,
            clock,
            telemetry,
            flush_interval,
            retention,
            beats: BTreeMap::new(),
            metrics: VecDeque::new(),
            in_flight: Arc::from([]),
            is_flushing: false,
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
        let save = async move {
            let mut result = store.save_beats(&beats).await;
            if result.is_ok() && !metrics.is_empty() {
                result = store.save_metrics(&metrics).await;
            }
            permit.tell(&result);
            (beats, result)
        };
        ctx.spawn(save.into_actor(self).map(|(beats, result), actor, ctx| {
            actor.flushed(beats, &result, ctx);
        }));
    }

    fn flushed(
        &mut self,
        beats: Vec<LastBeat>,
        result: &Result<(), StoreError>,
        ctx: &mut Context<Self>,
    ) {
        self.is_flushing = false;
        let metrics = std::mem::replace(&mut self.in_flight, Arc::from([]));
        match result {
            Ok(()) => {}
            // It would be refused for ever, and everything after it would wait behind it.
            Err(StoreError::Refused(reason)) => {
                let records = metrics.len();
                self.telemetry.records_dropped.inc_by(records as u64);
                warn!(reason, records; "the store refused {records} metrics records; dropped");
            }
            Err(error) => {
                warn!(error:%; "heartbeats could not be saved; kept for the next try");
                for beat in beats {
                    self.beats.entry(beat.instance.clone()).or_insert(beat);
                }
                for record in metrics.iter().rev() {
                    self.metrics.push_front(record.clone());
                }
                self.drop_excess();
                self.tell_waiting();
                return;
            }
        }
        if !self.waiting.is_empty() {
            self.flush(ctx);
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

    fn prune(&self, ctx: &mut Context<Self>) {
        let Some(permit) = self.access.to_write() else {
            return;
        };
        let store = self.store.clone();
        let now = self.clock.wall();
        let expiry = Expiry {
            metrics_before: now - self.retention.metrics,
            events_before: now - self.retention.events,
            alerts_before: now - self.retention.events,
            health_before: now - self.retention.health,
            most_health_rows: self.retention.most_health_rows,
        };
        let prune = async move {
            let mut total = 0;
            let result = loop {
                match store.prune(&expiry).await {
                    Ok(0) => break Ok(total),
                    Ok(gone) => total += gone,
                    Err(error) => break Err(error),
                }
            };
            permit.tell(&result);
            result
        };
        ctx.spawn(prune.into_actor(self).map(|result, _, _| match result {
            Ok(0) => {}
            Ok(rows) => info!(rows; "forgot {rows} old records"),
            Err(error) => warn!(error:%; "old records could not be deleted"),
        }));
    }

    /// What is not saved yet, newest first.
    fn unsaved(&self, instance: &InstanceId, since: WallTime) -> Vec<MetricsRecord> {
        self.metrics
            .iter()
            .rev()
            .chain(self.in_flight.iter().rev())
            .filter(|record| record.instance == *instance && record.recorded_at >= since)
            .cloned()
            .collect()
    }
}

impl Actor for HeartbeatLog {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(self.flush_interval, |actor, ctx| actor.flush(ctx));
        ctx.run_interval(PRUNE_INTERVAL, |actor, ctx| actor.prune(ctx));
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
    /// Since when.
    pub since: WallTime,
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
        let mut records = self.unsaved(&ask.instance, ask.since);
        let store = self.store.clone();
        let permit = self.access.to_read();
        Box::pin(async move {
            let saved = match permit {
                Some(permit) => {
                    let saved = store.metrics(&ask.instance, ask.since, ask.limit).await;
                    permit.tell(&saved);
                    saved.ok()
                }
                None => None,
            };
            let is_complete = saved.is_some();
            records.extend(saved.unwrap_or_default());
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
