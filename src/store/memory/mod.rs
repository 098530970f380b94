//! The fleet in memory: it ends with the process. For tests, simulation and trying out.

mod access;
mod adapter;
mod events;
mod leadership;
mod seat;
mod tables;
mod webhook_tables;
mod webhooks;

pub use adapter::MemoryStore;
