//! The running system, as seen from outside: handles of the actors, and no actor itself.
//!
//! | file | calls of |
//! | --- | --- |
//! | `heartbeat` | a worker that beats, or shows otherwise that it lives |
//! | `worker` | a worker that registers, leaves, or waits for changes |
//! | `operator` | an operator who gives an order |
//! | `questions` | any caller that reads the state |
//! | `access` | an admin who makes and revokes keys |
//! | `facade` | every caller: commands, queries, and the handles themselves |

mod access;
mod facade;
mod heartbeat;
mod operator;
mod questions;
mod webhooks;
mod worker;

pub use facade::Orchestrator;
