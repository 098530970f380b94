//! Receivers outside: what is sent, and what is printed.

use std::io::Read;

use serde_json::{Map, Value};

use super::connection::Connection;
use super::recovery::encoded;
use super::table::{aligned, cell};
use crate::cli::exit::Exit;
use crate::cli::output::{Sink, complain};
use crate::logging::escapes::{escaped, escaped_json};

/// An order about a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct WebhookOrder {
    pub(in crate::cli) call: WebhookCall,
    /// The receiver; empty for all.
    pub(in crate::cli) name: String,
}

/// The kinds of orders about receivers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) enum WebhookCall {
    List,
    Set {
        body: Map<String, Value>,
        /// The file with the secret, which stands in no argument: arguments are seen by others.
        secret_file: Option<String>,
    },
    Delete,
    Test,
    /// With the parameters of the call.
    Deliveries(Vec<(&'static str, String)>),
    Redeliver(Map<String, Value>),
}

/// Sends an order, prints the answer, and returns the exit code.
pub(super) fn carry_out(
    connection: &Connection,
    order: &WebhookOrder,
    json: bool,
    sink: &mut Sink,
) -> Result<Exit, Exit> {
    let answer = match send(connection, order) {
        Ok(answer) => answer,
        Err(reason) => {
            complain(&format!("orchestrator: {reason}"));
            return Ok(Exit::Failed);
        }
    };
    sink.write(&if json {
        format!("{}\n", escaped_json(&format!("{answer:#}")))
    } else {
        show(&order.call, &answer)
    })?;
    Ok(match &order.call {
        WebhookCall::Test if answer["status"] != "delivered" => Exit::Failed,
        _ => Exit::Done,
    })
}

fn send(connection: &Connection, order: &WebhookOrder) -> Result<Value, String> {
    let path = format!("/webhooks/{}", encoded(&order.name));
    match &order.call {
        WebhookCall::List => connection.get("/webhooks", &[]),
        WebhookCall::Set { body, secret_file } => {
            let mut body = body.clone();
            if let Some(file) = secret_file {
                body.insert("secret".to_owned(), Value::from(secret(file)?));
            }
            connection.put(&path, &Value::Object(body))
        }
        WebhookCall::Delete => connection.delete(&path),
        WebhookCall::Test => connection.post(&format!("{path}/test"), &[]),
        WebhookCall::Deliveries(parameters) => {
            connection.get(&format!("{path}/deliveries"), parameters)
        }
        WebhookCall::Redeliver(body) => {
            let body = Value::Object(body.clone());
            connection.order(&format!("{path}/redeliver"), &[], &body)
        }
    }
}

/// Reads a secret: the first line of a file, or of standard input.
fn secret(file: &str) -> Result<String, String> {
    let mut text = String::new();
    let read = match file {
        "-" => std::io::stdin().read_to_string(&mut text).map(|_| ()),
        file => std::fs::read_to_string(file).map(|read| text = read),
    };
    read.map_err(|error| format!("the file of --secret-file cannot be read: {error}."))?;
    Ok(text.lines().next().unwrap_or_default().trim().to_owned())
}

fn show(call: &WebhookCall, answer: &Value) -> String {
    match call {
        WebhookCall::List => list(answer),
        WebhookCall::Set { .. } => saved(answer),
        WebhookCall::Delete => format!("Webhook {} is deleted.\n", cell(&answer["name"])),
        WebhookCall::Test => format!("{}: {}\n", cell(&answer["status"]), last(answer)),
        WebhookCall::Deliveries(_) => deliveries(answer),
        WebhookCall::Redeliver(_) => {
            let mut text = format!("{} messages are sent again", cell(&answer["deliveries"]));
            if !answer["events_after"].is_null() {
                let after = cell(&answer["events_after"]);
                text.push_str(&format!(", and the events after number {after}"));
            }
            text + ".\n"
        }
    }
}

fn saved(answer: &Value) -> String {
    let name = cell(&answer["name"]);
    let mut text = format!("Webhook {name} is saved: {}.\n", cell(&answer["url"]));
    if let Some(secret) = answer["secret"].as_str() {
        let secret = escaped(secret);
        text.push_str(&format!("Its secret, which is shown this once: {secret}\n"));
    }
    text
}

fn rows(answer: &Value, name: &str) -> Vec<Value> {
    answer[name].as_array().cloned().unwrap_or_default()
}

fn last(delivery: &Value) -> String {
    cell(&delivery["last_answer"])
}

fn list(answer: &Value) -> String {
    let webhooks = rows(answer, "webhooks");
    if webhooks.is_empty() {
        return "No webhooks. `orchestrator webhooks set NAME RECEIVER` creates one.\n".to_owned();
    }
    let head = [
        "NAME",
        "STATE",
        "WAITING",
        "FORMAT",
        "TYPES",
        "URL",
        "LAST FAILURE",
    ];
    let mut table = vec![head.map(str::to_owned)];
    for webhook in &webhooks {
        let types = rows(webhook, "types");
        let types: Vec<String> = types.iter().map(cell).collect();
        let state = match (&webhook["enabled"], &webhook["gone"]) {
            (Value::Bool(false), _) => "off".to_owned(),
            (_, Value::Bool(true)) => "gone".to_owned(),
            _ if webhook["failing_since"].is_null() => "ok".to_owned(),
            _ => format!("failing since {}", cell(&webhook["failing_since"])),
        };
        table.push([
            cell(&webhook["name"]),
            state,
            cell(&webhook["waiting"]),
            cell(&webhook["format"]),
            types.join(","),
            cell(&webhook["url"]),
            cell(&webhook["last_failure"]["reason"]),
        ]);
    }
    aligned(&table)
}

fn deliveries(answer: &Value) -> String {
    let deliveries = rows(answer, "deliveries");
    if deliveries.is_empty() {
        return "No deliveries.\n".to_owned();
    }
    let head = ["CREATED", "TYPE", "STATE", "TRIES", "LAST ANSWER", "ID"];
    let mut table = vec![head.map(str::to_owned)];
    for delivery in &deliveries {
        table.push([
            cell(&delivery["created_at"]),
            cell(&delivery["type"]),
            cell(&delivery["state"]),
            cell(&delivery["attempts"]),
            last(delivery),
            cell(&delivery["id"]),
        ]);
    }
    let mut text = aligned(&table);
    if !answer["next"].is_null() {
        text.push_str(&format!("More: --after {}\n", cell(&answer["next"])));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_are_tables_and_sentences() {
        let answer = json!({"webhooks": [
            {"name": "ops", "enabled": true, "gone": false, "waiting": 2, "format": "slack",
                "types": ["alert.*"], "url": "https://h/***", "failing_since": "T",
                "last_failure": {"at": "T", "reason": "HTTP 500"}},
            {"name": "old", "enabled": false, "gone": false, "waiting": 0, "format": "generic",
                "types": ["*"], "url": "https://h/", "last_failure": null}]});
        let expected = "\
NAME  STATE            WAITING  FORMAT   TYPES    URL            LAST FAILURE
ops   failing since T  2        slack    alert.*  https://h/***  HTTP 500
old   off              0        generic  *        https://h/     -
";
        assert_eq!(show(&WebhookCall::List, &answer), expected);
        let answer = json!({"deliveries": [{"id": "msg_1", "type": "alert.opened", "attempts": 3,
            "state": "pending", "created_at": "T", "last_answer": null}], "next": 7});
        let expected = "\
CREATED  TYPE          STATE    TRIES  LAST ANSWER  ID
T        alert.opened  pending  3      -            msg_1
More: --after 7
";
        assert_eq!(show(&WebhookCall::Deliveries(vec![]), &answer), expected);
        let answer = json!({"deliveries": 3, "events_after": 17});
        let expected = "3 messages are sent again, and the events after number 17.\n";
        assert_eq!(show(&WebhookCall::Redeliver(Map::new()), &answer), expected);
        let set = WebhookCall::Set {
            body: Map::new(),
            secret_file: None,
        };
        let answer = json!({"name": "ops", "url": "https://h/", "secret": "whsec_x"});
        let expected = "Webhook ops is saved: https://h/.\n\
                        Its secret, which is shown this once: whsec_x\n";
        assert_eq!(show(&set, &answer), expected);
    }
}
