//! The real actors in virtual time, on a store in memory that can fail: one scenario a promise.

mod faults;
#[path = "actors/liveness.rs"]
mod liveness;
#[path = "actors/rig.rs"]
mod rig;
#[path = "actors/room.rs"]
mod room;
#[path = "actors/supervision.rs"]
mod supervision;
