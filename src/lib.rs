//! Keeps every stream running on exactly one healthy server.
//!
//! The rooms of the house, arrows only inwards: `cli → app → http → actors → store → domain`,
//! with `config` and `clock` beside them. The rules (`domain`) are a package of their own,
//! `crates/domain`; so is the library for the author of a worker, `crates/client`, which uses only
//! the masking of URLs from the domain. `docs/ARCHITECTURE.md` walks through it.

pub mod actors;
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod http;
pub mod store;

pub use orchestrator_domain as domain;
