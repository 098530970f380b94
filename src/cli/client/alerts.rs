//! Orders about alerts: what is sent, and what is printed.

use serde_json::{Value, json};

use super::connection::Connection;
use super::question::AlertOrder;
use super::recovery::encoded;
use super::table::{cell, time};
use crate::logging::escapes::escaped;

/// Sends an order.
///
/// # Errors
/// Returns the reason why it was not carried out.
pub(super) fn send(connection: &Connection, order: &AlertOrder) -> Result<Value, String> {
    match order {
        AlertOrder::Acknowledge { id, note } => {
            let path = format!("/resilience/alerts/{}/acknowledge", encoded(id));
            connection.order(&path, &[], &json!({"note": note}))
        }
        AlertOrder::Silence(body) => connection.order("/resilience/silences", &[], body),
        AlertOrder::Unsilence { id } => {
            let path = format!("/resilience/silences/{}", encoded(id));
            connection.cancel(&path, &[])
        }
    }
}

/// Returns the answer to an order as a sentence.
pub(super) fn show(answer: &Value) -> String {
    let id = cell(&answer["id"]);
    match answer["status"].as_str() {
        Some("acknowledged") => {
            let unsaved = match answer["saved"].as_bool() {
                Some(false) => " It is saved as soon as the database answers.",
                _ => "",
            };
            format!("Alert {id} is acknowledged.{unsaved}\n")
        }
        Some("expired") => format!("Silence {id} is over.\n"),
        _ => format!(
            "Silence {id} is in force until {} UTC: {}\n",
            time(&answer["until"]),
            conditions(&answer["matchers"])
        ),
    }
}

/// Returns `kind=flapping, label:rack=~r.`.
pub(super) fn conditions(matchers: &Value) -> String {
    let matchers = matchers.as_array().into_iter().flatten();
    let matchers = matchers.map(|matcher| {
        let sign = if matcher["is_regex"] == true {
            "=~"
        } else {
            "="
        };
        let text = |name: &str| escaped(matcher[name].as_str().unwrap_or_default());
        format!("{}{sign}{}", text("name"), text("value"))
    });
    let matchers: Vec<String> = matchers.collect();
    match matchers.is_empty() {
        true => "-".to_owned(),
        false => matchers.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_is_a_sentence() {
        let silence = json!({"id": 7, "status": "active", "until": "2026-01-31T08:00:00Z",
            "matchers": [{"name": "kind", "value": "flapping", "is_regex": false},
                {"name": "label:rack", "value": "r.\u{1b}", "is_regex": true}]});
        for (answer, sentence) in [
            (
                json!({"id": 5, "status": "acknowledged", "saved": true}),
                "Alert 5 is acknowledged.\n",
            ),
            (
                json!({"id": 5, "status": "acknowledged", "saved": false}),
                "Alert 5 is acknowledged. It is saved as soon as the database answers.\n",
            ),
            (
                json!({"id": 7, "status": "expired"}),
                "Silence 7 is over.\n",
            ),
            (
                silence,
                "Silence 7 is in force until 2026-01-31 08:00:00 UTC: kind=flapping, \
                 label:rack=~r.\\u{1b}\n",
            ),
        ] {
            assert_eq!(show(&answer), sentence);
        }
    }
}
