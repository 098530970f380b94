//! The console in real Chromium: every view with data and without, every action to its effect at a worker, a lost
//! connection, deceptive names, a phone, the dark scheme, and what a first view weighs.
//!
//! `browser` speaks to Chromium's driver, `fleet` has workers that beat when a test says so. Pictures of the views are
//! made in `target/pictures`, or where `PICTURES` says.

mod actions;
mod browser;
mod cluster;
mod connection;
mod fleet;
mod names;
mod pictures;
mod png;
mod roles;
#[path = "../support/mod.rs"]
mod support;
mod views;
mod weight;
