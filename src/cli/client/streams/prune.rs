//! Streams of the catalogue that are not in a file.

use serde_json::{Value, json};

use super::pages::each_stream;
use crate::cli::client::connection::{Act, Connection};
use crate::cli::client::numbers::counted;

/// How many streams are named in the question before they are disabled.
const NAMED: usize = 5;

/// How many are disabled with one request.
const MAX_ROWS: usize = 10_000;

/// Enabled streams that are not in a file.
#[derive(Debug, Default)]
pub(super) struct Missing {
    ids: Vec<i64>,
    /// The names of the first ones.
    names: Vec<String>,
}

impl Missing {
    /// Returns how many there are.
    pub(super) fn count(&self) -> u64 {
        self.ids.len() as u64
    }

    /// Returns the question that a person is asked before they are disabled.
    pub(super) fn question(&self) -> String {
        let more = if self.ids.len() > NAMED { ", …" } else { "" };
        format!(
            "{} of the catalogue would be disabled, because the file does not have them: {}{more}. Go \
             on?",
            counted(self.count(), "stream"),
            self.names.join(", ")
        )
    }
}

/// Returns the enabled streams of the catalogue that have none of these ids.
pub(super) fn missing(connection: &Connection, mut ids: Vec<i64>) -> Result<Missing, String> {
    if ids.is_empty() {
        return Err(
            "the file has no rows, and --prune would disable every stream; nothing was changed."
                .to_owned(),
        );
    }
    ids.sort_unstable();
    let mut missing = Missing::default();
    each_stream(connection, false, |stream| {
        if let Some(id) = stream["id"].as_i64()
            && stream["enabled"] == true
            && ids.binary_search(&id).is_err()
        {
            missing.ids.push(id);
            if missing.names.len() < NAMED {
                let name = stream["name"].as_str().unwrap_or_default();
                missing.names.push(name.to_owned());
            }
        }
        Ok(())
    })?;
    Ok(missing)
}

/// Disables the streams; returns how many were enabled until now.
pub(super) fn disable(connection: &Connection, missing: &Missing) -> Result<u64, String> {
    let mut disabled = 0;
    for ids in missing.ids.chunks(MAX_ROWS) {
        let streams: Vec<Value> = ids
            .iter()
            .map(|id| json!({"id": id, "enabled": false}))
            .collect();
        let body = json!({ "streams": streams }).to_string();
        let so_far = |reason: String| {
            format!(
                "{reason} {disabled} of {} were disabled; repeat the import to disable the others.",
                counted(missing.count(), "stream")
            )
        };
        let answer = connection
            .post_json(Act::Order, "/streams", &body)
            .map_err(so_far)?;
        let answer = answer.map_err(|refusal| so_far(refusal.sentence))?;
        disabled += answer["updated"].as_u64().unwrap_or_default();
    }
    Ok(disabled)
}
