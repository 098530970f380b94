//! What happened, in the past tense: one vocabulary for the store, the log, the metrics and the
//! tests. An event is saved in the same transaction as its change.
//!
//! `event` has the events, `kind` says what each is about, `origin` who caused it, and `sentence` and
//! `detail` how it reads.

mod detail;
mod event;
mod kind;
mod origin;
mod sentence;

pub use event::{DatedEvent, Event, RemovalReason};
pub use sentence::EventSeverity;

#[cfg(test)]
mod tests;
