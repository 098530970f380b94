//! The commands that call a running orchestrator, over HTTP like any other client.
//!
//! `connection` sends requests, `table` aligns columns, and each command has a file that prints its
//! answer; those that list are in `lists`. With `--json` the answer is printed as JSON of the same value;
//! characters that would deceive a reader are written as `\u202e` there. `watch` repeats a question. `bundle` asks for
//! everything that a helper needs, and writes it to a file.

mod alerts;
mod bundle;
mod call;
mod capacity;
mod cluster;
mod connection;
mod consistency;
mod events;
mod explain;
mod incidents;
mod keys;
mod list_order;
mod lists;
mod numbers;
mod output_format;
mod pause;
mod planned;
mod plans;
mod progress;
mod question;
mod rebalance;
mod recovery;
mod routes;
mod status;
mod story;
mod stream_order;
mod streams;
mod table;
mod top;
mod watch;
mod webhooks;

pub(super) use call::{ask, look};
pub(super) use keys::KeyCall;
pub(super) use list_order::{List, ListOrder};
pub(super) use output_format::OutputFormat;
pub(super) use question::{
    Address, AlertOrder, ClusterOrder, EventsOrder, PlannedOrder, Question, RebalanceOrder,
    StoryOrder, Subject, Work,
};
pub(super) use stream_order::{ImportOrder, StreamsOrder};
pub(super) use webhooks::{WebhookCall, WebhookOrder};
