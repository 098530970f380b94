//! Recovering the streams of an instance that failed: in which order, how often, and what is
//! written down about it.
//!
//! `pipeline` holds the steps as types: each is made by the one before it and by nothing else, so
//! a recovery that skips one does not compile. `machine` knows which instances are being
//! recovered, one recovery each, and when the next attempt is due. `progress` is what an incident
//! is told of the attempts; `departure` knows who leaves for good once its lease is over; `resumption` says
//! what becomes of those an earlier run of the program left open.

mod departure;
mod machine;
mod pipeline;
mod progress;
mod resumption;

pub use departure::Departures;
pub use machine::{Failure, Recoveries, Retry, Step};
pub use pipeline::{
    Applied, Averted, Confirmed, Detected, Manner, Opened, Refreshed, Unverified, Verified,
};
pub(crate) use progress::step;
pub use progress::{MOST_FAILED_STEPS, Progress};
pub use resumption::{Resumption, resumption};
