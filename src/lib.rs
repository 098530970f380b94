//! Keeps every stream running on exactly one healthy server.

pub mod app;
pub mod cli;
pub mod config;

/// The rules of the house.
pub mod domain {
    pub mod settings;
}
