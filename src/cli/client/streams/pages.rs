//! Reads the whole catalogue, page by page.

use serde_json::Value;

use crate::cli::client::connection::Connection;

/// How many streams a page has. One page is held at a time, whatever the length of the catalogue.
const PAGE: usize = 5_000;

/// Calls `each` with every stream of the catalogue, by ascending id. URLs are whole if `whole_urls`
/// says so.
///
/// # Errors
/// Returns a sentence if the orchestrator does not answer, or what `each` returns.
pub(super) fn each_stream(
    connection: &Connection,
    whole_urls: bool,
    mut each: impl FnMut(&Value) -> Result<(), String>,
) -> Result<(), String> {
    let mut after = 0;
    loop {
        let mut parameters = vec![("limit", PAGE.to_string()), ("after", after.to_string())];
        if whole_urls {
            parameters.push(("urls", "full".to_owned()));
        }
        let page = connection.get("/streams", &parameters)?;
        for stream in page["streams"].as_array().into_iter().flatten() {
            each(stream)?;
        }
        match page["next"].as_i64() {
            Some(next) => after = next,
            None => return Ok(()),
        }
    }
}
