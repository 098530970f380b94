//! The orders of planned work: what is sent, and what is printed.

use serde_json::Value;

use super::connection::Connection;
use super::plans;
use super::progress;
use super::question::{PlannedOrder, Work};
use crate::cli::escapes::escaped_json;
use crate::cli::exit::Exit;
use crate::cli::output::{complain, print};

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
        let path = match order.work {
            Work::Roll | Work::ShowRoll => format!("/rolls/{}", answer["id"]),
            _ => path(order),
        };
        return progress::wait(connection, &path, json);
    }
    print(&if json {
        format!("{}\n", escaped_json(&format!("{answer:#}")))
    } else {
        show(order.work, &answer)
    })
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
    let instance = |word: &str| format!("/instances/{}/{word}", segment(&order.id));
    match order.work {
        Work::Cordon => instance("cordon"),
        Work::Uncordon => instance("uncordon"),
        Work::Drain | Work::CancelDrain => instance("drain"),
        Work::Maintenance => instance("maintenance"),
        Work::Roll | Work::Rolls => "/rolls".to_owned(),
        Work::ShowRoll => format!("/rolls/{}", segment(&order.id)),
        Work::OrderRoll(word) => format!("/rolls/{}/{word}", segment(&order.id)),
    }
}

/// Returns a name as one segment of a path.
fn segment(name: &str) -> String {
    let mut segment = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~') {
            segment.push(char::from(byte));
        } else {
            segment.push_str(&format!("%{byte:02X}"));
        }
    }
    segment
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
