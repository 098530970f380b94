//! The fleet in memory: nothing outlives the process. For tests, simulation and trying out.

mod adapter;
mod events;

pub use adapter::MemoryStore;
