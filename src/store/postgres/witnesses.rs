//! What members heard for a leader that they do not reach, one array a column.
//!
//! All times are those of `clock_timestamp()`, so the ages of two processes are compared on one clock.

use diesel::sql_types::{Array, BigInt, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::domain::leadership::{Life, NodeName, Witness};
use crate::store::error::StoreError;
use crate::store::leadership::{NO_LIFE, WitnessFound, age_micros};

/// Rows are locked in the order of their keys, because two members may write at once. A row from the future
/// is of a clock that was set back.
const WITNESS: &str = "\
    INSERT INTO witnessed (instance_id, incarnation, heard_at, node) \
    SELECT beat.id, beat.incarnation, \
        CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT) - beat.age, $1 \
    FROM unnest($2, $3, $4) AS beat (id, incarnation, age) \
    JOIN instances ON instances.id = beat.id \
    ORDER BY beat.id, beat.incarnation \
    ON CONFLICT (instance_id, incarnation) DO UPDATE \
        SET heard_at = excluded.heard_at, node = excluded.node \
    WHERE excluded.heard_at > witnessed.heard_at \
        OR witnessed.heard_at > CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)";

const WITNESSED: &str = "\
    SELECT witnessed.instance_id, witnessed.incarnation, \
        CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT) - heard_at AS age \
    FROM unnest($1, $2) AS life (id, incarnation) \
    JOIN witnessed ON witnessed.instance_id = life.id \
        AND witnessed.incarnation IN ($3, life.incarnation)";

pub(super) async fn witness(
    c: &mut AsyncPgConnection,
    node: &NodeName,
    beats: &[Witness],
) -> Result<(), StoreError> {
    let ids: Vec<&str> = beats.iter().map(|beat| beat.id.as_str()).collect();
    let lives = beats.iter().map(|beat| beat.incarnation);
    let lives: Vec<i64> = lives
        .map(|named| named.map_or(NO_LIFE, |named| named.get()))
        .collect();
    let ages: Vec<i64> = beats.iter().map(age_micros).collect();
    diesel::sql_query(WITNESS)
        .bind::<Text, _>(node.as_str())
        .bind::<Array<Text>, _>(ids)
        .bind::<Array<BigInt>, _>(lives)
        .bind::<Array<BigInt>, _>(ages)
        .execute(c)
        .await?;
    Ok(())
}

pub(super) async fn witnessed(
    c: &mut AsyncPgConnection,
    lives: &[Life],
) -> Result<Vec<Witness>, StoreError> {
    let ids: Vec<&str> = lives.iter().map(|life| life.id.as_str()).collect();
    let numbers: Vec<i64> = lives.iter().map(|life| life.incarnation.get()).collect();
    let found: Vec<WitnessFound> = diesel::sql_query(WITNESSED)
        .bind::<Array<Text>, _>(ids)
        .bind::<Array<BigInt>, _>(numbers)
        .bind::<BigInt, _>(NO_LIFE)
        .load(c)
        .await?;
    Ok(found
        .into_iter()
        .filter_map(WitnessFound::witness)
        .collect())
}
