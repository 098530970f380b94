//! The library for the author of a worker: it keeps the contract of `docs/WORKERS.md`.
//!
//! An author writes two calls, `start` and `stop`. This worker runs two streams of an orchestrator
//! for tests, which needs neither a server nor a database:
//!
//! ```
//! use orchestrator_client::testing::FakeOrchestrator;
//! use orchestrator_client::{Failure, Permit, Runner, StopReason, StreamAssignment, Worker};
//!
//! struct Radios;
//!
//! impl Runner for Radios {
//!     fn start(&mut self, stream: &StreamAssignment, permit: Permit) -> Result<(), Failure> {
//!         // Begin the work on a thread or process of its own, and return. The work checks
//!         // `permit.is_valid()` before each result, and stores `stream.epoch` with it.
//!         println!("start {}", stream.id);
//!         Ok(())
//!     }
//!
//!     fn stop(&mut self, stream: &StreamAssignment, reason: StopReason) {
//!         // Return once the stream does not run any more.
//!         println!("stop {}: {reason}", stream.id);
//!     }
//! }
//!
//! let orchestrator = FakeOrchestrator::start()?;
//! orchestrator.assign([1, 2]);
//!
//! let worker = Worker::builder(orchestrator.url(), "worker-1")
//!     .max_streams(20)
//!     .start(Radios)?;
//!
//! assert!(orchestrator.wait_until_running(&[1, 2]).is_some());
//! worker.leave()?; // stops both, releases them and says goodbye
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A program that should run until it is ended calls [`Worker::wait`] instead of [`Worker::leave`].
//! `examples/worker.rs` is a complete one.
//!
//! # The words
//!
//! | word | meaning |
//! | --- | --- |
//! | [`Worker`] | this program, as the orchestrator knows it under its `server_id` |
//! | [`Runner`] | the author's part: it starts and stops streams |
//! | [`StreamAssignment`] | a stream to run: id, epoch, name, URL, mode of hand-over |
//! | [`Epoch`] | the number of one assignment; it only grows, and goes along with results |
//! | lease | the time for which exclusive streams may run without a further answer |
//! | [`Permit`] | the lease as seen by one stream: valid, or over |
//! | incarnation | the number of one life of a worker; each registration begins another |
//!
//! # Where things live
//!
//! [`machine`] has the rules, without a clock, a thread or a socket. A worker has four threads: one
//! carries out what the machine decides and never waits for another (`keeper.rs`); one sends
//! requests, one at a time (`wire.rs`); one waits for news (`news.rs`); one calls the [`Runner`]
//! (`performer.rs`). [`testing`] has the orchestrator for tests.
//!
//! So if the network hangs, exclusive streams still stop when the lease ends, because the keeper
//! waits for no answer: after nine tenths of the lease, if the orchestrator says nothing else. The
//! lease counts from the moment the last answered heartbeat was *sent*, on a clock that goes on
//! while the computer sleeps. And if a call of the runner is slow, no other stream loses its lease,
//! because heartbeats go on beside it.
//!
//! Nothing of the server is built for this library. An orchestrator that speaks TLS needs the feature `tls`, and
//! `Builder::tls` if its authority is a private one, or knows workers by their certificates.

mod agent;
mod keeper;
pub mod machine;
mod message;
mod news;
mod orchestrators;
mod performer;
mod permit;
mod reading;
mod registration;
mod runner;
mod stream;
pub mod testing;
#[cfg(feature = "tls")]
mod tls;
mod wire;
mod worker;

pub use permit::Permit;
pub use runner::{Failure, Notice, Runner};
pub use stream::{Ending, Epoch, Handoff, StopReason, StreamAssignment, StreamId};
#[cfg(feature = "tls")]
pub use tls::TlsFiles;
pub use worker::{Builder, Handle, Worker, WorkerError};
