//! The connection on which the statements run: a blocking one to a file.

pub(super) use diesel::{RunQueryDsl, SqliteConnection as Connection};

/// Who answers: a file has one history.
pub(super) const ORIGIN: &str = "0 AS system, 0 AS timeline";

pub(super) use super::bulk::{append_events, put_placements};
