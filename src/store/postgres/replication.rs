//! What the primary says of its standbys.

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Bool};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::domain::leadership::Replication;
use crate::store::error::StoreError;

/// Without the rights of `pg_monitor` the state of a standby is empty, and only that there is one is seen.
const REPLICATION: &str = "\
    SELECT count(*) FILTER (WHERE state IS NULL OR state = 'streaming') AS standbys, \
        current_setting('synchronous_standby_names') <> '' AS is_synchronous \
    FROM pg_stat_replication";

#[derive(QueryableByName)]
struct ReplicationFound {
    #[diesel(sql_type = BigInt)]
    standbys: i64,
    #[diesel(sql_type = Bool)]
    is_synchronous: bool,
}

/// Reads how many standbys stream, and whether a COMMIT waits for one.
pub(super) async fn look(c: &mut AsyncPgConnection) -> Result<Replication, StoreError> {
    let found: ReplicationFound = diesel::sql_query(REPLICATION).get_result(c).await?;
    Ok(Replication {
        standbys: u32::try_from(found.standbys).unwrap_or_default(),
        is_synchronous: found.is_synchronous,
    })
}
