//! The two bulk writes of a failover in PostgreSQL's fastest form: one array a column.
//!
//! Ten thousand rows as `VALUES` are a hundred thousand parameters to parse and plan; as arrays
//! they are ten. (SQLite has no arrays, and does not need them: it has no network in between.)

use diesel::sql_types::{Array, BigInt, Nullable, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::store::error::StoreError;
use crate::store::rows::{EventRow, PlacementRow};

const PUT_PLACEMENTS: &str = "\
    INSERT INTO placements (stream_id, state, instance_id, epoch, version, reason, delivered, \
        released_by, orphaned_from, since, handover, handover_with, handover_version, \
        handover_epoch, handover_since, handover_reason, given_up_since) \
    SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, \
        $16, $17) \
    ON CONFLICT (stream_id) DO UPDATE SET state = excluded.state, \
        instance_id = excluded.instance_id, epoch = excluded.epoch, version = excluded.version, \
        reason = excluded.reason, delivered = excluded.delivered, \
        released_by = excluded.released_by, orphaned_from = excluded.orphaned_from, \
        since = excluded.since, handover = excluded.handover, \
        handover_with = excluded.handover_with, handover_version = excluded.handover_version, \
        handover_epoch = excluded.handover_epoch, handover_since = excluded.handover_since, \
        handover_reason = excluded.handover_reason, \
        given_up_since = excluded.given_up_since";

/// The order of the arrays is the order of the events: `ordinality` keeps it through any plan.
const APPEND_EVENTS: &str = "\
    INSERT INTO events (at, kind, instance_id, stream_id, payload, incident_id, actor) \
    SELECT at, kind, instance_id, stream_id, payload, incident_id, actor \
    FROM unnest($1, $2, $3, $4, $5, $6, $7) WITH ORDINALITY \
        AS event (at, kind, instance_id, stream_id, payload, incident_id, actor, place) \
    ORDER BY place";

/// Returns one column of the rows.
fn column<'r, R, T>(rows: &'r [R], value: impl Fn(&'r R) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

pub(super) async fn put_placements(
    c: &mut AsyncPgConnection,
    rows: &[PlacementRow],
) -> Result<(), StoreError> {
    diesel::sql_query(PUT_PLACEMENTS)
        .bind::<Array<BigInt>, _>(column(rows, |row| row.stream_id))
        .bind::<Array<Text>, _>(column(rows, |row| row.state.as_str()))
        .bind::<Array<Nullable<Text>>, _>(column(rows, |row| row.instance_id.as_deref()))
        .bind::<Array<Nullable<BigInt>>, _>(column(rows, |row| row.epoch))
        .bind::<Array<Nullable<BigInt>>, _>(column(rows, |row| row.version))
        .bind::<Array<Nullable<Text>>, _>(column(rows, |row| row.reason.as_deref()))
        .bind::<Array<Nullable<BigInt>>, _>(column(rows, |row| row.delivered))
        .bind::<Array<Nullable<Text>>, _>(column(rows, |row| row.released_by.as_deref()))
        .bind::<Array<Nullable<Text>>, _>(column(rows, |row| row.orphaned_from.as_deref()))
        .bind::<Array<Nullable<BigInt>>, _>(column(rows, |row| row.since))
        .bind::<Array<Nullable<Text>>, _>(column(rows, |row| row.handover.as_deref()))
        .bind::<Array<Nullable<Text>>, _>(column(rows, |row| row.handover_with.as_deref()))
        .bind::<Array<Nullable<BigInt>>, _>(column(rows, |row| row.handover_version))
        .bind::<Array<Nullable<BigInt>>, _>(column(rows, |row| row.handover_epoch))
        .bind::<Array<Nullable<BigInt>>, _>(column(rows, |row| row.handover_since))
        .bind::<Array<Nullable<Text>>, _>(column(rows, |row| row.handover_reason.as_deref()))
        .bind::<Array<Nullable<BigInt>>, _>(column(rows, |row| row.given_up_since))
        .execute(c)
        .await?;
    Ok(())
}

pub(super) async fn append_events(
    c: &mut AsyncPgConnection,
    rows: &[EventRow],
) -> Result<(), StoreError> {
    diesel::sql_query(APPEND_EVENTS)
        .bind::<Array<BigInt>, _>(column(rows, |row| row.at))
        .bind::<Array<Text>, _>(column(rows, |row| row.kind))
        .bind::<Array<Nullable<Text>>, _>(column(rows, |row| row.instance_id.as_deref()))
        .bind::<Array<Nullable<BigInt>>, _>(column(rows, |row| row.stream_id))
        .bind::<Array<Text>, _>(column(rows, |row| row.payload.as_str()))
        .bind::<Array<Nullable<BigInt>>, _>(column(rows, |row| row.incident_id))
        .bind::<Array<Nullable<Text>>, _>(column(rows, |row| row.actor))
        .execute(c)
        .await?;
    Ok(())
}
