//! The rules of the fleet: commands, hand-overs and recoveries, in tables and properties.

mod commands;
mod figures;
mod handover;
#[path = "../support/commands.rs"]
mod orders;
mod properties;
mod recovery;
