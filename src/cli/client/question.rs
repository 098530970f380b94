//! The questions and orders that the command line sends to a running orchestrator.

use std::ffi::OsString;
use std::time::Duration;

use serde_json::{Map, Value};

use super::keys::KeyCall;
use super::list_order::ListOrder;
use super::output_format::OutputFormat;
use super::stream_order::StreamsOrder;
use super::webhooks::WebhookOrder;

/// A question or an order to a running orchestrator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Question {
    pub(in crate::cli) subject: Subject,
    pub(in crate::cli) address: Address,
    pub(in crate::cli) output: OutputFormat,
    /// How long after an answer the question is sent again; `None`: it is sent once.
    pub(in crate::cli) watch: Option<Duration>,
}

/// Where the orchestrator is, as it was given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::cli) struct Address {
    /// The value of the flag `--url`.
    pub(in crate::cli) url: Option<OsString>,
    /// The value of the flag `--key-file`.
    pub(in crate::cli) key_file: Option<OsString>,
}

/// The subject of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) enum Subject {
    /// The state of the fleet; the flag says whether the exit code is the health.
    Status { judged: bool },
    /// A list.
    List(ListOrder),
    /// One incident with its steps, by its id.
    Incident(String),
    /// What happened, or happens.
    Events(EventsOrder),
    /// What happened to an instance or a stream.
    Story(StoryOrder),
    /// Whether the invariants hold.
    Consistency,
    /// Whether the loss of an instance could be absorbed.
    Capacity,
    /// Why a stream is where it is, by its id, or why an instance gets streams or does not, by its name.
    Explain(String),
    /// Who leads, and who else is there.
    Cluster,
    /// What becomes of the leadership, and of the standbys.
    OrderCluster(ClusterOrder),
    /// Everything that a helper needs, in a file.
    SupportBundle { file: Option<OsString> },
    /// The catalogue.
    Streams(StreamsOrder),
    /// That the fleet is balanced, or how it would be.
    Rebalance(RebalanceOrder),
    /// Planned work.
    Planned(PlannedOrder),
    /// What becomes of an alert.
    Alert(AlertOrder),
    /// Receivers outside.
    Webhooks(WebhookOrder),
    /// Keys of callers.
    Keys(KeyCall),
    /// The recovery of an instance that has failed, now.
    Recover(String),
    /// The recovery of an instance whether it has failed or not.
    Emergency { id: String, reason: String },
}

/// An order about the orchestrators of one database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) enum ClusterOrder {
    /// A standby takes over.
    TakeOver { reason: String },
    /// The leader hands over.
    StepDown {
        to: Option<String>,
        wait: bool,
        reason: String,
    },
    /// A standby that is away is forgotten.
    Forget { node: String },
}

/// An order about alerts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) enum AlertOrder {
    Acknowledge {
        id: String,
        note: Option<String>,
    },
    /// With the fields of the request.
    Silence(Value),
    Unsilence {
        id: String,
    },
}

/// What is to be shown of the events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct EventsOrder {
    /// The conditions, by parameter.
    pub(in crate::cli) parameters: Vec<(&'static str, String)>,
    pub(in crate::cli) limit: Option<String>,
    /// Whether it goes on with what happens.
    pub(in crate::cli) follow: bool,
}

/// Whose story is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct StoryOrder {
    pub(in crate::cli) id: String,
    pub(in crate::cli) is_stream: bool,
    /// The span, by parameter.
    pub(in crate::cli) parameters: Vec<(&'static str, String)>,
}

/// An order to balance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct RebalanceOrder {
    /// The parameters of the call.
    pub(in crate::cli) parameters: Vec<(&'static str, String)>,
    /// Whether the command waits until no move is under way.
    pub(in crate::cli) wait: bool,
}

/// The kinds of planned work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Work {
    Cordon,
    Uncordon,
    Drain,
    CancelDrain,
    Maintenance,
    /// A new roll.
    Roll,
    /// All rolls.
    Rolls,
    ShowRoll,
    /// A roll is paused, resumed or cancelled.
    OrderRoll(&'static str),
}

/// An order of planned work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct PlannedOrder {
    pub(in crate::cli) work: Work,
    /// The instance, or the roll.
    pub(in crate::cli) id: String,
    /// The fields of the request.
    pub(in crate::cli) body: Map<String, Value>,
    /// Whether nothing is changed.
    pub(in crate::cli) dry_run: bool,
    /// Whether the command waits for the end.
    pub(in crate::cli) wait: bool,
}

impl PlannedOrder {
    /// Adds a field to the request.
    pub(in crate::cli) fn put(&mut self, name: &str, value: Value) {
        self.body.insert(name.to_owned(), value);
    }
}
