//! What the statements are run on: a blocking connection to a file.

pub(super) use diesel::{RunQueryDsl, SqliteConnection as Connection};

pub(super) use super::bulk::{append_events, put_placements};
