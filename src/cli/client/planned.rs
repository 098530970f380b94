//! The orders of planned work: what is sent, and what is printed.

use serde_json::Value;

use super::connection::Connection;
use super::plans;
use super::progress;
use super::question::{PlannedOrder, Work};
use super::recovery::encoded;
use crate::cli::exit::Exit;
use crate::cli::output::{complain, print};
use crate::logging::escapes::escaped_json;

/// Sends an order, prints the answer, waits if that was asked for, and returns the exit code.
pub(super) fn carry_out(connection: &Connection, order: &PlannedOrder, json: bool) -> Exit {
    let answer = match send(connection, order) {
        Ok(answer) => answer,
        Err(reason) => {
            complain(&format!("orchestrator: {reason}"));
            return Exit::Failed;
        }
    };
    if order.wait && !order.dry_run {
        if !json {
            progress::announce(&show(order.work, &answer));
        }
        return progress::wait(connection, &watched(order, &answer), json);
    }
    print(&if json {
        format!("{}\n", escaped_json(&format!("{answer:#}")))
    } else {
        show(order.work, &answer)
    })
}

/// Returns the path at which the progress of an order is shown.
fn watched(order: &PlannedOrder, answer: &Value) -> String {
    match order.work {
        Work::Roll | Work::Rolls | Work::ShowRoll | Work::OrderRoll(_) => {
            format!("/rolls/{}", answer["id"])
        }
        Work::Cordon | Work::Uncordon | Work::Drain | Work::CancelDrain | Work::Maintenance => {
            instance(order, "drain")
        }
    }
}

fn send(connection: &Connection, order: &PlannedOrder) -> Result<Value, String> {
    let path = path(order);
    let tried = [("dry_run", "true".to_owned())];
    let parameters = if order.dry_run { &tried[..] } else { &[] };
    match order.work {
        Work::Rolls | Work::ShowRoll => connection.get(&path, &[]),
        Work::CancelDrain => {
            let reason = order.body.get("reason").and_then(Value::as_str);
            let reason: Vec<_> = reason
                .map(|reason| ("reason", reason.to_owned()))
                .into_iter()
                .collect();
            connection.cancel(&path, &reason)
        }
        Work::Cordon
        | Work::Uncordon
        | Work::Drain
        | Work::Maintenance
        | Work::Roll
        | Work::OrderRoll(_) => {
            let body = Value::Object(order.body.clone());
            connection.order(&path, parameters, &body)
        }
    }
}

fn path(order: &PlannedOrder) -> String {
    match order.work {
        Work::Cordon => instance(order, "cordon"),
        Work::Uncordon => instance(order, "uncordon"),
        Work::Drain | Work::CancelDrain => instance(order, "drain"),
        Work::Maintenance => instance(order, "maintenance"),
        Work::Roll | Work::Rolls => "/rolls".to_owned(),
        Work::ShowRoll => format!("/rolls/{}", encoded(&order.id)),
        Work::OrderRoll(word) => format!("/rolls/{}/{word}", encoded(&order.id)),
    }
}

fn instance(order: &PlannedOrder, word: &str) -> String {
    format!("/instances/{}/{word}", encoded(&order.id))
}

fn show(work: Work, answer: &Value) -> String {
    match work {
        Work::Cordon | Work::Uncordon => plans::cordon(answer),
        Work::Drain | Work::Maintenance => plans::drain(answer),
        Work::CancelDrain => plans::cancelled(answer),
        Work::Rolls => plans::rolls(answer),
        Work::Roll | Work::ShowRoll | Work::OrderRoll(_) => plans::roll(answer),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_progress_of_an_order_is_at_its_drain_whatever_its_instance_is_called() {
        let order = |work, id: &str| PlannedOrder {
            work,
            id: id.to_owned(),
            body: serde_json::Map::new(),
            dry_run: false,
            wait: true,
        };
        let answer = json!({"id": 7});
        for (work, path) in [
            (Work::Maintenance, "/instances/maintenance-1/drain"),
            (Work::Drain, "/instances/maintenance-1/drain"),
            (Work::Roll, "/rolls/7"),
        ] {
            assert_eq!(watched(&order(work, "maintenance-1"), &answer), path);
        }
    }
}
