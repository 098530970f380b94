//! What happened, in the past tense: one vocabulary for the store, the log, the metrics and the
//! tests. An event is saved in the same transaction as its change.
//!
//! `event` has the events, `kind` says what each is about, and `sentence` how it reads in the log.

mod event;
mod kind;
mod sentence;

pub use event::{DatedEvent, Event, RemovalReason};
pub use sentence::EventSeverity;

#[cfg(test)]
mod tests;
