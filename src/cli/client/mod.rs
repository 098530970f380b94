//! The commands that talk to a running orchestrator, over HTTP like anybody else.
//!
//! `connection` asks, `table` aligns, and each command has a file that knows what its answer looks
//! like to a person. With `--json` what was answered is printed as JSON, of the same value; what would
//! deceive a reader is written as `\u202e` there.

mod call;
mod cluster;
mod connection;
mod consistency;
mod incidents;
mod question;
mod recovery;
mod routes;
mod status;
mod table;

pub(super) use call::ask;
pub(super) use question::{Question, Subject};
