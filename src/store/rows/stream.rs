//! Rows of `streams`.

use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::prelude::*;
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::Text;

use super::row_at::{RowAt, ids_json, labels_json};
use crate::domain::constraints::Constraints;
use crate::domain::handover::HandoverMode;
use crate::domain::ids::{InstanceId, StreamId};
use crate::domain::quarantine::{OwnerFailure, Quarantine, Suspicion};
use crate::domain::returns::Returns;
use crate::domain::stream::Stream;
use crate::domain::stream_url::StreamUrl;
use crate::domain::time::WallTime;
use crate::store::error::StoreError;
use crate::store::schema::streams;

/// A row of `streams`.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = streams, treat_none_as_default_value = false)]
pub(in crate::store) struct StreamRow {
    id: i64,
    name: String,
    url: Option<UrlText>,
    labels: String,
    priority: i32,
    enabled: bool,
    created_at: i64,
    handoff: String,
    deleted: bool,
    returns: i64,
    returned_by: Option<String>,
    return_reason: Option<String>,
    returned_at: Option<i64>,
    retry_at: Option<i64>,
    weight: i64,
    requires: Option<String>,
    spread_group: Option<String>,
    pinned: Option<String>,
    owner_failures: Option<String>,
    quarantined_since: Option<i64>,
    quarantine_retries: Option<i64>,
    quarantine_retry_at: Option<i64>,
}

/// The URL of a stream as a column; printed without its passwords, as [`StreamUrl`] is.
#[derive(Debug, Clone, AsExpression, FromSqlRow)]
#[diesel(sql_type = Text)]
pub(in crate::store) struct UrlText(StreamUrl);

impl<B: Backend> ToSql<Text, B> for UrlText
where
    str: ToSql<Text, B>,
{
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, B>) -> serialize::Result {
        self.0.expose().to_sql(out)
    }
}

impl<B: Backend> FromSql<Text, B> for UrlText
where
    String: FromSql<Text, B>,
{
    fn from_sql(bytes: B::RawValue<'_>) -> deserialize::Result<Self> {
        String::from_sql(bytes).map(|text| Self(text.into()))
    }
}

impl StreamRow {
    /// How many values one row binds.
    pub(in crate::store) const WIDTH: usize = 22;

    /// Its key.
    pub(in crate::store) const fn id(&self) -> i64 {
        self.id
    }
}

impl From<&Stream> for StreamRow {
    fn from(stream: &Stream) -> Self {
        let returns = stream.returns.as_deref();
        let suspicion = stream.suspicion.as_deref();
        let quarantine = suspicion.and_then(|suspicion| suspicion.quarantine);
        Self {
            id: stream.id.get(),
            name: stream.name.as_ref().to_owned(),
            url: stream.url.clone().map(UrlText),
            labels: labels_json(&stream.labels),
            priority: stream.priority,
            enabled: stream.enabled,
            created_at: stream.created_at.as_micros(),
            handoff: stream.handoff.as_str().to_owned(),
            deleted: stream.deleted,
            returns: returns.map_or(0, |returns| i64::from(returns.count)),
            returned_by: returns.map(|returns| ids_json(&returns.workers)),
            return_reason: returns.and_then(|returns| returns.reason.as_deref().map(str::to_owned)),
            returned_at: returns.map(|returns| returns.last_at.as_micros()),
            retry_at: returns.and_then(|returns| returns.retry_at.map(WallTime::as_micros)),
            weight: i64::from(stream.weight),
            requires: stream.requires().map(labels_json),
            spread_group: stream.group().map(|group| group.as_ref().to_owned()),
            pinned: stream.pinned().map(|pinned| pinned.as_str().to_owned()),
            owner_failures: suspicion.map(|suspicion| failures_json(&suspicion.failures)),
            quarantined_since: quarantine.map(|quarantine| quarantine.since.as_micros()),
            quarantine_retries: quarantine.map(|quarantine| i64::from(quarantine.retries)),
            quarantine_retry_at: quarantine
                .and_then(|quarantine| quarantine.retry_at.map(WallTime::as_micros)),
        }
    }
}

impl StreamRow {
    fn returns(&self, at: RowAt<'_>) -> Result<Option<Box<Returns>>, StoreError> {
        if self.returns == 0 {
            return Ok(None);
        }
        let workers = self.returned_by.as_deref();
        let last_at = self.returned_at.map(WallTime::from_micros);
        Ok(Some(Box::new(Returns {
            count: at.number("returns", self.returns)?,
            workers: at.ids(
                "returned_by",
                workers.ok_or_else(|| at.missing("returned_by"))?,
            )?,
            reason: self.return_reason.as_deref().map(Into::into),
            last_at: last_at.ok_or_else(|| at.missing("returned_at"))?,
            retry_at: self.retry_at.map(WallTime::from_micros),
        })))
    }

    fn suspicion(&self, at: RowAt<'_>) -> Result<Option<Box<Suspicion>>, StoreError> {
        let Some(failures) = &self.owner_failures else {
            return Ok(None);
        };
        let quarantine = match self.quarantined_since {
            None => None,
            Some(since) => Some(Quarantine {
                since: WallTime::from_micros(since),
                retries: at.number("quarantine_retries", self.quarantine_retries.unwrap_or(0))?,
                retry_at: self.quarantine_retry_at.map(WallTime::from_micros),
            }),
        };
        Ok(Some(Box::new(Suspicion {
            failures: serde_json::from_str(failures)
                .map_err(|_| at.unusable("owner_failures", failures))?,
            quarantine,
        })))
    }
}

fn failures_json(failures: &[OwnerFailure]) -> String {
    // Texts and numbers can always be written.
    serde_json::to_string(failures).unwrap_or_else(|_| "[]".to_owned())
}

impl StreamRow {
    fn constraints(&self, at: RowAt<'_>) -> Result<Option<Box<Constraints>>, StoreError> {
        let requires = self.requires.as_deref().map(|text| at.labels(text));
        let constraints = Constraints {
            requires: requires.transpose()?.unwrap_or_default(),
            group: self.spread_group.as_deref().map(Into::into),
            pinned: self.pinned.as_deref().map(InstanceId::from),
        };
        Ok(constraints.boxed())
    }
}

impl TryFrom<StreamRow> for Stream {
    type Error = StoreError;

    fn try_from(row: StreamRow) -> Result<Self, StoreError> {
        let at = RowAt {
            table: "streams",
            key: &row.id,
        };
        Ok(Self {
            returns: row.returns(at)?,
            weight: at.number("weight", row.weight)?,
            constraints: row.constraints(at)?,
            suspicion: row.suspicion(at)?,
            labels: at.labels(&row.labels)?,
            id: StreamId::new(row.id),
            name: row.name.into(),
            url: row.url.map(|url| url.0),
            priority: row.priority,
            enabled: row.enabled,
            handoff: at.word("handoff", &row.handoff, HandoverMode::from_word)?,
            deleted: row.deleted,
            created_at: WallTime::from_micros(row.created_at),
        })
    }
}
