//! The connection on which the statements run: an asynchronous one to PostgreSQL.

pub(super) use diesel_async::{AsyncPgConnection as Connection, RunQueryDsl};

pub(super) use super::bulk::{append_events, put_placements};
