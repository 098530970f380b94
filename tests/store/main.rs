//! One contract, three stores: in memory, SQLite and PostgreSQL.

mod access;
mod conformance;
mod histories;
mod hosts;
mod leadership;
mod load;
mod migrations;
mod postgres;
mod replicated;
mod sqlite;
#[path = "../support/mod.rs"]
mod support;
mod webhooks;
