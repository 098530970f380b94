//! The parts that many answers share: times, seconds, pages.

use std::fmt;
use std::time::Duration;

use actix_web::{HttpResponse, web};
use serde::{Serialize, Serializer};
use serde_json::Value;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::problem::Problem;
use crate::domain::stream_url::StreamUrl;
use crate::domain::time::WallTime;

/// Answers with more rows than this are written on another thread, so that no heartbeat waits for
/// them.
const WRITTEN_APART: usize = 500;

/// A time as answers show it: RFC 3339, UTC, microseconds, `Z`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Time(pub WallTime);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// An answer from memory. While the store does not answer, `stale_since` says since when: the
/// answer shows the state saved until then.
#[derive(Debug, Serialize)]
pub(super) struct Told<T> {
    #[serde(flatten)]
    answer: T,
    #[serde(skip_serializing_if = "Option::is_none")]
    stale_since: Option<Time>,
}

impl<T> Told<T> {
    /// Adds `stale_since` as the gate of the store showed it when the answer was made.
    pub(super) fn new(answer: T, stale_since: Option<WallTime>) -> Self {
        Self {
            answer,
            stale_since: stale_since.map(Time),
        }
    }
}

/// Writes the URL of a stream with its passwords. Only answers to the worker that runs the stream may
/// use it; `shown_url` is for the answers of the catalogue.
pub(super) fn whole_url<S: Serializer>(
    url: &Option<StreamUrl>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    url.as_ref().map(StreamUrl::expose).serialize(serializer)
}

/// The end of a list: the key after which the next page begins, and since when the list is stale.
#[derive(Debug, Serialize)]
pub(super) struct PageEnd<K> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<K>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stale_since: Option<Time>,
}

impl<K> PageEnd<K> {
    /// Adds `stale_since` as the gate of the store showed it when the answer was made.
    pub(super) fn new(next: Option<K>, stale_since: Option<WallTime>) -> Self {
        Self {
            next,
            stale_since: stale_since.map(Time),
        }
    }
}

/// Seconds as answers show them: an integer if they are whole, to the microsecond if not.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub(super) struct Seconds(Value);

/// Returns seconds as answers show them.
pub(super) fn seconds(duration: Duration) -> Seconds {
    Seconds(if duration.subsec_micros() == 0 {
        duration.as_secs().into()
    } else {
        (duration.as_secs() as f64 + f64::from(duration.subsec_micros()) / 1e6).into()
    })
}

impl PartialSchema for Seconds {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::Number)
            .minimum(Some(0))
            .into()
    }
}

impl ToSchema for Seconds {}

impl PartialSchema for Time {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .into()
    }
}

impl ToSchema for Time {}

/// Returns whole milliseconds.
pub(super) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Returns milliseconds, exact to the microsecond.
pub(super) fn in_milliseconds(microseconds: u64) -> f64 {
    microseconds as f64 / 1e3
}

/// Returns 200 with a body that is built and written here if it has few rows, on another thread if
/// it has many. For answers that are no list; lists are written in pieces (`pieces/mod.rs`).
///
/// # Errors
/// Returns 500 if the answer cannot be written, which would be a fault of this program.
pub(super) async fn list<T: Serialize>(
    rows: usize,
    build: impl FnOnce() -> T + Send + 'static,
) -> Result<HttpResponse, Problem> {
    let write = move || serde_json::to_vec(&build());
    let written = if rows > WRITTEN_APART {
        web::block(write).await.map_err(|_| Problem::internal())?
    } else {
        write()
    };
    let body = written.map_err(|error| {
        log::error!(error:%; "an answer could not be written");
        Problem::internal()
    })?;
    Ok(HttpResponse::Ok()
        .content_type("application/json")
        .body(body))
}

/// Cuts off the one item more than was requested; if it was there, the next page follows the last
/// item that stays.
pub(super) fn page<T, K>(
    mut items: Vec<T>,
    limit: u32,
    key: impl Fn(&T) -> K,
) -> (Vec<T>, Option<K>) {
    let more = items.len() > limit as usize;
    items.truncate(limit as usize);
    let next = items.last().filter(|_| more).map(key);
    (items, next)
}

/// Rounds to four places: shares of streams need no more.
pub(super) fn rounded(number: f64) -> f64 {
    (number * 1e4).round() / 1e4
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn times_are_utc_with_z_and_never_fail() {
        let shown = |micros| serde_json::to_value(Time(WallTime::from_micros(micros))).unwrap();
        assert_eq!(shown(1_700_000_000_000_001), "2023-11-14T22:13:20.000001Z");
        assert_eq!(shown(-5), "1970-01-01T00:00:00.000000Z");
        assert_eq!(shown(i64::MAX), "9999-12-31T23:59:59.999999Z");
    }

    #[test]
    fn whole_seconds_are_integers() {
        assert_eq!(seconds(Duration::from_secs(240)).0, json!(240));
        assert_eq!(seconds(Duration::from_millis(2_400)).0, json!(2.4));
        assert_eq!(seconds(Duration::ZERO).0, json!(0));
    }
}
