//! What is counted while the program runs, for `/metrics`.
//!
//! Only totals: nothing is labelled by instance or stream, so that a large fleet does not make
//! large scrapes. `docs/METRICS.md` lists every family.

use std::hash::Hash;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::store_calls::{ErrorClass, StoreCalls};
use super::timings::{DETECTION_BOUNDS, RECOVERY_BOUNDS, REQUEST_BOUNDS, SILENCE_BOUNDS, Timings};
use crate::domain::alert::AlertKind;
use crate::domain::breaker::{BreakerName, BreakerState};
use crate::domain::events::Event;
use crate::domain::incident::{FailureCause, IncidentOutcome};
use crate::domain::reason::{AssignReason, OrphanReason};
use crate::domain::time::Timestamp;
use crate::domain::unowned::{Unowned, UnownedSeconds, UnownedTime};

/// The kind of a domain event.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct EventLabel {
    /// `Event::kind`.
    pub kind: &'static str,
}

/// The kind of an alert, or of a claim.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct KindLabel {
    /// `AlertKind::as_str`, or `ClaimKind::as_str`.
    pub kind: &'static str,
}

/// The reason of a move, or of a wait.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReasonLabel {
    /// `AssignReason::as_str`, or `OrphanReason::as_str`.
    pub reason: &'static str,
}

/// How something ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OutcomeLabel {
    /// One word.
    pub outcome: &'static str,
}

/// How a heartbeat was answered.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ResultLabel {
    /// `BeatResult::as_str`.
    pub result: &'static str,
}

/// Why an instance counts as failed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CauseLabel {
    /// `FailureCause::as_str`.
    pub cause: &'static str,
}

/// A state of a stream without an owner.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct UnownedLabel {
    /// `StreamState::as_str`.
    pub state: &'static str,
}

/// What waits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct QueueLabel {
    /// `MemoryQueue::as_str`.
    pub queue: &'static str,
}

/// The state of a circuit breaker.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct BreakerLabel {
    /// Its name.
    pub breaker: String,
    /// A state it may be in.
    pub state: &'static str,
}

/// A target of webhooks.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
#[expect(missing_docs, reason = "the names say it")]
pub struct WebhookLabel {
    pub webhook: String,
}

/// A target of webhooks, and how a try ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
#[expect(missing_docs, reason = "the names say it")]
pub struct WebhookOutcomeLabel {
    pub webhook: String,
    pub outcome: &'static str,
}

/// A target of webhooks, and a state its breaker may be in.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
#[expect(missing_docs, reason = "the names say it")]
pub struct WebhookStateLabel {
    pub webhook: String,
    pub state: &'static str,
}

/// A route.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
#[expect(missing_docs, reason = "the names say it")]
pub struct RouteLabel {
    pub method: &'static str,
    pub route: &'static str,
}

/// An answer of a route.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
#[expect(missing_docs, reason = "the names say it")]
pub struct AnswerLabel {
    pub method: &'static str,
    pub route: &'static str,
    pub status: u16,
}

/// Declares an enum of the values of a label.
macro_rules! label_values {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Returns the value of the label.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }
    };
}

label_values! {
    /// How a heartbeat was answered.
    BeatResult {
        /// With 200.
        Accepted = "accepted",
        /// With 404: its instance is not registered.
        UnknownInstance = "unknown_instance",
        /// With 409: its instance lives another life.
        OtherIncarnation = "other_incarnation",
        /// With 4xx for its content.
        Malformed = "malformed",
    }
}

label_values! {
    /// Why a request was refused for its caller.
    AuthRefusal {
        /// It shows no credential.
        Missing = "missing",
        /// Its key is none.
        Malformed = "malformed",
        /// Its key is not known.
        Unknown = "unknown",
        /// The time of its key is over.
        Expired = "expired",
        /// Its key was revoked.
        Revoked = "revoked",
        /// Its session is over.
        NoSession = "no_session",
        /// It is a change by a cookie, without the header that proves where it is from.
        CookieAlone = "cookie_alone",
        /// Its caller has another role than is needed.
        Role = "role",
        /// Its address has shown bad keys too often.
        Throttled = "throttled",
    }
}

label_values! {
    /// A claim that another worker has, too.
    ClaimKind {
        /// Two processes were found under one name.
        Instance = "instance",
        /// A worker runs a stream that it should not run, although it was notified again.
        Surplus = "surplus",
        /// A sink asked about a claim to a stream that another worker owns.
        Stale = "stale",
    }
}

label_values! {
    /// What waits in memory.
    MemoryQueue {
        /// Commands that are not decided yet.
        Commands = "commands",
        /// Commands of a refused transaction, which are tried in smaller groups.
        Retries = "retries",
        /// Heartbeats on their way to the actor that saves them.
        Mailbox = "heartbeat_mailbox",
        /// Last heartbeats and metrics that are not saved yet.
        Records = "records",
    }
}

/// Creates the series of a family.
fn begin<L, M>(family: &Family<L, M>, labels: impl Iterator<Item = L>)
where
    L: Clone + Hash + Eq,
    M: Default,
{
    for label in labels {
        drop(family.get_or_create(&label));
    }
}

/// Declares every family once: its field, its type with the value at the start, its name and its help.
macro_rules! families {
    ($($field:ident: $type:ty = $value:expr, $name:literal, $help:literal;)+) => {
        /// The counters, gauges and histograms. Each is updated by the one part that it is about.
        #[derive(Debug)]
        pub struct Telemetry {
            $(#[doc = $help] pub $field: $type,)+
            /// Calls of the store by operation.
            pub store_calls: StoreCalls,
            /// Heartbeats on their way to the actor that saves them: one of the series of `queue_length`.
            pub(super) heartbeat_mailbox: Gauge,
            unowned: Mutex<UnownedTime>,
        }

        impl Telemetry {
            /// Creates the families and registers them under `orchestrator_`.
            pub fn new(registry: &mut Registry) -> Self {
                let registry = registry.sub_registry_with_prefix("orchestrator");
                let mut telemetry = Self {
                    $($field: $value,)+
                    heartbeat_mailbox: Gauge::default(),
                    store_calls: StoreCalls::default(),
                    unowned: Mutex::default(),
                };
                $(registry.register($name, $help, telemetry.$field.clone());)+
                registry.register_collector(Box::new(telemetry.store_calls.clone()));
                telemetry.begin_at_zero();
                // Found once: it changes twice with each heartbeat.
                let queue = MemoryQueue::Mailbox.as_str();
                let mailbox = telemetry.queue_length.get_or_create_owned(&QueueLabel { queue });
                telemetry.heartbeat_mailbox = mailbox;
                telemetry
            }
        }
    };
}

type Durations<L> = Family<L, Timings, fn() -> Timings>;

families! {
    heartbeats: Family<ResultLabel, Counter> = Family::default(),
        "heartbeats", "Heartbeats by result";
    heartbeat_silence: Timings = Timings::new(SILENCE_BOUNDS),
        "heartbeat_silence_seconds", "Time between two heartbeats of an instance";
    detection_delay: Timings = Timings::new(DETECTION_BOUNDS),
        "detection_delay_seconds", "Time from the last heartbeat of an instance to the detection that it has failed by silence";
    failures: Family<CauseLabel, Counter> = Family::default(),
        "failures", "Instances that were declared failed, by cause";
    recoveries: Family<OutcomeLabel, Counter> = Family::default(),
        "recoveries", "Recoveries that have ended, by outcome";
    recovery_seconds: Timings = Timings::new(RECOVERY_BOUNDS),
        "recovery_seconds", "Time from the detection of a failure to the saved recovery";
    events: Family<EventLabel, Counter> = Family::default(),
        "events", "Domain events by kind";
    streams_moved: Family<ReasonLabel, Counter> = Family::default(),
        "streams_moved", "Streams that went from one instance to another, by reason";
    streams_orphaned: Family<ReasonLabel, Counter> = Family::default(),
        "streams_orphaned", "Streams that lost their instance and found no other at once, by reason";
    unowned_seconds: Family<UnownedLabel, Counter<f64, AtomicU64>> = Family::default(),
        "unowned_stream_seconds", "Time that streams which should run were without an owner, added up over the streams, by their state";
    duplicate_claims: Family<KindLabel, Counter> = Family::default(),
        "duplicate_claims", "Claims to a name or a stream that another worker has, by kind";
    saves: Family<OutcomeLabel, Counter> = Family::default(),
        "saves", "Fleet transactions by outcome";
    batch_commands: Histogram = Histogram::new(exponential_buckets(1.0, 4.0, 6)),
        "batch_commands", "Commands saved together in one transaction";
    queue_length: Family<QueueLabel, Gauge> = Family::default(),
        "queue_length", "Entries that wait in memory, by queue";
    records_dropped: Counter = Counter::default(),
        "records_dropped", "Heartbeats, metrics, alerts and points of history that could not be kept until the store came back";
    records_refused: Counter = Counter::default(),
        "records_refused", "Rows the database refused for their content";
    cluster_witnesses_used: Counter = Counter::default(),
        "cluster_witnesses_used", "Instances that did not fail because another orchestrator heard them for a leader that it did not reach";
    answers_withheld: Counter = Counter::default(),
        "answers_withheld", "Answers withheld because the database did not confirm in time that this orchestrator leads";
    actor_restarts: Counter = Counter::default(),
        "actor_restarts", "Actors of instances that ended and were replaced";
    stalls: Counter = Counter::default(),
        "stalls", "Times the whole process stood still";
    stalled_seconds: Counter<f64, AtomicU64> = Counter::default(),
        "stalled_seconds", "Time for which the process stood still";
    headroom_streams: Gauge = Gauge::default(),
        "capacity_headroom_streams", "Streams the fleet could take and still absorb the loss of any one instance; negative if it cannot";
    store_up: Gauge = Gauge::default(),
        "store_up", "Whether the store answers";
    breaker_state: Family<BreakerLabel, Gauge> = Family::default(),
        "breaker_state", "Whether a circuit breaker is in a state";
    breaker_transitions: Family<BreakerLabel, Counter> = Family::default(),
        "breaker_transitions", "Times a circuit breaker came into a state";
    requests_shed: Counter = Counter::default(),
        "requests_shed", "Requests refused because too many were under way";
    auth_refusals: Family<ReasonLabel, Counter> = Family::default(),
        "auth_refusals", "Requests refused for their caller, by reason: no key, a bad one, or one of another role";
    http_requests: Family<AnswerLabel, Counter> = Family::default(),
        "http_requests", "Requests by method, route and status";
    http_request_seconds: Durations<RouteLabel> = Family::new_with_constructor(|| Timings::new(REQUEST_BOUNDS)),
        "http_request_seconds", "Time until the answer to a request was made, by method and route";
    brake_engaged: Gauge = Gauge::default(),
        "brake_engaged", "Whether a mass failure is held";
    brake_engagements: Counter = Counter::default(),
        "brake_engagements", "Times a mass failure was held";
    system_health: Gauge = Gauge::default(),
        "system_health", "How the system is: 0 healthy, 1 degraded, 2 critical, 3 emergency";
    alerts_opened: Family<KindLabel, Counter> = Family::default(),
        "alerts_opened", "Alerts that were opened, by kind";
    alerts_open: Family<KindLabel, Gauge> = Family::default(),
        "alerts_open", "Alerts that are open, by kind";
    webhook_deliveries: Family<WebhookOutcomeLabel, Counter> = Family::default(),
        "webhook_deliveries", "Tries to deliver a message to a webhook, by how they ended: delivered, retried, failed";
    webhook_waiting: Family<WebhookLabel, Gauge> = Family::default(),
        "webhook_waiting", "Messages that wait for a webhook in memory";
    webhook_breaker_state: Family<WebhookStateLabel, Gauge> = Family::default(),
        "webhook_breaker_state", "Whether the circuit breaker of a webhook is in a state";
    sweep_differences: Counter = Counter::default(),
        "sweep_differences", "Differences found between actors, memory and store";
}

impl Telemetry {
    /// Creates the series whose labels are known, so that the first event is an increase, too.
    fn begin_at_zero(&self) {
        self.store_up.set(1);
        for result in BeatResult::ALL {
            self.count_heartbeat(*result, 0);
        }
        let refusals = AuthRefusal::ALL.iter().map(|refusal| ReasonLabel {
            reason: refusal.as_str(),
        });
        begin(&self.auth_refusals, refusals);
        for kind in ClaimKind::ALL {
            self.count_claims(*kind, 0);
        }
        for queue in MemoryQueue::ALL {
            self.show_waiting(*queue, 0);
        }
        let causes = FailureCause::ALL.iter().map(|cause| CauseLabel {
            cause: cause.as_str(),
        });
        begin(&self.failures, causes);
        let outcomes = IncidentOutcome::ALL.iter().map(|outcome| OutcomeLabel {
            outcome: outcome.as_str(),
        });
        begin(&self.recoveries, outcomes);
        let errors = ErrorClass::ALL.iter().map(|class| class.as_str());
        let outcomes = std::iter::once("saved").chain(errors);
        begin(
            &self.saves,
            outcomes.map(|outcome| OutcomeLabel { outcome }),
        );
        let reasons = AssignReason::ALL.iter().map(|reason| ReasonLabel {
            reason: reason.as_str(),
        });
        begin(&self.streams_moved, reasons);
        let reasons = OrphanReason::ALL.iter().map(|reason| ReasonLabel {
            reason: reason.as_str(),
        });
        begin(&self.streams_orphaned, reasons);
        let kinds = AlertKind::ALL.iter().map(|kind| KindLabel {
            kind: kind.as_str(),
        });
        begin(&self.alerts_opened, kinds.clone());
        begin(&self.alerts_open, kinds);
        let kinds = Event::KINDS.iter().map(|kind| EventLabel { kind });
        begin(&self.events, kinds);
        let states = Unowned::default().by_state();
        let states = states.into_iter().map(|(state, _)| UnownedLabel {
            state: state.as_str(),
        });
        begin(&self.unowned_seconds, states);
        for breaker in [BreakerName::STORE_READS, BreakerName::STORE_WRITES] {
            let labels = BreakerState::ALL.iter().map(|state| BreakerLabel {
                breaker: breaker.to_string(),
                state: state.as_str(),
            });
            begin(&self.breaker_transitions, labels);
        }
    }

    /// Counts heartbeats by how they were answered.
    pub fn count_heartbeat(&self, result: BeatResult, count: u64) {
        let result = result.as_str();
        let counter = self.heartbeats.get_or_create(&ResultLabel { result });
        counter.inc_by(count);
    }

    /// Counts a request that was refused for its caller.
    pub fn count_auth_refusal(&self, refusal: AuthRefusal) {
        let reason = refusal.as_str();
        let counter = self.auth_refusals.get_or_create(&ReasonLabel { reason });
        counter.inc();
    }

    /// Counts claims that another worker has, too.
    pub fn count_claims(&self, kind: ClaimKind, count: u64) {
        let kind = kind.as_str();
        let counter = self.duplicate_claims.get_or_create(&KindLabel { kind });
        counter.inc_by(count);
    }

    /// Shows how much waits in a queue.
    pub(super) fn show_waiting(&self, queue: MemoryQueue, length: usize) {
        let queue = queue.as_str();
        let gauge = self.queue_length.get_or_create(&QueueLabel { queue });
        gauge.set(i64::try_from(length).unwrap_or(i64::MAX));
    }

    /// Counts an answer of a route, and how long it took.
    pub fn count_answer(&self, answer: &AnswerLabel, took: Duration) {
        self.http_requests.get_or_create(answer).inc();
        let route = RouteLabel {
            method: answer.method,
            route: answer.route,
        };
        let timings = self.http_request_seconds.get_or_create(&route);
        timings.observe(took);
    }

    /// Notes how many streams are without an owner from now on.
    pub(super) fn note_unowned(&self, now: Timestamp, unowned: Unowned) {
        self.advance_unowned(|time| time.changed(now, unowned));
    }

    /// Adds the time up to now that streams were without an owner.
    pub fn count_unowned(&self, now: Timestamp) {
        self.advance_unowned(|time| time.advance(now));
    }

    fn advance_unowned(&self, advance: impl FnOnce(&mut UnownedTime) -> UnownedSeconds) {
        let mut time = self.unowned.lock().unwrap_or_else(PoisonError::into_inner);
        for (state, seconds) in advance(&mut time) {
            let state = state.as_str();
            let counter = self.unowned_seconds.get_or_create(&UnownedLabel { state });
            counter.inc_by(seconds);
        }
    }
}
