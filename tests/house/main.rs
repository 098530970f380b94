//! What the project says of itself: its layers, its documents, its settings and its command line.

mod architecture;
mod assets;
mod catalogue_page;
mod circles;
mod cli;
mod config;
mod deploy;
mod documents;
mod metrics;
mod phrases;
mod sources;
#[path = "../support/mod.rs"]
mod support;
mod workers;
