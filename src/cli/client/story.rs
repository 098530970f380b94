//! The output of `story`.

use serde_json::{Value, json};

use super::connection::Connection;
use super::events::line;
use super::question::StoryOrder;
use super::recovery::encoded;
use crate::cli::escapes::escaped_json;
use crate::cli::exit::Exit;
use crate::cli::output::{complain, print};

/// Reads the whole story, prints it, and returns the exit code.
pub(super) fn carry_out(connection: &Connection, order: &StoryOrder, is_json: bool) -> Exit {
    let sentences = match read(connection, order) {
        Ok(sentences) => sentences,
        Err(reason) => {
            complain(&format!("orchestrator: {reason}"));
            return Exit::Failed;
        }
    };
    if is_json {
        let answer = json!({ "story": sentences });
        return print(&format!("{}\n", escaped_json(&format!("{answer:#}"))));
    }
    if sentences.is_empty() {
        return print("Nothing has happened.\n");
    }
    print(&sentences.iter().map(line).collect::<String>())
}

fn read(connection: &Connection, order: &StoryOrder) -> Result<Vec<Value>, String> {
    let list = match order.is_stream {
        true => "streams",
        false => "instances",
    };
    let path = format!("/{list}/{}/story", encoded(&order.id));
    let mut sentences = Vec::new();
    let mut parameters = order.parameters.clone();
    loop {
        let mut page = connection.get(&path, &parameters)?;
        if let Value::Array(page) = page["story"].take() {
            sentences.extend(page);
        }
        let Some(next) = page.get("next") else {
            return Ok(sentences);
        };
        parameters.retain(|(name, _)| *name != "after");
        parameters.push(("after", next.to_string()));
    }
}
