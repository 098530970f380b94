//! Instances, streams and where the streams are.

use std::time::Duration;

use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::prelude::*;
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::Text;

use super::row_at::{RowAt, ids_json, labels_json};
use crate::domain::handover::{Handoff, Handover, HandoverKind};
use crate::domain::ids::{AssignmentVersion, Epoch, Incarnation, InstanceId, StreamId};
use crate::domain::instance::{Instance, InstanceStatus};
use crate::domain::returns::Returns;
use crate::domain::stream::{AssignReason, Assignment, OrphanReason, Place, Stream, StreamState};
use crate::domain::stream_url::StreamUrl;
use crate::domain::time::WallTime;
use crate::domain::withdrawal::{HandedOver, Withdrawal, WithdrawalCause};
use crate::store::error::StoreError;
use crate::store::schema::{instances, placements, streams};

/// A row of `instances`.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = instances, treat_none_as_default_value = false)]
pub(in crate::store) struct InstanceRow {
    id: String,
    incarnation: i64,
    status: String,
    status_since: i64,
    ip: String,
    port: i32,
    max_streams: i64,
    labels: String,
    heartbeat_interval: Option<i64>,
    auto_assign: bool,
    assignment_version: i64,
    registered_at: i64,
    flaps: i64,
    lease: i64,
    withdrawn: Option<String>,
    withdrawn_since: Option<i64>,
    handed_over_life: Option<i64>,
    handed_over_moved: i64,
    handed_over_orphaned: i64,
}

impl InstanceRow {
    /// How many values one row binds.
    pub(in crate::store) const WIDTH: usize = 19;
}

impl From<&Instance> for InstanceRow {
    fn from(instance: &Instance) -> Self {
        Self {
            id: instance.id.as_str().to_owned(),
            incarnation: instance.incarnation.get(),
            status: instance.status.as_str().to_owned(),
            status_since: instance.status_since.as_micros(),
            ip: instance.ip.clone(),
            port: i32::from(instance.port),
            max_streams: i64::from(instance.max_streams),
            labels: labels_json(&instance.labels),
            heartbeat_interval: instance
                .heartbeat_interval
                .map(|interval| i64::try_from(interval.as_micros()).unwrap_or(i64::MAX)),
            auto_assign: instance.auto_assign,
            assignment_version: instance.assignment_version.get(),
            registered_at: instance.registered_at.as_micros(),
            flaps: i64::from(instance.flaps),
            lease: i64::try_from(instance.lease.as_micros()).unwrap_or(i64::MAX),
            withdrawn: instance
                .withdrawn
                .map(|withdrawal| withdrawal.cause.as_str().to_owned()),
            withdrawn_since: instance
                .withdrawn
                .map(|withdrawal| withdrawal.since.as_micros()),
            handed_over_life: instance
                .handed_over
                .map(|handed_over| handed_over.incarnation.get()),
            handed_over_moved: instance
                .handed_over
                .map_or(0, |handed_over| i64::from(handed_over.moved)),
            handed_over_orphaned: instance
                .handed_over
                .map_or(0, |handed_over| i64::from(handed_over.orphaned)),
        }
    }
}

impl TryFrom<InstanceRow> for Instance {
    type Error = StoreError;

    fn try_from(row: InstanceRow) -> Result<Self, StoreError> {
        let at = RowAt {
            table: "instances",
            key: &row.id,
        };
        let heartbeat_interval = match row.heartbeat_interval {
            Some(micros) => Some(Duration::from_micros(
                at.number("heartbeat_interval", micros)?,
            )),
            None => None,
        };
        let withdrawn = match &row.withdrawn {
            Some(cause) => Some(Withdrawal {
                cause: at.word("withdrawn", cause, WithdrawalCause::from_word)?,
                since: row
                    .withdrawn_since
                    .map(WallTime::from_micros)
                    .ok_or_else(|| at.missing("withdrawn_since"))?,
            }),
            None => None,
        };
        let handed_over = match row.handed_over_life {
            Some(life) => Some(HandedOver {
                incarnation: Incarnation::new(life),
                moved: at.number("handed_over_moved", row.handed_over_moved)?,
                orphaned: at.number("handed_over_orphaned", row.handed_over_orphaned)?,
            }),
            None => None,
        };
        Ok(Self {
            handed_over,
            lease: Duration::from_micros(at.number("lease", row.lease)?),
            withdrawn,
            incarnation: Incarnation::new(row.incarnation),
            status: at.word("status", &row.status, InstanceStatus::from_word)?,
            status_since: WallTime::from_micros(row.status_since),
            port: at.number("port", row.port)?,
            max_streams: at.number("max_streams", row.max_streams)?,
            labels: at.labels(&row.labels)?,
            heartbeat_interval,
            auto_assign: row.auto_assign,
            assignment_version: AssignmentVersion::new(row.assignment_version),
            registered_at: WallTime::from_micros(row.registered_at),
            flaps: at.number("flaps", row.flaps)?,
            ip: row.ip,
            id: InstanceId::new(row.id),
        })
    }
}

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
    pub(in crate::store) const WIDTH: usize = 14;
}

impl From<&Stream> for StreamRow {
    fn from(stream: &Stream) -> Self {
        let returns = stream.returns.as_deref();
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
            labels: at.labels(&row.labels)?,
            id: StreamId::new(row.id),
            name: row.name.into(),
            url: row.url.map(|url| url.0),
            priority: row.priority,
            enabled: row.enabled,
            handoff: at.word("handoff", &row.handoff, Handoff::from_word)?,
            deleted: row.deleted,
            created_at: WallTime::from_micros(row.created_at),
        })
    }
}

/// A row of `placements`.
#[derive(Debug, Clone, Default, Queryable, Selectable, Insertable)]
#[diesel(table_name = placements, treat_none_as_default_value = false)]
pub(in crate::store) struct PlacementRow {
    pub(in crate::store) stream_id: i64,
    pub(in crate::store) state: String,
    pub(in crate::store) instance_id: Option<String>,
    pub(in crate::store) epoch: Option<i64>,
    pub(in crate::store) version: Option<i64>,
    pub(in crate::store) reason: Option<String>,
    pub(in crate::store) delivered: Option<i64>,
    pub(in crate::store) released_by: Option<String>,
    pub(in crate::store) orphaned_from: Option<String>,
    pub(in crate::store) since: Option<i64>,
    pub(in crate::store) handover: Option<String>,
    pub(in crate::store) handover_with: Option<String>,
    pub(in crate::store) handover_version: Option<i64>,
    pub(in crate::store) handover_epoch: Option<i64>,
    pub(in crate::store) handover_since: Option<i64>,
    pub(in crate::store) handover_reason: Option<String>,
    pub(in crate::store) given_up_since: Option<i64>,
}

impl PlacementRow {
    /// How many values one row binds.
    pub(in crate::store) const WIDTH: usize = 17;

    /// The row that says where `stream` is.
    pub(in crate::store) fn new(stream: StreamId, place: &Place) -> Self {
        let row = Self {
            stream_id: stream.get(),
            state: place.state().as_str().to_owned(),
            ..Self::default()
        };
        let text = |id: &InstanceId| id.as_str().to_owned();
        match place {
            Place::Assigned(assignment) => Self {
                instance_id: Some(text(&assignment.instance)),
                epoch: Some(assignment.epoch.get()),
                version: Some(assignment.version.get()),
                reason: Some(assignment.reason.as_str().to_owned()),
                delivered: assignment.delivered.map(Incarnation::get),
                since: Some(assignment.assigned_at.as_micros()),
                ..row.handed_over(assignment.handover.as_ref())
            },
            Place::Unclaimed { released_by, since } => Self {
                released_by: released_by.as_ref().map(text),
                since: Some(since.as_micros()),
                ..row
            },
            Place::Orphaned {
                reason,
                from,
                since,
            } => Self {
                reason: Some(reason.as_str().to_owned()),
                orphaned_from: Some(text(from)),
                since: Some(since.as_micros()),
                ..row
            },
            Place::Disabled => row,
        }
    }

    fn handed_over(self, handover: Option<&Handover>) -> Self {
        let kind = handover.map(|handover| handover.kind().as_str().to_owned());
        match handover {
            None => self,
            Some(Handover::GivenUp { since }) => Self {
                given_up_since: Some(since.as_micros()),
                ..self
            },
            Some(Handover::Releasing {
                to,
                version,
                reason,
                since,
            }) => Self {
                handover: kind,
                handover_with: to.as_ref().map(|id| id.as_str().to_owned()),
                handover_version: Some(version.get()),
                handover_since: Some(since.as_micros()),
                handover_reason: Some(reason.as_str().to_owned()),
                ..self
            },
            Some(Handover::Overlapping { from, epoch, since }) => Self {
                handover: kind,
                handover_with: Some(from.as_str().to_owned()),
                handover_epoch: Some(epoch.get()),
                handover_since: Some(since.as_micros()),
                ..self
            },
        }
    }

    fn handover(&self, at: RowAt<'_>) -> Result<Option<Handover>, StoreError> {
        let Some(kind) = &self.handover else {
            let since = self.given_up_since.map(WallTime::from_micros);
            return Ok(since.map(|since| Handover::GivenUp { since }));
        };
        let with = self.handover_with.as_deref().map(InstanceId::from);
        let since = WallTime::from_micros(
            self.handover_since
                .ok_or_else(|| at.missing("handover_since"))?,
        );
        Ok(Some(
            match at.word("handover", kind, HandoverKind::from_word)? {
                HandoverKind::Releasing => Handover::Releasing {
                    to: with,
                    version: AssignmentVersion::new(
                        self.handover_version
                            .ok_or_else(|| at.missing("handover_version"))?,
                    ),
                    // Moves that began before the column was there were planned ones.
                    reason: match &self.handover_reason {
                        Some(word) => at.word("handover_reason", word, AssignReason::from_word)?,
                        None => AssignReason::PlannedMove,
                    },
                    since,
                },
                HandoverKind::Overlapping => Handover::Overlapping {
                    from: with.ok_or_else(|| at.missing("handover_with"))?,
                    epoch: Epoch::new(
                        self.handover_epoch
                            .ok_or_else(|| at.missing("handover_epoch"))?,
                    ),
                    since,
                },
                HandoverKind::GivenUp => Handover::GivenUp { since },
            },
        ))
    }
}

impl TryFrom<PlacementRow> for Place {
    type Error = StoreError;

    fn try_from(row: PlacementRow) -> Result<Self, StoreError> {
        let at = RowAt {
            table: "placements",
            key: &row.stream_id,
        };
        let since = || {
            row.since
                .map(WallTime::from_micros)
                .ok_or_else(|| at.missing("since"))
        };
        let reason = row.reason.as_deref().unwrap_or_default();
        Ok(
            match at.word("state", &row.state, StreamState::from_word)? {
                StreamState::Assigned => Self::Assigned(Assignment {
                    handover: row.handover(at)?,
                    assigned_at: since()?,
                    reason: at.word("reason", reason, AssignReason::from_word)?,
                    epoch: Epoch::new(row.epoch.ok_or_else(|| at.missing("epoch"))?),
                    version: AssignmentVersion::new(
                        row.version.ok_or_else(|| at.missing("version"))?,
                    ),
                    delivered: row.delivered.map(Incarnation::new),
                    instance: InstanceId::new(
                        row.instance_id.ok_or_else(|| at.missing("instance_id"))?,
                    ),
                }),
                StreamState::Unclaimed => Self::Unclaimed {
                    since: since()?,
                    released_by: row.released_by.map(InstanceId::new),
                },
                StreamState::Orphaned => Self::Orphaned {
                    since: since()?,
                    reason: at.word("reason", reason, OrphanReason::from_word)?,
                    from: InstanceId::new(
                        row.orphaned_from
                            .ok_or_else(|| at.missing("orphaned_from"))?,
                    ),
                },
                StreamState::Disabled => Self::Disabled,
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_word_is_named_with_its_table_and_row() {
        let row = PlacementRow {
            stream_id: 7,
            state: "lost".to_owned(),
            ..PlacementRow::default()
        };
        let StoreError::Unusable(text) = Place::try_from(row).unwrap_err() else {
            panic!("another kind of error");
        };
        for part in ["placements", "7", "lost", "state"] {
            assert!(text.contains(part), "`{part}` is not in: {text}");
        }
    }

    #[test]
    fn half_an_assignment_is_not_an_assignment() {
        let whole = PlacementRow::new(
            StreamId::new(1),
            &Place::Assigned(Assignment {
                instance: "a".into(),
                epoch: Epoch::new(2),
                reason: AssignReason::Requested,
                delivered: None,
                version: AssignmentVersion::new(3),
                assigned_at: WallTime::from_micros(4),
                handover: None,
            }),
        );
        assert!(Place::try_from(whole.clone()).is_ok());
        let without_owner = PlacementRow {
            instance_id: None,
            ..whole.clone()
        };
        assert!(matches!(
            Place::try_from(without_owner),
            Err(StoreError::Unusable(text)) if text.contains("instance_id")
        ));
        let without_epoch = PlacementRow {
            epoch: None,
            ..whole
        };
        assert!(matches!(
            Place::try_from(without_epoch),
            Err(StoreError::Unusable(text)) if text.contains("epoch")
        ));
    }
}
