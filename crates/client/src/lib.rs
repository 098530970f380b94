//! For the author of a worker: the contract of `docs/WORKERS.md`, kept.
//!
//! ```no_run
//! use orchestrator_client::{Permit, Runner, StopReason, StreamAssignment, Worker};
//!
//! struct Mine;
//!
//! impl Runner for Mine {
//!     fn start(
//!         &mut self,
//!         stream: &StreamAssignment,
//!         permit: Permit,
//!     ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//!         // Begin to work on the stream, on a thread or process of its own, and return.
//!         Ok(())
//!     }
//!
//!     fn stop(&mut self, stream: &StreamAssignment, reason: StopReason) {
//!         // Return once it does not run any more.
//!     }
//! }
//!
//! let worker = Worker::builder("http://localhost:8001", "worker-1")
//!     .max_streams(20)
//!     .start(Mine)?;
//! worker.wait()?; // as long as it lives
//! # Ok::<(), orchestrator_client::WorkerError>(())
//! ```
//!
//! A worker has four threads. One keeps the rules (`keeper.rs`, `machine`) and never waits for
//! another. One speaks with the orchestrator, one request at a time (`wire.rs`); one waits for news
//! (`news.rs`); one calls the [`Runner`] (`performer.rs`). So exclusive streams are told to stop when
//! the lease ends whatever the network does: after nine tenths of it, if the orchestrator says
//! nothing else, counted from the moment the last answered heartbeat was *sent*, on a clock that
//! goes on while the machine sleeps. And so a slow call to the runner costs no other stream its
//! lease.
//!
//! Nothing of the server is built for it.

mod keeper;
pub mod machine;
mod message;
mod news;
mod performer;
mod permit;
mod reading;
mod registration;
mod runner;
mod stream;
pub mod testing;
mod wire;
mod worker;

pub use permit::Permit;
pub use runner::{Failure, Notice, Runner};
pub use stream::{Ending, Epoch, Handoff, StopReason, StreamAssignment, StreamId};
pub use worker::{Builder, Handle, Worker, WorkerError};
