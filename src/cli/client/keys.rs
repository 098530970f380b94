//! Keys of callers: what is sent, and what is printed.

use serde_json::{Map, Value};

use super::connection::Connection;
use super::recovery::encoded;
use super::table::{aligned, cell};
use crate::cli::exit::Exit;
use crate::cli::output::{Sink, complain};
use crate::logging::escapes::escaped_json;

/// How many keys a page has.
const PAGE: &str = "1000";

/// A call about keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) enum KeyCall {
    List,
    /// With the fields of the request.
    Create(Map<String, Value>),
    /// With the id of the key.
    Revoke(String),
}

/// Sends a call, prints the answer, and returns the exit code.
pub(super) fn carry_out(
    connection: &Connection,
    call: &KeyCall,
    json: bool,
    sink: &mut Sink,
) -> Result<Exit, Exit> {
    let answer = match send(connection, call) {
        Ok(answer) => answer,
        Err(reason) => {
            complain(&format!("orchestrator: {reason}"));
            return Ok(Exit::Failed);
        }
    };
    sink.write(&if json {
        format!("{}\n", escaped_json(&format!("{answer:#}")))
    } else {
        show(call, &answer)
    })?;
    Ok(Exit::Done)
}

fn send(connection: &Connection, call: &KeyCall) -> Result<Value, String> {
    match call {
        KeyCall::List => list(connection),
        KeyCall::Create(body) => connection.order("/keys", &[], &Value::Object(body.clone())),
        KeyCall::Revoke(id) => connection.delete(&format!("/keys/{}", encoded(id))),
    }
}

/// Returns all pages as one.
fn list(connection: &Connection) -> Result<Value, String> {
    let mut parameters = vec![("limit", PAGE.to_owned())];
    let mut answer = connection.get("/keys", &parameters)?;
    while let Some(next) = answer.get("next").filter(|next| !next.is_null()) {
        parameters.truncate(1);
        parameters.push(("after", next.to_string()));
        let mut page = connection.get("/keys", &parameters)?;
        let rows = page["keys"].as_array_mut().map(std::mem::take);
        if let Some(keys) = answer["keys"].as_array_mut() {
            keys.extend(rows.unwrap_or_default());
        }
        answer["next"] = page["next"].take();
    }
    if let Some(fields) = answer.as_object_mut() {
        fields.remove("next");
    }
    Ok(answer)
}

fn show(call: &KeyCall, answer: &Value) -> String {
    match call {
        KeyCall::List => table(answer),
        // Alone on its line, so that a script can take it.
        KeyCall::Create(_) => format!("{}\n", cell(&answer["key"])),
        KeyCall::Revoke(_) => {
            let (name, id) = (cell(&answer["name"]), cell(&answer["id"]));
            format!("Key {id} ({name}) is revoked.\n")
        }
    }
}

fn table(answer: &Value) -> String {
    let keys = answer["keys"].as_array().map_or(&[][..], Vec::as_slice);
    if keys.is_empty() {
        return "No keys. `orchestrator keys create --role ROLE --name NAME` makes one.\n"
            .to_owned();
    }
    let head = [
        "ID",
        "NAME",
        "ROLE",
        "SERVER_IDS",
        "CREATED",
        "EXPIRES",
        "LAST USED",
        "REVOKED",
    ];
    let mut table = vec![head.map(str::to_owned)];
    for key in keys {
        let patterns = key["server_ids"].as_array().map_or(&[][..], Vec::as_slice);
        let patterns: Vec<String> = patterns.iter().map(cell).collect();
        let patterns = match &patterns[..] {
            [] if key["role"] == "worker" => "*".to_owned(),
            [] => "-".to_owned(),
            patterns => patterns.join(","),
        };
        table.push([
            cell(&key["id"]),
            cell(&key["name"]),
            cell(&key["role"]),
            patterns,
            cell(&key["created_at"]),
            cell(&key["expires_at"]),
            cell(&key["last_used_at"]),
            cell(&key["revoked_at"]),
        ]);
    }
    aligned(&table)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_new_key_stands_alone_on_its_line() {
        let answer = json!({"status": "created", "id": 3, "key": "ork_x"});
        assert_eq!(show(&KeyCall::Create(Map::new()), &answer), "ork_x\n");
        let answer = json!({"status": "revoked", "id": 3, "name": "ci"});
        assert_eq!(
            show(&KeyCall::Revoke("3".to_owned()), &answer),
            "Key 3 (ci) is revoked.\n"
        );
    }

    #[test]
    fn keys_are_a_table() {
        let answer = json!({"keys": [
            {"id": 1, "name": "ops", "role": "admin", "server_ids": [], "created_at": "T",
                "expires_at": null, "revoked_at": null, "last_used_at": "U"},
            {"id": 2, "name": "rack", "role": "worker", "server_ids": ["a-*", "b"], "created_at": "T",
                "expires_at": "V", "revoked_at": "W", "last_used_at": null}]});
        let expected = "\
ID  NAME  ROLE    SERVER_IDS  CREATED  EXPIRES  LAST USED  REVOKED
1   ops   admin   -           T        -        U          -
2   rack  worker  a-*,b       T        V        -          W
";
        assert_eq!(show(&KeyCall::List, &answer), expected);
    }
}
