//! One actor per registered instance: it knows how long its instance has been silent.
//!
//! ```text
//!   Beat ─────────▶ machine.heartbeat ──┐
//!   timer fires ──▶ machine.handle_deadline ─▶ LivenessChanged { effect } to the RecoveryActor
//!   Fence ────────▶ machine.fence ──▶ Alive | Fenced
//!   StandingChanged ────────▶ machine.adopt (what is saved has changed)
//! ```
//!
//! One timer at a time: when it fires early, because the instance beat meanwhile or because
//! running time stood still, it is armed again. If the actor panics, the heartbeats stay in the
//! registry's entry and its successor takes its deadline from there.

mod actor;
mod reconcile;
mod reconciler;
mod releases;
mod watch_releases;

pub use actor::{InstanceActor, InstanceLinks};
