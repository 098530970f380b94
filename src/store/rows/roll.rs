//! Rows of `rolls`.

use diesel::prelude::*;

use super::row_at::{RowAt, json_of};
use crate::domain::planned::Roll;
use crate::store::error::StoreError;
use crate::store::schema::rolls;

/// A row of `rolls`.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = rolls, treat_none_as_default_value = false)]
pub(in crate::store) struct RollRow {
    id: i64,
    state: String,
    body: String,
}

impl RollRow {
    /// How many values one row binds.
    pub(in crate::store) const WIDTH: usize = 3;
}

impl From<&Roll> for RollRow {
    fn from(roll: &Roll) -> Self {
        Self {
            id: roll.id.get(),
            state: roll.state.as_str().to_owned(),
            body: json_of(roll),
        }
    }
}

impl TryFrom<RollRow> for Roll {
    type Error = StoreError;

    fn try_from(row: RollRow) -> Result<Self, StoreError> {
        let at = RowAt {
            table: "rolls",
            key: &row.id,
        };
        serde_json::from_str(&row.body).map_err(|_| at.unusable("body", &row.body))
    }
}
