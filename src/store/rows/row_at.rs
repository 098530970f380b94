//! Where in a database something was read, for the sentence that says what is wrong with it.

use std::collections::BTreeMap;
use std::fmt;

use crate::domain::ids::InstanceId;
use crate::store::error::StoreError;

/// Which row is being read, for the sentence that says what is wrong with it.
#[derive(Clone, Copy)]
pub(super) struct RowAt<'r> {
    pub(super) table: &'static str,
    pub(super) key: &'r dyn fmt::Display,
}

impl RowAt<'_> {
    /// The row has something in `column` that cannot be understood.
    pub(super) fn unusable(self, column: &str, value: impl fmt::Display) -> StoreError {
        StoreError::Unusable(format!(
            "table `{}`, row `{}`: `{value}` in column `{column}` is not understood",
            self.table, self.key
        ))
    }

    /// The row lacks what its other columns require.
    pub(super) fn missing(self, column: &str) -> StoreError {
        StoreError::Unusable(format!(
            "table `{}`, row `{}`: column `{column}` is empty",
            self.table, self.key
        ))
    }

    /// A word of a list.
    pub(super) fn word<T>(
        self,
        column: &str,
        word: &str,
        from_word: impl Fn(&str) -> Option<T>,
    ) -> Result<T, StoreError> {
        from_word(word).ok_or_else(|| self.unusable(column, word))
    }

    /// A number of a narrower type than the column.
    pub(super) fn number<N, T>(self, column: &str, number: N) -> Result<T, StoreError>
    where
        N: Copy + fmt::Display,
        T: TryFrom<N>,
    {
        T::try_from(number).map_err(|_| self.unusable(column, number))
    }

    /// Names of instances as they are kept.
    pub(super) fn ids(self, column: &str, json: &str) -> Result<Vec<InstanceId>, StoreError> {
        serde_json::from_str(json).map_err(|_| self.unusable(column, json))
    }

    /// Labels as they are kept.
    pub(super) fn labels(self, json: &str) -> Result<BTreeMap<String, String>, StoreError> {
        serde_json::from_str(json).map_err(|_| self.unusable("labels", json))
    }
}

/// Names of instances as they are kept: a JSON array.
pub(super) fn ids_json(ids: &[InstanceId]) -> String {
    let array = ids.iter().map(|id| serde_json::Value::from(id.as_str()));
    serde_json::Value::Array(array.collect()).to_string()
}

/// Labels as they are kept: a JSON object.
pub(super) fn labels_json(labels: &BTreeMap<String, String>) -> String {
    let object = labels
        .iter()
        .map(|(key, value)| (key.clone(), serde_json::Value::from(value.as_str())))
        .collect();
    serde_json::Value::Object(object).to_string()
}
