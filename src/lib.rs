//! Keeps every stream running on exactly one healthy server.
//!
//! The rooms of the house, arrows only inwards: `cli → app → http → actors → store → domain`,
//! with `config` and `clock` beside them. `docs/ARCHITECTURE.md` walks through it. `client` is for
//! the author of a worker and shares nothing with them: features `server` and `client`.

#[cfg(feature = "server")]
pub mod actors;
#[cfg(feature = "server")]
pub mod app;
#[cfg(feature = "server")]
pub mod cli;
#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "server")]
pub mod clock;
#[cfg(feature = "server")]
pub mod config;
#[cfg(feature = "server")]
pub mod domain;
#[cfg(feature = "server")]
pub mod http;
#[cfg(any(feature = "server", feature = "client"))]
mod masked_url;
#[cfg(feature = "server")]
pub mod store;
