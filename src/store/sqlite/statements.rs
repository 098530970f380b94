//! Every statement, compiled for the blocking connection to SQLite.

use diesel::SqliteConnection;

use super::bulk::{append_events, put_placements};

crate::store::operations::operations!(SqliteConnection, diesel);
