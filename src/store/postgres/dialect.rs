//! What the statements are run on: an asynchronous connection to PostgreSQL.

pub(super) use diesel_async::{AsyncPgConnection as Connection, RunQueryDsl};

pub(super) use super::bulk::{append_events, put_placements};
