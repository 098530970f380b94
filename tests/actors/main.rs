//! The real actors in virtual time, on a store in memory that can fail: one scenario a promise.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test says what it found by failing"
)]

mod alerts;
mod balance;
mod batches;
mod brake;
mod breakers;
mod clean_up;
mod clock_steps;
mod doubt;

mod emergency;
mod event_tail;
#[path = "../faults/mod.rs"]
mod faults;
mod filling;
mod flapping;
mod handover;
mod health;
mod heartbeats;
mod identity;
mod leases;
mod liveness;
mod long_poll;
#[path = "../support/commands.rs"]
mod orders;
mod outage;
mod quarantine;
mod reconcile;
mod recovery_attempts;
mod recovery_placement;
mod recovery_resumption;
mod releases;
mod reports;
mod restart;
mod returned;
mod rig;
mod rolls;
mod room;
mod series;
mod standstill;
mod supervision;
#[path = "../support_log/mod.rs"]
mod support_log;
mod webhooks;
