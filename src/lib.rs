//! Keeps every stream running on exactly one healthy server.

pub mod actors;
pub mod clock;
pub mod domain;
pub mod store;
