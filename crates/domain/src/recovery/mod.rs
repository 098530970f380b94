//! Recovers the streams of an instance that failed: in which order, how often, and what is recorded
//! about it.
//!
//! `pipeline` holds the steps as types. Each can be constructed only from the previous one, so a
//! recovery that skips one does not compile. `machine` knows which instances are being recovered,
//! one recovery each, and when the next attempt is due. `progress` is the record of the attempts in
//! an incident; `departure` knows the instances that leave for good once their lease is over;
//! `resumption` decides how incidents go on that an earlier run of the program left open.

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
