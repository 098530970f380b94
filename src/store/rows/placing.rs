//! Rows of `placings`.

use diesel::prelude::*;

use super::row_at::RowAt;
use crate::domain::explain::{Placed, Placing};
use crate::domain::ids::{Epoch, InstanceId};
use crate::domain::reason::AssignReason;
use crate::domain::time::WallTime;
use crate::store::error::StoreError;
use crate::store::schema::placings;

/// A row of `placings`.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = placings, treat_none_as_default_value = false)]
pub(in crate::store) struct PlacingRow {
    first_epoch: i64,
    last_epoch: i64,
    instance_id: String,
    at: i64,
    reason: String,
    candidates: String,
}

impl PlacingRow {
    /// How many values one row binds.
    pub(in crate::store) const WIDTH: usize = 6;
}

impl From<&Placing> for PlacingRow {
    fn from(placing: &Placing) -> Self {
        let placed = &placing.placed;
        Self {
            first_epoch: placing.first.get(),
            last_epoch: placing.last.get(),
            instance_id: placing.instance.as_str().to_owned(),
            at: placed.at.as_micros(),
            reason: placed.reason.as_str().to_owned(),
            // Texts and numbers can always be written.
            candidates: serde_json::to_string(&placed.candidates)
                .unwrap_or_else(|_| "[]".to_owned()),
        }
    }
}

impl TryFrom<PlacingRow> for Placing {
    type Error = StoreError;

    fn try_from(row: PlacingRow) -> Result<Self, StoreError> {
        let at = RowAt {
            table: "placings",
            key: &row.first_epoch,
        };
        Ok(Self {
            placed: Placed {
                at: WallTime::from_micros(row.at),
                reason: at.word("reason", &row.reason, AssignReason::from_word)?,
                candidates: serde_json::from_str(&row.candidates)
                    .map_err(|_| at.unusable("candidates", &row.candidates))?,
            },
            first: Epoch::new(row.first_epoch),
            last: Epoch::new(row.last_epoch),
            instance: InstanceId::new(row.instance_id),
        })
    }
}
