//! The commands that call a running orchestrator, over HTTP like any other client.
//!
//! `connection` sends requests, `table` aligns columns, and each command has a file that prints its
//! answer. With `--json` the answer is printed as JSON of the same value; characters that would
//! deceive a reader are written as `\u202e` there.

mod call;
mod capacity;
mod cluster;
mod connection;
mod consistency;
mod events;
mod explain;
mod incidents;
mod numbers;
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

pub(super) use call::ask;
pub(super) use question::{EventsOrder, PlannedOrder, Question, StoryOrder, Subject, Work};
pub(super) use stream_order::{ImportOrder, StreamsOrder};
