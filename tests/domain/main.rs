//! The rules of the fleet: commands, hand-overs and recoveries, in tables and properties.

mod commands;
mod handover;
mod properties;
mod recovery;
