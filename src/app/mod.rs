//! The composition root: the only place that knows every concrete type, and the order in which
//! things start and stop.
//!
//! Start: the port first (a second orchestrator on the same machine must not take the term away
//! from the first before it finds the port taken), with HTTP that answers 503, then the database
//! (`app/starting.rs`), then the actors, then HTTP for everybody. Stop: no deadline runs out any
//! more, what is on its way is answered, then no connection is taken, what is in flight is finished,
//! what is under way and the last heartbeats are saved, within ten seconds whatever hangs. The
//! signals are in `app/signals.rs`, what else can make the program deaf in `app/hearing.rs`.

mod database;
mod hearing;
mod migration;
mod port;
mod serve;
mod server;
mod signals;
mod start_error;
mod starting;
mod stop_limits;
mod wiring;

pub use migration::{MigrationDirection, migrate};
pub use serve::serve;
pub use server::Server;
pub use start_error::StartError;
