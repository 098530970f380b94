//! What stands in the query of a request, one struct a route, by the rules of a body.

use std::ops::RangeInclusive;
use std::time::Duration;

use log::LevelFilter;
use serde_json::{Value, json};

use super::limits::{GROUP_LENGTH, MAX_SAFE_INTEGER, NAME_LENGTH, check_text};
use super::reading::{Record, Refused, Rule, Slot, required_types as required};
use super::request::request;
use super::rules::{parsed, server_id, text, word};
use super::schema;
use super::texts::{
    LabelFilters, Past, digits, page_limit, past, position, stored_page_limit, switch, time, truth,
    wait, words,
};
use super::why::{Why, why};
use crate::domain::alert::{AlertFilter, AlertKind};
use crate::domain::event_filter::{EventFilter, EventOrder};
use crate::domain::events::Event;
use crate::domain::headroom::LossScope;
use crate::domain::ids::{
    AlertId, AssignmentVersion, Incarnation, IncidentId, InstanceId, RollId, StreamId,
};
use crate::domain::incident::{IncidentFilter, IncidentState};
use crate::domain::instance::InstanceStatus;
use crate::domain::planned::Requester;
use crate::domain::queries::{InstanceList, NameFilter, StreamFilter};
use crate::domain::reason::RebalanceReason;
use crate::domain::series::{SeriesName, SeriesSpan, SpanFault};
use crate::domain::stream::StreamState;
use crate::domain::time::WallTime;
use crate::http::shown_url::Urls;

/// The longest wait; a longer one is cut to it. Proxies and clients give up on requests that
/// take much longer, and a worker that went away without a word holds its place no longer.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// How long a worker may stay away at the most; a longer absence is cut to it.
const LONGEST_ABSENCE: Duration = Duration::from_secs(86_400);

/// A year: longer than metrics are kept.
const MAX_HOURS: f64 = 8_760.0;

/// How many days may be looked back for patterns.
const MAX_DAYS: i64 = 30;

const REASON_LENGTH: RangeInclusive<usize> = 1..=1_000;

request! {
    /// A route that can be tried: whether it is.
    pub(in crate::http) struct DryRunQuery {
        /// Whether the answer only says what would happen.
        dry_run: Option<bool> = switch(),
    }
}

impl DryRunQuery {
    /// Returns whether nothing may be changed.
    pub(in crate::http) fn is_asked(&self) -> bool {
        self.dry_run.unwrap_or(false)
    }
}

request! {
    /// `GET /streams`: a page, and what narrows the list.
    pub(in crate::http) struct StreamsQuery {
        /// The stream the page follows.
        after: Option<StreamId> = position(StreamId::new),
        /// How many streams, 1 to 10,000.
        limit: Option<usize> = page_limit(),
        /// Only streams in this state.
        state: Option<StreamState> = word(StreamState::ALL, StreamState::as_str),
        /// Only streams this instance owns.
        instance: Option<InstanceId> = server_id(),
        /// Only streams of this group, 1 to 128 characters.
        group: Option<String> = text(GROUP_LENGTH),
        /// Only streams whose name has this in it, 1 to 256 characters.
        name: Option<NameFilter> = parsed(|| schema::text(&NAME_LENGTH), |text| {
            check_text(text, &NAME_LENGTH)?;
            Ok(NameFilter::containing(text))
        }),
        /// Only streams with all of these labels, at most 16.
        label: Option<Vec<String>> = LabelFilters,
        /// Whether URLs are shown masked or in full.
        urls: Option<Urls> = word(Urls::ALL, Urls::as_str),
    }
}

request! {
    /// `GET /streams/{id}`: how it is shown.
    pub(in crate::http) struct StreamQuery {
        /// Whether the URL is shown masked or in full.
        urls: Option<Urls> = word(Urls::ALL, Urls::as_str),
    }
}

impl From<StreamsQuery> for StreamFilter {
    fn from(query: StreamsQuery) -> Self {
        Self {
            state: query.state,
            instance: query.instance,
            group: query.group,
            name: query.name,
            labels: query.label.unwrap_or_default(),
        }
    }
}

request! {
    /// `GET /streams/assignments`: a page.
    pub(in crate::http) struct AssignmentsQuery {
        /// The stream the page follows.
        after: Option<StreamId> = position(StreamId::new),
        /// How many streams, 1 to 10,000.
        limit: Option<usize> = page_limit(),
    }
}

request! {
    /// `GET /rolls`: a page, newest first.
    pub(in crate::http) struct RollsQuery {
        /// The roll the page follows.
        after: Option<RollId> = position(RollId::new),
        /// How many rolls, 1 to 1,000.
        limit: Option<u32> = stored_page_limit(),
    }
}

request! {
    /// `GET /instances`: a page, and what narrows the list.
    pub(in crate::http) struct InstancesQuery {
        /// The instance the page follows.
        after: Option<InstanceId> = server_id(),
        /// How many instances, 1 to 10,000.
        limit: Option<usize> = page_limit(),
        /// Only instances of this status.
        status: Option<InstanceStatus> = word(&InstanceStatus::ALL, InstanceStatus::as_str),
        /// Only instances with all of these labels, at most 16.
        label: Option<Vec<String>> = LabelFilters,
    }
}

impl From<InstancesQuery> for InstanceList {
    fn from(query: InstancesQuery) -> Self {
        Self {
            after: query.after,
            limit: query.limit,
            status: query.status,
            labels: query.label.unwrap_or_default(),
        }
    }
}

request! {
    /// `GET /instances/{server_id}/metrics`: how far to look back.
    pub(in crate::http) struct MetricsQuery {
        /// Hours, above 0 and at most a year.
        hours: Option<f64> = parsed(hours_schema, |text| {
            let hours = text.parse::<f64>().ok();
            hours
                .filter(|hours| *hours > 0.0 && *hours <= MAX_HOURS)
                .ok_or_else(|| format!("must be a number above 0 and at most {MAX_HOURS}"))
        }),
    }
}

fn hours_schema() -> Value {
    json!({"type": "number", "exclusiveMinimum": 0, "maximum": MAX_HOURS})
}

request! {
    /// Why something is called off.
    pub(in crate::http) struct ReasonQuery {
        /// Why, at most 512 characters.
        reason: Why = why(),
    }
}

request! {
    /// `DELETE /instances/{server_id}`: the process that leaves.
    pub(in crate::http) struct RemovalQuery {
        /// Incarnation of the worker, if it takes its own leave.
        incarnation: Option<Incarnation> = position(Incarnation::new),
        /// How soon the worker will be back: seconds, or a text like `60s`, at most a day. Its streams
        /// are reserved for so long.
        back_in: Option<Duration> = wait(LONGEST_ABSENCE),
        /// Why, at most 512 characters.
        reason: Why = why(),
        /// Whether the answer only says what would happen.
        dry_run: Option<bool> = switch(),
    }
    check leaving
}

fn leaving(draft: &<RemovalQuery as Record>::Draft) -> Refused {
    let mut refused = Refused::default();
    if draft.back_in.is_some() && draft.incarnation.is_none() {
        refused.note(
            "incarnation",
            "is missing: only the worker itself can announce that it will be back",
        );
    }
    refused
}

request! {
    /// `GET /instances/{server_id}/assignments`: what the worker has, and how long it waits.
    pub(in crate::http) struct ChangesQuery {
        /// Incarnation of the worker.
        incarnation: Option<Incarnation> = position(Incarnation::new),
        /// Last assignment version the worker has.
        version: AssignmentVersion = position(AssignmentVersion::new),
        /// How long to wait for a change.
        wait: Option<Duration> = wait(LONGEST_WAIT),
    }
}

request! {
    /// `POST /resilience/emergency/{server_id}`: why, and whether it is only planned.
    pub(in crate::http) struct EmergencyQuery {
        /// 1 to 1,000 characters.
        reason: Option<String> = text(REASON_LENGTH),
        /// Whether nothing is to be changed.
        dry_run: Option<bool> = switch(),
    }
}

request! {
    /// `POST /rebalance/smart` and `/basic`: why, and whether it is only planned.
    pub(in crate::http) struct RebalanceQuery {
        /// One word.
        reason: Option<RebalanceReason> = word(RebalanceReason::ALL, RebalanceReason::as_str),
        /// Whether nothing is to be changed.
        dry_run: Option<bool> = switch(),
    }
}

request! {
    /// `POST /cluster/take-over`: why.
    pub(in crate::http) struct TakeOverQuery {
        /// 1 to 1,000 characters.
        reason: String = text(REASON_LENGTH),
    }
}

request! {
    /// `GET /resilience/history`: a page, newest first, so that what follows a moment was before it.
    pub(in crate::http) struct HistoryQuery {
        /// How many records, 1 to 1,000.
        limit: Option<u32> = stored_page_limit(),
        /// The moment the page follows.
        before: Option<WallTime> = time(),
        /// The same.
        after: Option<WallTime> = time(),
    }
}

request! {
    /// `GET /resilience/series`: which numbers, and of which time.
    pub(in crate::http) struct SeriesQuery {
        /// The series.
        name: SeriesName = word(SeriesName::ALL, SeriesName::as_str),
        /// The begin: a time, or how long ago (default 1 h before the end).
        from: Option<Past> = past(),
        /// The end: a time, or how long ago (default now).
        to: Option<Past> = past(),
        /// The time of one point: seconds, or a text like `5m`; a multiple of 10 s, or of 5 min if the begin is
        /// more than 6 h ago.
        step: Option<Duration> = step(),
    }
    check series_span
}

required!(SeriesName);

fn step() -> impl Rule<Value = Duration> {
    let shown = || {
        let seconds = json!({"type": "number", "exclusiveMinimum": 0});
        json!({"anyOf": [seconds, schema::duration_text()]})
    };
    parsed(shown, |text| {
        let seconds = text.parse::<f64>().ok();
        let read = match seconds {
            Some(seconds) => Duration::try_from_secs_f64(seconds).ok(),
            None => humantime::parse_duration(text).ok(),
        };
        read.filter(|step| !step.is_zero())
            .ok_or_else(|| "must be seconds as a number above 0, or a text like 5m".to_owned())
    })
}

fn series_span(draft: &<SeriesQuery as Record>::Draft) -> Refused {
    past_span(&draft.from, &draft.to)
}

impl SeriesQuery {
    /// Returns the time that is meant; `now` is what durations are counted from.
    ///
    /// # Errors
    /// If the points of that time are not kept so, or are too many.
    pub(in crate::http) fn span(&self, now: WallTime) -> Result<SeriesSpan, SpanFault> {
        let moment = |past: Option<Past>| past.map(|past| past.until(now));
        SeriesSpan::new(now, moment(self.from), moment(self.to), self.step)
    }
}

request! {
    /// `GET /capacity/loss`: what is lost. Either an instance or labels.
    pub(in crate::http) struct LossQuery {
        /// The instance.
        instance: Option<InstanceId> = server_id(),
        /// All instances with all of these labels, at most 16.
        label: Option<Vec<String>> = LabelFilters,
    }
    check loss_scope
}

fn loss_scope(draft: &<LossQuery as Record>::Draft) -> Refused {
    let mut refused = Refused::default();
    match (&draft.instance, &draft.label) {
        (None, None) => refused.note("instance", "is missing: name an instance, or a `label`"),
        (Some(_), Some(_)) => refused.note("label", "cannot be given beside `instance`"),
        (Some(_), None) | (None, Some(_)) => {}
    }
    refused
}

impl From<LossQuery> for LossScope {
    fn from(query: LossQuery) -> Self {
        match query.instance {
            Some(instance) => Self::Instance(instance),
            None => Self::Labels(query.label.unwrap_or_default()),
        }
    }
}

request! {
    /// `GET /logs`: how many lines of which level.
    pub(in crate::http) struct LogsQuery {
        /// How many lines, 1 to 1,000.
        limit: Option<u32> = stored_page_limit(),
        /// Only lines of this level and of graver ones.
        level: Option<LevelFilter> = word(&LEVELS, level_word),
    }
}

const LEVELS: [LevelFilter; 5] = [
    LevelFilter::Error,
    LevelFilter::Warn,
    LevelFilter::Info,
    LevelFilter::Debug,
    LevelFilter::Trace,
];

fn level_word(level: LevelFilter) -> &'static str {
    match level {
        LevelFilter::Off => "off",
        LevelFilter::Error => "error",
        LevelFilter::Warn => "warn",
        LevelFilter::Info => "info",
        LevelFilter::Debug => "debug",
        LevelFilter::Trace => "trace",
    }
}

request! {
    /// `GET /resilience/patterns`: how far to look back.
    pub(in crate::http) struct PatternsQuery {
        /// Days, 1 to 30.
        days: Option<i64> = digits(1..=MAX_DAYS, |days| days),
    }
}

request! {
    /// `GET /resilience/alerts`: a page, newest first, and what narrows the list.
    pub(in crate::http) struct AlertsQuery {
        /// How many alerts, 1 to 1,000.
        limit: Option<u32> = stored_page_limit(),
        /// The alert the page follows.
        after: Option<AlertId> = position(AlertId::new),
        /// Only open alerts, or only closed ones.
        open: Option<bool> = truth(),
        /// Only alerts of this kind.
        kind: Option<AlertKind> = word(AlertKind::ALL, AlertKind::as_str),
    }
}

impl From<AlertsQuery> for AlertFilter {
    fn from(query: AlertsQuery) -> Self {
        Self {
            before: query.after,
            open: query.open,
            kind: query.kind,
        }
    }
}

request! {
    /// `GET /resilience/incidents`: a page, newest first, and what narrows the list.
    pub(in crate::http) struct IncidentsQuery {
        /// The incident the page follows.
        after: Option<IncidentId> = position(IncidentId::new),
        /// Only incidents of this instance.
        instance: Option<InstanceId> = server_id(),
        /// Only open incidents, or only ended ones.
        state: Option<IncidentState> = parsed(
            || schema::words(IncidentState::ALL.iter().map(|state| state.as_str())),
            |word| {
                IncidentState::from_word(word).ok_or_else(|| "must be open or ended".to_owned())
            },
        ),
        /// Only incidents that began then or later.
        from: Option<WallTime> = time(),
        /// Only incidents that began before or then.
        to: Option<WallTime> = time(),
        /// How many incidents, 1 to 1,000.
        limit: Option<u32> = stored_page_limit(),
    }
    check incidents_span
}

fn incidents_span(draft: &<IncidentsQuery as Record>::Draft) -> Refused {
    span(&draft.from, &draft.to)
}

impl From<IncidentsQuery> for IncidentFilter {
    fn from(query: IncidentsQuery) -> Self {
        Self {
            before: query.after,
            instance: query.instance,
            state: query.state,
            from: query.from,
            to: query.to,
        }
    }
}

request! {
    /// `GET /resilience/events`: a page, and what narrows the list.
    pub(in crate::http) struct EventsQuery {
        /// `asc` or `desc`.
        order: Option<EventOrder> = word(EventOrder::ALL, EventOrder::as_str),
        /// The event the page follows.
        after: Option<i64> = position(|sequence| sequence),
        /// Only events of this instance.
        instance: Option<InstanceId> = server_id(),
        /// Only events of this stream.
        stream: Option<StreamId> = digits(1..=MAX_SAFE_INTEGER, StreamId::new),
        /// Only events of this incident.
        incident: Option<IncidentId> = digits(1..=MAX_SAFE_INTEGER, IncidentId::new),
        /// Only events that this actor caused.
        actor: Option<Requester> = word(Requester::ALL, Requester::as_str),
        /// Only events of these kinds, with commas in between.
        kind: Option<Vec<&'static str>> = words(Event::KINDS, |kind| kind),
        /// Only events of then or later: a time, or how long ago.
        from: Option<Past> = past(),
        /// Only events of before that: a time, or how long ago.
        to: Option<Past> = past(),
        /// How many events, 1 to 1,000.
        limit: Option<u32> = stored_page_limit(),
    }
    check events_span
}

fn events_span(draft: &<EventsQuery as Record>::Draft) -> Refused {
    past_span(&draft.from, &draft.to)
}

impl EventsQuery {
    /// Returns the filter; `now` is what durations are counted from.
    pub(in crate::http) fn filter(self, now: WallTime) -> EventFilter {
        EventFilter {
            order: self.order.unwrap_or(EventOrder::Ascending),
            after: self.after,
            instance: self.instance,
            stream: self.stream,
            incident: self.incident,
            actor: self.actor,
            kinds: self.kind.unwrap_or_default(),
            from: self.from.map(|from| from.until(now)),
            to: self.to.map(|to| to.until(now)),
        }
    }
}

request! {
    /// `GET /resilience/events/stream`: where it begins, and what narrows it.
    pub(in crate::http) struct FollowQuery {
        /// The event the stream follows.
        after: Option<i64> = position(|sequence| sequence),
        /// Only events of this instance.
        instance: Option<InstanceId> = server_id(),
        /// Only events of this stream.
        stream: Option<StreamId> = digits(1..=MAX_SAFE_INTEGER, StreamId::new),
        /// Only events of this incident.
        incident: Option<IncidentId> = digits(1..=MAX_SAFE_INTEGER, IncidentId::new),
        /// Only events that this actor caused.
        actor: Option<Requester> = word(Requester::ALL, Requester::as_str),
        /// Only events of these kinds, with commas in between.
        kind: Option<Vec<&'static str>> = words(Event::KINDS, |kind| kind),
        /// Only events of then or later: a time, or how long ago. Without `after` the stream begins there.
        from: Option<Past> = past(),
        /// Only events of before that: a time, or how long ago.
        to: Option<Past> = past(),
        /// Whether the figures of the whole system are sent too, whenever they change: frames `figures`.
        figures: Option<bool> = switch(),
        /// An instance whose heartbeats are sent too: frames `beat`.
        beats: Option<InstanceId> = server_id(),
    }
    check follow_span
}

fn follow_span(draft: &<FollowQuery as Record>::Draft) -> Refused {
    past_span(&draft.from, &draft.to)
}

impl FollowQuery {
    /// Returns the filter, without where the stream begins; `now` is what durations are counted from.
    pub(in crate::http) fn filter(self, now: WallTime) -> EventFilter {
        EventFilter {
            order: EventOrder::Ascending,
            after: None,
            instance: self.instance,
            stream: self.stream,
            incident: self.incident,
            actor: self.actor,
            kinds: self.kind.unwrap_or_default(),
            from: self.from.map(|from| from.until(now)),
            to: self.to.map(|to| to.until(now)),
        }
    }
}

request! {
    /// The story of an instance or a stream: a page, oldest first.
    pub(in crate::http) struct StoryQuery {
        /// The event the page follows.
        after: Option<i64> = position(|sequence| sequence),
        /// Only what happened then or later: a time, or how long ago.
        from: Option<Past> = past(),
        /// Only what happened before that.
        to: Option<Past> = past(),
        /// How many events, 1 to 1,000.
        limit: Option<u32> = stored_page_limit(),
    }
    check story_span
}

fn story_span(draft: &<StoryQuery as Record>::Draft) -> Refused {
    past_span(&draft.from, &draft.to)
}

impl StoryQuery {
    /// Returns the filter, without what the story is about; `now` is what durations are counted from.
    pub(in crate::http) fn filter(&self, now: WallTime) -> EventFilter {
        EventFilter {
            after: self.after,
            from: self.from.map(|from| from.until(now)),
            to: self.to.map(|to| to.until(now)),
            ..EventFilter::default()
        }
    }
}

impl Past {
    /// Returns the moment, seen from `now`.
    pub(in crate::http) fn until(self, now: WallTime) -> WallTime {
        match self {
            Self::At(at) => at,
            Self::Ago(ago) => now - ago,
        }
    }
}

/// Refuses a span that ends before it begins. A time and a duration cannot be compared here: such a span
/// is only empty.
fn past_span(from: &Slot<Past>, to: &Slot<Past>) -> Refused {
    let mut refused = Refused::default();
    let is_reversed = match (from, to) {
        (Some(Ok(Past::At(from))), Some(Ok(Past::At(to)))) => from > to,
        (Some(Ok(Past::Ago(from))), Some(Ok(Past::Ago(to)))) => from < to,
        _ => false,
    };
    if is_reversed {
        refused.note("to", "must not be earlier than `from`");
    }
    refused
}

fn span(from: &Slot<WallTime>, to: &Slot<WallTime>) -> Refused {
    let mut refused = Refused::default();
    if let (Some(Ok(from)), Some(Ok(to))) = (from, to)
        && from > to
    {
        refused.note("to", "must not be earlier than `from`");
    }
    refused
}
