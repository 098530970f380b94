//! Passes saved events on to the log, the counters and the subscribers.

use std::sync::Arc;

use actix::prelude::*;
use log::{Level, info, kv, log_enabled, warn};
use tokio::sync::broadcast;

use super::alerts::Alerts;
use super::event_fields::event_fields;
use super::fatal::Vital;
use super::fleet::Committed;
use super::telemetry::{CauseLabel, ClaimKind, EventLabel, OutcomeLabel, ReasonLabel, Telemetry};
use crate::domain::alert::news;
use crate::domain::events::{DatedEvent, Event, EventSeverity};
use crate::domain::ids::InstanceId;
use crate::domain::movements::{Movement, movements};
use crate::domain::request::RequestContext;
use crate::logging;

/// How many batches a subscriber may lag behind before it misses some (and is notified of that).
const SUBSCRIBER_BACKLOG: usize = 256;

/// Receives events after they were saved.
#[derive(Debug)]
pub struct EventFeed {
    telemetry: Arc<Telemetry>,
    alerts: Alerts,
    subscribers: broadcast::Sender<Arc<[DatedEvent]>>,
    _vital: Vital,
}

impl EventFeed {
    /// A feed without subscribers.
    pub fn new(telemetry: Arc<Telemetry>, alerts: Alerts, vital: Vital) -> Self {
        Self {
            telemetry,
            alerts,
            subscribers: broadcast::Sender::new(SUBSCRIBER_BACKLOG),
            _vital: vital,
        }
    }
}

impl Actor for EventFeed {
    type Context = Context<Self>;
}

impl Handler<Committed> for EventFeed {
    type Result = ();

    fn handle(&mut self, committed: Committed, _: &mut Self::Context) {
        let events = committed.events;
        let request_of = |index: usize| committed.requests.get(index)?.as_ref();
        for (index, dated) in events.iter().enumerate() {
            count(&self.telemetry, &dated.event);
            logging::sync_within(request_of(index), || log_event(&dated.event));
        }
        // A sentence is about one request at the most.
        let mut first = 0;
        for run in of_one_request(&events, &committed.requests) {
            logging::sync_within(request_of(first), || {
                movements(run).iter().for_each(log_movement);
            });
            first += run.len();
        }
        for news in events.iter().filter_map(|dated| news(&dated.event)) {
            self.alerts.update(news);
        }
        // Without a subscriber it fails, which is no error.
        let _ = self.subscribers.send(events);
    }
}

/// Returns the events in runs, each of which one request led to, or none.
fn of_one_request<'e>(
    events: &'e [DatedEvent],
    requests: &[Option<RequestContext>],
) -> Vec<&'e [DatedEvent]> {
    let mut runs = Vec::new();
    let mut rest = events;
    for same in requests.chunk_by(PartialEq::eq) {
        let (run, after) = rest.split_at(same.len().min(rest.len()));
        runs.push(run);
        rest = after;
    }
    if !rest.is_empty() {
        runs.push(rest);
    }
    runs
}

/// Counts an event by its kind, and by what an operator graphs of it.
fn count(telemetry: &Telemetry, event: &Event) {
    let kind = event.kind();
    telemetry.events.get_or_create(&EventLabel { kind }).inc();
    if let Event::StreamAssigned {
        reason,
        from: Some(_),
        ..
    } = event
    {
        let reason = reason.as_str();
        let moved = &telemetry.streams_moved;
        moved.get_or_create(&ReasonLabel { reason }).inc();
    }
    if let Event::StreamOrphaned { reason, .. } = event {
        let reason = reason.as_str();
        let orphaned = &telemetry.streams_orphaned;
        orphaned.get_or_create(&ReasonLabel { reason }).inc();
    }
    if let Event::InstanceFailed { cause, .. } = event {
        let cause = cause.as_str();
        telemetry
            .failures
            .get_or_create(&CauseLabel { cause })
            .inc();
    }
    if let Event::RecoveryEnded { outcome, .. } = event {
        let outcome = outcome.as_str();
        let recoveries = &telemetry.recoveries;
        recoveries.get_or_create(&OutcomeLabel { outcome }).inc();
    }
    if let Event::DuplicateIdentity { .. } = event {
        telemetry.count_claims(ClaimKind::Instance, 1);
    }
    if let Event::StreamsDiffer {
        surplus: Some(streams),
        ..
    } = event
    {
        telemetry.count_claims(ClaimKind::Surplus, u64::from(*streams));
    }
}

/// Subscribes to all events from now on.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "broadcast::Receiver<Arc<[DatedEvent]>>")]
pub struct Subscribe;

impl Handler<Subscribe> for EventFeed {
    type Result = MessageResult<Subscribe>;

    fn handle(&mut self, _: Subscribe, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.subscribers.subscribe())
    }
}

/// One line for what a command did to many streams.
fn log_movement(movement: &Movement) {
    let streams = movement.streams.len();
    let server_id = movement.from.as_ref().map(InstanceId::as_str);
    if movement.act.is_warning() {
        warn!(server_id, streams; "{movement}");
    } else {
        info!(server_id, streams; "{movement}");
    }
}

/// Logs an event with its fields.
fn log_event(event: &Event) {
    let level = match event.severity() {
        EventSeverity::Debug => Level::Debug,
        EventSeverity::Info => Level::Info,
        EventSeverity::Warning => Level::Warn,
        EventSeverity::Error => Level::Error,
    };
    if !log_enabled!(level) {
        return;
    }
    let fields = Fields::of(event);
    let mut record = log::Record::builder();
    record.level(level).target(module_path!());
    record.module_path_static(Some(module_path!()));
    record.key_values(&fields);
    let sentence = event.sentence();
    log::logger().log(&record.args(format_args!("{sentence}")).build());
}

/// The fields of an event, the instance first.
struct Fields(Vec<(String, serde_json::Value)>);

impl Fields {
    fn of(event: &Event) -> Self {
        let mut fields: Vec<_> = event_fields(event)
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| match name.as_str() {
                "instance" => ("server_id".to_owned(), value),
                _ => (name, value),
            })
            .collect();
        fields.sort_by_key(|(name, _)| name != "server_id");
        Self(fields)
    }
}

impl kv::Source for Fields {
    fn visit<'kvs>(&'kvs self, visitor: &mut dyn kv::VisitSource<'kvs>) -> Result<(), kv::Error> {
        for (name, value) in &self.0 {
            visitor.visit_pair(name.as_str().into(), kv::Value::from_serde(value))?;
        }
        Ok(())
    }
}
