//! The fleet in memory: nothing outlives the process. For tests, simulation and trying out.

mod adapter;
mod events;
mod leadership;
mod seat;

pub use adapter::MemoryStore;
