//! `moves`: the moves under way, found among the streams. The whole catalogue is read only if the totals say
//! that there are any.

use serde_json::{Map, Value, json};

use super::form::Form;
use super::pages::{Cut, each_page};
use crate::cli::client::connection::Connection;
use crate::cli::client::list_order::ListOrder;

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
    let mut left = limit;
    let mut next = None;
    let mut rest = each_page(connection, form, "streams", &streams, |streams| {
        let mut moves: Vec<Value> = streams.iter().filter_map(row).collect();
        moves.retain(|row| is_selected(row, &conditions));
        if moves.len() > left {
            moves.truncate(left);
            next = moves.last().map(|last| last["stream_id"].clone());
        }
        left -= moves.len();
        each(moves)?;
        match &next {
            // The output goes on: only the reading ends.
            Some(_) => Err(Cut::Enough),
            None => Ok(()),
        }
    });
    if let (Err(Cut::Enough), Some(next)) = (&rest, next) {
        rest = Ok(json!({ "next": next }));
    }
    rest
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
