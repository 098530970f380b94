//! Every rule of the program, and nothing else.
//!
//! What lives here is pure: it takes the time as an argument, does no I/O, knows no actor, no
//! database and no log, and walks only ordered collections, so the same input gives the same
//! result on every machine. Actors, the store and HTTP are shells around it. It may use `std`
//! and `serde`.

#![deny(clippy::wildcard_enum_match_arm)]

pub mod alert;
pub mod backoff;
pub mod brake;
pub mod breaker;
pub mod commands;
pub mod consistency;
pub mod digest;
pub mod endings;
pub mod event_filter;
pub mod events;
pub mod fleet;
pub mod handover;
pub mod health;
pub mod heartbeat;
pub mod heartbeat_outcome;
pub mod identity;
pub mod ids;
pub mod incident;
pub mod instance;
pub mod invariants;
pub mod leadership;
pub mod lease;
pub mod ledger;
pub mod liveness;
pub mod masked_url;
pub mod movements;
pub mod outbox;
pub mod patterns;
pub mod probation;
pub mod queries;
pub mod reason;
pub mod reconciliation;
pub mod recovery;
pub mod release_watch;
pub mod return_timer;
pub mod returns;
pub mod running_time;
#[cfg(test)]
mod sample;
pub mod settings;
pub mod spelling;
pub mod startup;
pub mod stream;
pub mod stream_url;
mod string_enum;
pub mod supervision;
pub mod sweep;
pub mod time;
pub mod timeline;
pub mod withdrawal;
