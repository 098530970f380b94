//! The leadership row: which of several orchestrators on one database leads.
//!
//! One trait, [`Leadership`], beside the one of the fleet. The row and `fleet_state` change their terms
//! in one transaction, so the fleet transactions of the process that has the row are those that carry the
//! newest term. Rows are locked in the order leadership, members, fleet_state; a renewal needs only the first
//! and a fleet transaction only the last, so no two wait for each other.
//!
//! `contract` is the trait with its words, `rows` the way from the
//! tables to the domain. On PostgreSQL the row is reached by a connection of its own
//! (`postgres/leadership.rs`): a pool that is busy would delay renewals. A file of SQLite and a store in
//! memory have the row too, so that one process goes the same way as several.

mod contract;
mod rows;

pub use contract::{
    Leadership, Look, Member, Origin, Release, Renewal, TakeOver, Taken, TakenFleet,
};
pub(super) use rows::{
    AdmissionFound, LookFound, MemberFound, NO_LIFE, OriginFound, RenewalFound, WitnessFound,
    age_micros,
};
