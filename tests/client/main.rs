//! The library for workers: its rules, its threads, and both beside a real orchestrator.

mod library;
mod machine;
mod server;
#[path = "../support/mod.rs"]
mod support;
