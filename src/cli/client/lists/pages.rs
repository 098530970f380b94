//! Reads a list page by page.

use serde_json::Value;

use super::form::Form;
use crate::cli::client::connection::Connection;
use crate::cli::client::list_order::ListOrder;
use crate::cli::exit::Exit;

/// What ends a list before its end.
#[derive(Debug)]
pub(super) enum Cut {
    /// The orchestrator, with the reason.
    Reason(String),
    /// The output.
    Output(Exit),
    /// The limit of the order.
    Enough,
}

/// How many rows are still to be read.
#[derive(Debug, PartialEq, Eq)]
enum Left {
    All,
    Rows(u64),
    /// A limit that is no number of rows. It is sent as it is: the orchestrator says what would do.
    Unread(String),
}

impl Left {
    fn of(limit: Option<&str>) -> Self {
        match (limit, limit.map(str::parse)) {
            (None, _) => Self::All,
            (Some(_), Some(Ok(rows @ 1..))) => Self::Rows(rows),
            (Some(limit), _) => Self::Unread(limit.to_owned()),
        }
    }

    /// Returns the limit of the next page.
    fn page(&self, longest: u64) -> String {
        match self {
            Self::All => longest.to_string(),
            Self::Rows(rows) => longest.min(*rows).to_string(),
            Self::Unread(limit) => limit.clone(),
        }
    }

    /// Counts rows that were read; returns whether more are wanted.
    fn wants_more(&mut self, read: usize) -> bool {
        match self {
            Self::All => true,
            Self::Rows(rows) => {
                *rows = rows.saturating_sub(read.try_into().unwrap_or(u64::MAX));
                *rows > 0
            }
            Self::Unread(_) => false,
        }
    }
}

/// Calls `each` with the rows of each page, and returns the last answer without its rows: it has `next` if
/// the list goes on.
///
/// # Errors
/// Returns what the orchestrator answers, or what `each` returns.
pub(super) fn each_page(
    connection: &Connection,
    form: &Form,
    rows_at: &str,
    order: &ListOrder,
    mut each: impl FnMut(Vec<Value>) -> Result<(), Cut>,
) -> Result<Value, Cut> {
    let mut left = Left::of(order.limit.as_deref());
    let mut parameters = order.parameters.clone();
    loop {
        let mut asked = parameters.clone();
        asked.extend(form.page.map(|page| ("limit", left.page(page))));
        let page = connection.get(form.path, &asked);
        let mut page = page.map_err(Cut::Reason)?;
        let rows = page.as_object_mut().and_then(|page| page.remove(rows_at));
        let rows = match rows {
            Some(Value::Array(rows)) => rows,
            _ => Vec::new(),
        };
        let read = rows.len();
        each(rows)?;
        let wants_more = left.wants_more(read) && read > 0;
        match next(&page) {
            Some(next) if wants_more => {
                parameters.retain(|(name, _)| *name != "after");
                parameters.push(("after", next));
            }
            _ => return Ok(page),
        }
    }
}

/// Returns the row that the next page follows: a number or a name.
pub(super) fn next(page: &Value) -> Option<String> {
    match page.get("next")? {
        Value::Null => None,
        Value::String(name) => Some(name.clone()),
        number => Some(number.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_limit_is_spread_over_pages_and_a_wrong_one_is_sent_as_it_is() {
        let mut rows = Left::of(Some("12"));
        assert_eq!(rows.page(5), "5");
        assert!(rows.wants_more(5) && rows.wants_more(5));
        assert_eq!(rows.page(5), "2");
        assert!(!rows.wants_more(2));
        assert_eq!(Left::of(None).page(5), "5");
        assert!(Left::of(None).wants_more(5));
        for wrong in ["0", "-1", "many", ""] {
            assert_eq!(Left::of(Some(wrong)).page(5), wrong);
        }
    }

    #[test]
    fn the_next_page_follows_a_number_or_a_name() {
        assert_eq!(next(&json!({"next": 7})).as_deref(), Some("7"));
        assert_eq!(next(&json!({"next": "a\"b"})).as_deref(), Some("a\"b"));
        assert_eq!(next(&json!({"next": null})), None);
        assert_eq!(next(&json!({})), None);
    }
}
