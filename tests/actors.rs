//! The real actors in virtual time, on a store in memory that can fail: one scenario a promise.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test says what it found by failing"
)]

#[path = "actors/alerts.rs"]
mod alerts;
#[path = "actors/batches.rs"]
mod batches;
#[path = "actors/brake.rs"]
mod brake;
#[path = "actors/breakers.rs"]
mod breakers;
#[path = "actors/clean_up.rs"]
mod clean_up;
#[path = "actors/clock_steps.rs"]
mod clock_steps;
#[path = "actors/doubt.rs"]
mod doubt;
#[path = "actors/emergency.rs"]
mod emergency;
mod faults;
#[path = "actors/flapping.rs"]
mod flapping;
#[path = "actors/handover.rs"]
mod handover;
#[path = "actors/health.rs"]
mod health;
#[path = "actors/heartbeats.rs"]
mod heartbeats;
#[path = "actors/identity.rs"]
mod identity;
#[path = "actors/leases.rs"]
mod leases;
#[path = "actors/liveness.rs"]
mod liveness;
#[path = "actors/long_poll.rs"]
mod long_poll;
#[path = "actors/outage.rs"]
mod outage;
#[path = "actors/reconcile.rs"]
mod reconcile;
#[path = "actors/recovery_attempts.rs"]
mod recovery_attempts;
#[path = "actors/recovery_placement.rs"]
mod recovery_placement;
#[path = "actors/recovery_resumption.rs"]
mod recovery_resumption;
#[path = "actors/reports.rs"]
mod reports;
#[path = "actors/restart.rs"]
mod restart;
#[path = "actors/rig.rs"]
mod rig;
#[path = "actors/room.rs"]
mod room;
#[path = "actors/standstill.rs"]
mod standstill;
#[path = "actors/supervision.rs"]
mod supervision;
