//! What members heard for a leader that they do not reach. A file has one process, so nothing writes here but
//! the tests of the contract; row by row is fast enough.

use diesel::sql_types::{BigInt, Text};
use diesel::{RunQueryDsl, SqliteConnection};

use crate::domain::leadership::{Life, NodeName, Witness};
use crate::store::error::StoreError;
use crate::store::leadership::{NO_LIFE, WitnessFound, age_micros};

/// As on PostgreSQL. SQLite counts days, to the millisecond.
const WITNESS: &str = "\
    INSERT INTO witnessed (instance_id, incarnation, heard_at, node) \
    SELECT id, ?, \
        CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000 - ?, ? \
    FROM instances WHERE id = ? \
    ON CONFLICT (instance_id, incarnation) DO UPDATE \
        SET heard_at = excluded.heard_at, node = excluded.node \
    WHERE excluded.heard_at > witnessed.heard_at OR witnessed.heard_at > \
        CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000";

const WITNESSED: &str = "\
    SELECT instance_id, incarnation, \
        CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000 - heard_at AS age \
    FROM witnessed WHERE instance_id = ? AND incarnation IN (?, ?)";

pub(super) fn witness(
    c: &mut SqliteConnection,
    node: &NodeName,
    beats: &[Witness],
) -> Result<(), StoreError> {
    for beat in beats {
        diesel::sql_query(WITNESS)
            .bind::<BigInt, _>(beat.incarnation.map_or(NO_LIFE, |named| named.get()))
            .bind::<BigInt, _>(age_micros(beat))
            .bind::<Text, _>(node.as_str())
            .bind::<Text, _>(beat.id.as_str())
            .execute(c)?;
    }
    Ok(())
}

pub(super) fn witnessed(
    c: &mut SqliteConnection,
    lives: &[Life],
) -> Result<Vec<Witness>, StoreError> {
    let mut witnesses = Vec::new();
    for life in lives {
        let found: Vec<WitnessFound> = diesel::sql_query(WITNESSED)
            .bind::<Text, _>(life.id.as_str())
            .bind::<BigInt, _>(NO_LIFE)
            .bind::<BigInt, _>(life.incarnation.get())
            .load(c)?;
        witnesses.extend(found.into_iter().filter_map(WitnessFound::witness));
    }
    Ok(witnesses)
}
