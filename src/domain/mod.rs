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
pub mod event_filter;
pub mod events;
pub mod fleet;
pub mod handover;
pub mod health;
pub mod heartbeat;
pub mod identity;
pub mod ids;
pub mod incident;
pub mod instance;
pub mod invariants;
pub mod lease;
pub mod liveness;
pub mod patterns;
pub mod probation;
pub mod queries;
pub mod reconciliation;
pub mod recovery;
pub mod running_time;
pub mod settings;
pub mod spelling;
pub mod stream;
pub mod supervision;
pub mod sweep;
pub mod time;
