//! The order of `rebalance`, and what it prints: what was done in a sentence, then the moves as a table.

use serde_json::Value;

use super::connection::Connection;
use super::progress;
use super::question::RebalanceOrder;
use super::table::{aligned, cell, words};
use crate::cli::exit::Exit;
use crate::cli::output::{complain, print};
use crate::logging::escapes::escaped_json;

/// Sends the order, prints the answer, waits if that was asked for, and returns the exit code.
pub(super) fn carry_out(connection: &Connection, order: &RebalanceOrder, json: bool) -> Exit {
    let answer = match connection.post("/rebalance/smart", &order.parameters) {
        Ok(answer) => answer,
        Err(reason) => {
            complain(&format!("orchestrator: {reason}"));
            return Exit::Failed;
        }
    };
    let printed = print(&if json {
        format!("{}\n", escaped_json(&format!("{answer:#}")))
    } else {
        show(&answer)
    });
    if order.wait && printed == Exit::Done {
        return progress::wait_for_moves(connection, &answer);
    }
    printed
}

/// Returns the sentence and the moves, if there are any.
fn show(answer: &Value) -> String {
    let text = format!("{}\n", cell(&answer["message"]));
    let moves = answer["moves"].as_array().map_or(&[][..], Vec::as_slice);
    if moves.is_empty() {
        return text;
    }
    let mut rows = vec![["STREAM", "FROM", "TO", "BECAUSE", "STATE"].map(str::to_owned)];
    rows.extend(moves.iter().map(|planned| {
        [
            cell(&planned["stream_id"]),
            cell(&planned["from"]),
            cell(&planned["to"]),
            words(&planned["reason"]),
            cell(&planned["progress"]),
        ]
    }));
    text + &aligned(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_plan_is_a_sentence_and_a_table() {
        let answer = json!({
            "message": "Dry run: 1 stream would move.",
            "moves": [{
                "stream_id": 12, "from": "a", "to": "c", "reason": "above_fair_share",
                "progress": "planned",
            }],
        });
        assert_eq!(
            show(&answer),
            "Dry run: 1 stream would move.\n\
             STREAM  FROM  TO  BECAUSE           STATE\n\
             12      a     c   above fair share  planned\n"
        );
        let nothing = json!({"message": "Nothing to do.", "moves": []});
        assert_eq!(show(&nothing), "Nothing to do.\n");
    }
}
