//! The connection on which the statements run: a blocking one to a file.

pub(super) use diesel::{RunQueryDsl, SqliteConnection as Connection};

pub(super) use super::bulk::{append_events, put_placements};
