//! `moves`: the moves under way, found among the streams. The whole catalogue is read only if the totals say
//! that there are any.

use serde_json::{Map, Value, json};

use super::form::Form;
use super::pages::{Cut, each_page};
use crate::cli::client::connection::Connection;
use crate::cli::client::list_order::{List, ListOrder};

/// Calls `each` with moves, and returns what the list ends with.
///
/// # Errors
/// Returns what the orchestrator answers, or what `each` returns.
pub(super) fn each_block(
    connection: &Connection,
    form: &Form,
    order: &ListOrder,
    mut each: impl FnMut(Vec<Value>) -> Result<(), Cut>,
) -> Result<Value, Cut> {
    let limit = limit(order)?;
    let totals = connection.get("/status", &[]).map_err(Cut::Reason)?;
    let counts = totals["moves"].as_object().into_iter().flatten();
    if !counts.clone().any(|(_, count)| count.as_u64() > Some(0)) {
        return Ok(Value::Object(Map::new()));
    }
    let (conditions, parameters) = order
        .parameters
        .iter()
        .cloned()
        .partition(|(name, _)| *name != "after");
    let streams = ListOrder {
        list: order.list,
        parameters,
        limit: None,
    };
    let mut wanted = Wanted::new(limit);
    let rest = each_page(connection, form, "streams", &streams, |streams| {
        let mut moves: Vec<Value> = streams.iter().filter_map(row).collect();
        moves.retain(|row| is_selected(row, &conditions));
        let (moves, goes_on) = wanted.take(moves);
        each(moves)?;
        if goes_on { Err(Cut::Enough) } else { Ok(()) }
    });
    match rest {
        // The output goes on: only the reading ends.
        Err(Cut::Enough) => Ok(json!({ "next": wanted.last })),
        rest => rest,
    }
}

/// The moves that are still wanted.
struct Wanted {
    left: usize,
    /// The stream of the last one that was taken.
    last: Value,
}

impl Wanted {
    fn new(limit: usize) -> Self {
        Self {
            left: limit,
            last: Value::Null,
        }
    }

    /// Returns the moves of a page that are wanted, and whether there are more than that. After exactly as
    /// many as are wanted, that shows with a later page.
    fn take(&mut self, mut moves: Vec<Value>) -> (Vec<Value>, bool) {
        let goes_on = moves.len() > self.left;
        moves.truncate(self.left);
        self.left -= moves.len();
        if let Some(last) = moves.last() {
            self.last = last["stream_id"].clone();
        }
        (moves, goes_on)
    }
}

/// Returns the moves under way, at most 1,000.
///
/// # Errors
/// Returns what the orchestrator answers.
pub(in crate::cli::client) fn moves_under_way(connection: &Connection) -> Result<Value, String> {
    let order = ListOrder {
        list: List::Moves,
        parameters: Vec::new(),
        limit: Some("1000".to_owned()),
    };
    let mut moves = Vec::new();
    let read = each_block(connection, &Form::of(List::Moves), &order, |rows| {
        moves.extend(rows);
        Ok(())
    });
    match read {
        Ok(_) | Err(Cut::Enough) => Ok(json!({ "moves": moves })),
        Err(Cut::Reason(reason)) => Err(reason),
        Err(Cut::Output(_)) => Err("the list has ended".to_owned()),
    }
}

fn limit(order: &ListOrder) -> Result<usize, Cut> {
    match order.limit.as_deref().map(str::parse) {
        None => Ok(usize::MAX),
        Some(Ok(limit @ 1..)) => Ok(limit),
        Some(_) => Err(Cut::Reason(
            "`limit` must be a whole number from 1 on.".to_owned(),
        )),
    }
}

fn is_selected(row: &Value, conditions: &[(&'static str, String)]) -> bool {
    conditions.iter().all(|(name, wanted)| match *name {
        "instance" => row["from"] == **wanted || row["to"] == **wanted,
        name => row[name] == **wanted,
    })
}

/// Returns the move of a stream, if there is one.
fn row(stream: &Value) -> Option<Value> {
    let handover = stream.get("handover").filter(|move_| move_.is_object())?;
    let owner = &stream["server_id"];
    // With an overlap the stream has its new owner already; else it has the old one.
    let (from, to) = match &handover["from"] {
        Value::Null => (owner, &handover["to"]),
        from => (from, owner),
    };
    Some(json!({
        "stream_id": stream["id"], "name": stream["name"], "from": from, "to": to,
        "state": handover["state"], "since": handover["since"], "handoff": stream["handoff"],
        "epoch": stream["epoch"],
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_move_goes_from_its_old_owner_to_the_new_one_in_either_order() {
        let stream = |handover: Value| json!({"id": 7, "server_id": "a", "handover": handover});
        let ends = |handover| row(&stream(handover)).map(|row| json!([row["from"], row["to"]]));
        assert_eq!(
            ends(json!({"state": "releasing", "to": "b"})),
            Some(json!(["a", "b"]))
        );
        assert_eq!(
            ends(json!({"state": "overlapping", "from": "b"})),
            Some(json!(["b", "a"]))
        );
        assert_eq!(ends(json!({"state": "given_up"})), Some(json!(["a", null])));
        assert_eq!(row(&json!({"id": 7, "server_id": "a"})), None);
    }

    #[test]
    fn a_limit_that_ends_with_a_page_leaves_no_move_out() {
        let page = |ids: &[u64]| ids.iter().map(|id| json!({"stream_id": id})).collect();
        let mut wanted = Wanted::new(3);
        assert_eq!(wanted.take(page(&[1, 2, 3])), (page(&[1, 2, 3]), false));
        assert_eq!(wanted.take(page(&[])), (vec![], false), "none moves there");
        assert_eq!(wanted.take(page(&[9])), (vec![], true));
        assert_eq!(wanted.last, 3, "the next list begins behind it");
        let mut wanted = Wanted::new(1);
        assert_eq!(wanted.take(page(&[1, 2])), (page(&[1]), true));
        assert_eq!(wanted.last, 1);
    }

    #[test]
    fn moves_are_selected_by_either_end_and_by_state() {
        let row = json!({"from": "a", "to": "b", "state": "releasing"});
        for (name, wanted, is_wanted) in [
            ("instance", "a", true),
            ("instance", "b", true),
            ("instance", "c", false),
            ("state", "releasing", true),
            ("state", "given_up", false),
        ] {
            assert_eq!(
                is_selected(&row, &[(name, wanted.to_owned())]),
                is_wanted,
                "{name}={wanted}"
            );
        }
    }
}
