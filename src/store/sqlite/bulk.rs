//! The two bulk writes of a failover in SQLite's fastest form: plain rows, many to a statement.

use diesel::{ExpressionMethods, RunQueryDsl, SqliteConnection};

use crate::store::error::StoreError;
use crate::store::multi_row::{incoming, rows_per_statement};
use crate::store::rows::{EventRow, PlacementRow};
use crate::store::schema::{events, placements};

/// Writes the places of streams: without a network in between, plain multi-row inserts are fast.
pub(super) fn put_placements(
    c: &mut SqliteConnection,
    rows: &[PlacementRow],
) -> Result<(), StoreError> {
    for rows in rows.chunks(rows_per_statement(PlacementRow::WIDTH)) {
        diesel::insert_into(placements::table)
            .values(rows)
            .on_conflict(placements::stream_id)
            .do_update()
            .set(
                incoming!(placements: state, instance_id, epoch, version, reason, delivered,
                released_by, orphaned_from, since, handover, handover_with, handover_version,
                handover_epoch, handover_since, handover_reason, given_up_since),
            )
            .execute(c)?;
    }
    Ok(())
}

/// Appends events in their order.
pub(super) fn append_events(c: &mut SqliteConnection, rows: &[EventRow]) -> Result<(), StoreError> {
    for rows in rows.chunks(rows_per_statement(EventRow::WIDTH)) {
        diesel::insert_into(events::table).values(rows).execute(c)?;
    }
    Ok(())
}
