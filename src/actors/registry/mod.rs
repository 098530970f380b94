//! Where heartbeats find their instance.
//!
//! There is one entry per instance. The `FleetActor` publishes what it saved into it, the
//! `Supervisor` the link to the instance's actor; every caller may read it.

mod directory;
mod entry;
#[cfg(test)]
mod tests;

pub(in crate::actors) use directory::Published;
pub use directory::Registry;
pub use entry::{Duplicate, Entry, Reported};
