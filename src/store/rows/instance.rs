//! Rows of `instances`.

use std::time::Duration;

use diesel::prelude::*;

use super::row_at::{RowAt, json_of, labels_json};
use crate::domain::ids::{AssignmentVersion, Incarnation, InstanceId};
use crate::domain::instance::{Instance, InstanceStatus};
use crate::domain::time::WallTime;
use crate::domain::withdrawal::{HandedOver, Withdrawal, WithdrawalCause};
use crate::store::error::StoreError;
use crate::store::schema::instances;

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
    capacity: Option<i64>,
    planned: Option<String>,
}

impl InstanceRow {
    /// How many values one row binds.
    pub(in crate::store) const WIDTH: usize = 21;

    /// Its key.
    pub(in crate::store) fn id(&self) -> &str {
        &self.id
    }
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
            capacity: instance.capacity.map(i64::from),
            planned: instance.planned.as_deref().map(json_of),
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
        let planned = row.planned.as_deref().map(|json| {
            let read = serde_json::from_str(json);
            read.map_err(|_| at.unusable("planned", json))
        });
        let capacity = row.capacity.map(|most| at.number("capacity", most));
        Ok(Self {
            capacity: capacity.transpose()?,
            planned: planned.transpose()?,
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
