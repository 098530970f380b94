//! Every statement, compiled for the asynchronous connection to PostgreSQL.

use diesel_async::AsyncPgConnection;

use super::bulk::{append_events, put_placements};

crate::store::operations::operations!(AsyncPgConnection, diesel_async, async, await);
