//! Keeps every stream running on exactly one healthy server.

pub mod domain;
pub mod store;
