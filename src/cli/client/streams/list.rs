//! `streams list`: a page of the catalogue as a table.

use serde_json::Value;

use crate::cli::client::connection::Connection;
use crate::cli::client::table::{aligned, cell};

/// Returns a page as a table, or as JSON.
pub(super) fn list(
    connection: &Connection,
    parameters: &[(&'static str, String)],
    json: bool,
) -> Result<String, String> {
    let page = connection.get("/streams", parameters)?;
    Ok(if json {
        format!("{page:#}")
    } else {
        show(&page)
    })
}

fn show(page: &Value) -> String {
    let streams = page["streams"]
        .as_array()
        .map_or(&[] as &[_], Vec::as_slice);
    if streams.is_empty() {
        return "No streams.\n".to_owned();
    }
    let mut rows = vec![["ID", "NAME", "STATE", "INSTANCE", "GROUP", "URL"].map(str::to_owned)];
    rows.extend(streams.iter().map(|stream| {
        ["id", "name", "state", "server_id", "group", "url"].map(|field| cell(&stream[field]))
    }));
    let mut text = aligned(&rows);
    if page["next"].is_i64() {
        text.push_str(&format!("More: --after {}\n", cell(&page["next"])));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_page_is_a_table_and_says_where_the_next_begins() {
        let page = json!({"streams": [
            {"id": 7, "name": "news", "state": "assigned", "server_id": "w1", "group": null,
                "url": "rtsp://10.0.0.8/…"},
            {"id": 8, "name": "jazz", "state": "disabled", "server_id": null, "group": "g",
                "url": null},
        ], "next": 8});
        let expected = "ID  NAME  STATE     INSTANCE  GROUP  URL\n\
            7   news  assigned  w1        -      rtsp://10.0.0.8/…\n\
            8   jazz  disabled  -         g      -\n\
            More: --after 8\n";
        assert_eq!(show(&page), expected);
        assert_eq!(show(&json!({"streams": [], "next": null})), "No streams.\n");
    }
}
