//! The place of a row in the database, for errors about its content.

use std::collections::BTreeMap;
use std::fmt;

use crate::domain::ids::InstanceId;
use crate::store::error::StoreError;

/// The row that is being read, for errors about its content.
#[derive(Clone, Copy)]
pub(super) struct RowAt<'r> {
    pub(super) table: &'static str,
    pub(super) key: &'r dyn fmt::Display,
}

impl RowAt<'_> {
    /// Returns the error for a value of `column` that is not understood.
    pub(super) fn unusable(self, column: &str, value: impl fmt::Display) -> StoreError {
        StoreError::Unusable(format!(
            "table `{}`, row `{}`: `{value}` in column `{column}` is not understood",
            self.table, self.key
        ))
    }

    /// Returns the error for a column that the row's other columns require.
    pub(super) fn missing(self, column: &str) -> StoreError {
        StoreError::Unusable(format!(
            "table `{}`, row `{}`: column `{column}` is empty",
            self.table, self.key
        ))
    }

    /// Reads a word of a list.
    pub(super) fn word<T>(
        self,
        column: &str,
        word: &str,
        from_word: impl Fn(&str) -> Option<T>,
    ) -> Result<T, StoreError> {
        from_word(word).ok_or_else(|| self.unusable(column, word))
    }

    /// Reads a number of a narrower type than the column.
    pub(super) fn number<N, T>(self, column: &str, number: N) -> Result<T, StoreError>
    where
        N: Copy + fmt::Display,
        T: TryFrom<N>,
    {
        T::try_from(number).map_err(|_| self.unusable(column, number))
    }

    /// Reads names of instances from a JSON array.
    pub(super) fn ids(self, column: &str, json: &str) -> Result<Vec<InstanceId>, StoreError> {
        serde_json::from_str(json).map_err(|_| self.unusable(column, json))
    }

    /// Reads labels from a JSON object.
    pub(super) fn labels(self, json: &str) -> Result<BTreeMap<String, String>, StoreError> {
        // Most rows of a large fleet have none.
        if json == "{}" {
            return Ok(BTreeMap::new());
        }
        serde_json::from_str(json).map_err(|_| self.unusable("labels", json))
    }
}

/// Writes names of instances as a JSON array.
pub(super) fn ids_json(ids: &[InstanceId]) -> String {
    let array = ids.iter().map(|id| serde_json::Value::from(id.as_str()));
    serde_json::Value::Array(array.collect()).to_string()
}

/// Writes labels as a JSON object.
pub(super) fn labels_json(labels: &BTreeMap<String, String>) -> String {
    let object = labels
        .iter()
        .map(|(key, value)| (key.clone(), serde_json::Value::from(value.as_str())))
        .collect();
    serde_json::Value::Object(object).to_string()
}

/// Writes a value as JSON. No type that is saved can fail to be written.
pub(super) fn json_of<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
