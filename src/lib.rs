//! Keeps every stream running on exactly one healthy server.
//!
//! The rooms of the house, arrows only inwards: `cli → app → http → actors → store → domain`,
//! with `config` and `clock` beside them. `docs/ARCHITECTURE.md` walks through it.

pub mod actors;
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod http;
pub mod store;
