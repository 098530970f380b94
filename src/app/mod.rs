//! The composition root: the only place that knows every concrete type, and the order in which
//! things start and stop.
//!
//! Start: the port first (a second orchestrator on the same machine must not take the term away
//! from the first before it finds the port taken), with HTTP that answers 503, then the database
//! (`app/starting.rs`), on PostgreSQL the wait for the term as a standby (`actors/leadership/candidacy.rs`), then the actors, then every route. Stop: with a standby
//! the leader hands over first (`app/handover.rs`); the deadlines stop, requests that
//! were sent before are answered, then the port accepts no connection, requests in progress are
//! finished, transactions in progress and the last heartbeats are saved. All of it ends within ten
//! seconds, whatever hangs. A leader that another one replaces ends in the same order, and the process goes on as a
//! standby (`app/role.rs`). `app/signals.rs` has the signals, `app/reloading/mod.rs` reads the settings again, `app/certificates.rs` looks at the files of TLS, `app/systemd/mod.rs` tells systemd about it all, `app/hearing.rs` stops the deadlines
//! while no heartbeat can arrive.

mod certificates;
mod cluster;
mod database;
mod handover;
mod hearing;
mod keys;
mod migration;
mod neighbours;
mod offline_key;
mod port;
mod reloading;
mod role;
mod serve;
mod server;
mod signals;
mod start_error;
mod starting;
mod stop_limits;
mod systemd;
mod tries;
mod wiring;

pub use migration::{MigrationDirection, migrate};
pub use offline_key::{OfflineKey, OfflineKeyError, create_key_offline};
pub use reloading::ReadSettings;
pub use serve::serve;
pub use server::Server;
pub use start_error::StartError;
