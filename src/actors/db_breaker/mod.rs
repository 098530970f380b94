//! Hears how every call to the store went, and probes it while it is out.
//!
//! Independent breakers (`domain/breaker.rs`) stand before what is read from the store and what
//! is written to it, kept in a map by name so that others can join. What each shows is published
//! (`gate.rs`), so that a caller refuses a call that would fail at once, without asking.
//!
//! | what happened | then |
//! | --- | --- |
//! | an outcome, or a permit that was dropped | the machine hears of it |
//! | a breaker opened | what shares its fate is looked at |
//! | a probe is due | reads: a ping; writes: [`ProbeWrites`] to the FleetActor, whose transaction is the probe and is heard of like any other |
//! | writes are let through again | recovery is woken |
//! | a state or a force changed | gate, gauges and listeners are notified |
//!
//! A message that is lost is the outcome of a probe at the worst; the machine gives it a limit.

mod access;
mod actor;
mod breaker;
mod force;
mod gate;
mod links;
mod outcome;

pub use access::StoreAccess;
pub use actor::DbBreakerActor;
pub use breaker::{BreakerReport, GivenForce};
pub use force::{AskBreakers, ForceBreaker};
pub use gate::{Gate, StoreGate};
pub use links::{BreakerChanged, BreakerLinks, ListenToBreakers, ProbeWrites, StoreReturned};
pub use outcome::StoreOutcome;
