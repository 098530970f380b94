//! A point of the recent past as a row.

use diesel::prelude::*;

use super::row_at::RowAt;
use crate::domain::series::{Resolution, SeriesPoint};
use crate::store::error::StoreError;
use crate::store::schema::series;

/// A row of `series`.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = series, treat_none_as_default_value = false)]
pub(in crate::store) struct SeriesRow {
    resolution: String,
    place: i64,
    slot: i64,
    samples: i64,
    heartbeats: i64,
    failures: i64,
    moves: i64,
    waiting: i64,
    instances: i64,
    load: i64,
}

impl SeriesRow {
    /// How many values one row binds.
    pub(in crate::store) const WIDTH: usize = 10;
}

impl From<&SeriesPoint> for SeriesRow {
    fn from(point: &SeriesPoint) -> Self {
        let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        Self {
            resolution: point.resolution.as_str().to_owned(),
            place: point.place(),
            slot: point.slot,
            samples: count(point.samples),
            heartbeats: count(point.heartbeats),
            failures: count(point.failures),
            moves: count(point.moves),
            waiting: count(point.waiting),
            instances: count(point.instances),
            load: count(point.load),
        }
    }
}

impl TryFrom<SeriesRow> for SeriesPoint {
    type Error = StoreError;

    fn try_from(row: SeriesRow) -> Result<Self, StoreError> {
        let at = RowAt {
            table: "series",
            key: &row.place,
        };
        Ok(Self {
            resolution: at.word("resolution", &row.resolution, Resolution::from_word)?,
            slot: row.slot,
            samples: at.number("samples", row.samples)?,
            heartbeats: at.number("heartbeats", row.heartbeats)?,
            failures: at.number("failures", row.failures)?,
            moves: at.number("moves", row.moves)?,
            waiting: at.number("waiting", row.waiting)?,
            instances: at.number("instances", row.instances)?,
            load: at.number("load", row.load)?,
        })
    }
}
