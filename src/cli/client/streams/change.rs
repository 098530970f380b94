//! `streams enable`, `disable` and `delete`.

use serde_json::{Value, json};

use super::progress::Progress;
use crate::cli::client::connection::{Act, Connection, Refusal};
use crate::cli::client::numbers::counted;

/// How many streams one request changes at most.
const MAX_ROWS: usize = 10_000;

/// Enables or disables streams, and returns what was done.
///
/// # Errors
/// Returns a sentence if it was not done.
pub(super) fn set_enabled(
    connection: &Connection,
    ids: &[i64],
    enabled: bool,
    json: bool,
) -> Result<String, String> {
    let (mut changed, mut unchanged) = (0, 0);
    let mut progress = Progress::new(ids.len() as u64);
    for ids in ids.chunks(MAX_ROWS) {
        let streams: Vec<Value> = ids
            .iter()
            .map(|id| json!({"id": id, "enabled": enabled}))
            .collect();
        let body = json!({ "streams": streams }).to_string();
        let answer = connection
            .post_json(Act::Order, "/streams", &body)?
            .map_err(|refusal| unknown(&refusal, ids).unwrap_or(refusal.sentence))?;
        changed += answer["updated"].as_u64().unwrap_or_default();
        unchanged += answer["unchanged"].as_u64().unwrap_or_default();
        progress.show("changed", changed + unchanged);
    }
    progress.clear();
    if json {
        return Ok(json!({"changed": changed, "unchanged": unchanged}).to_string());
    }
    let verb = if enabled { "enabled" } else { "disabled" };
    let already = if unchanged > 0 {
        let were = if unchanged == 1 { "was" } else { "were" };
        format!("; {} {were} {verb} already", counted(unchanged, "stream"))
    } else {
        String::new()
    };
    Ok(format!("{} {verb}{already}.\n", counted(changed, "stream")))
}

/// Returns the sentence about streams that do not exist: they would be created, if they had a name.
fn unknown(refusal: &Refusal, ids: &[i64]) -> Option<String> {
    let errors = refusal.errors.as_array()?.iter();
    let unknown = errors.filter_map(|error| {
        let field = error["field"].as_str()?;
        let index = field.strip_prefix("streams[")?.strip_suffix("].name")?;
        ids.get(index.parse::<usize>().ok()?).map(i64::to_string)
    });
    let unknown: Vec<String> = unknown.collect();
    match unknown.len() {
        0 => None,
        1 => Some(format!(
            "there is no stream {}; nothing was changed.",
            unknown[0]
        )),
        _ => Some(format!(
            "there are no streams {}; nothing was changed.",
            unknown.join(", ")
        )),
    }
}

/// Deletes streams, and returns what was done. All of them must exist; then they are deleted one by
/// one.
///
/// # Errors
/// Returns a sentence if it was not done, or not completely.
pub(super) fn delete(connection: &Connection, ids: &[i64], json: bool) -> Result<String, String> {
    let mut progress = Progress::new(ids.len() as u64);
    for (checked, id) in ids.iter().enumerate() {
        progress.show("checked", checked as u64);
        let known = connection.get(&format!("/streams/{id}"), &[]);
        known.map_err(|reason| {
            progress.clear();
            format!("{reason} Nothing was deleted.")
        })?;
    }
    for (done, id) in ids.iter().enumerate() {
        progress.show("deleted", done as u64);
        connection
            .delete(&format!("/streams/{id}"))
            .map_err(|reason| {
                progress.clear();
                format!(
                    "{reason} {} of {} were deleted, in the order of the command.",
                    done,
                    counted(ids.len() as u64, "stream")
                )
            })?;
    }
    progress.clear();
    let deleted = ids.len() as u64;
    if json {
        return Ok(json!({ "deleted": deleted }).to_string());
    }
    Ok(format!("{} deleted.\n", counted(deleted, "stream")))
}
