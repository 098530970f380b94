//! The rows of alerts, of silences and of the health history.

use diesel::prelude::*;

use super::row_at::{RowAt, json_of};
use crate::domain::alert::{Acknowledgement, Alert, AlertKind, Severity, Silence};
use crate::domain::health::{HealthRecord, SystemHealth};
use crate::domain::ids::{AlertId, SilenceId};
use crate::domain::planned::Requester;
use crate::domain::time::WallTime;
use crate::store::error::StoreError;
use crate::store::schema::{alerts, health_history, silences};

/// A row of `alerts`.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = alerts, treat_none_as_default_value = false)]
pub(in crate::store) struct AlertRow {
    id: i64,
    kind: String,
    severity: String,
    subject: String,
    detail: String,
    opened_at: i64,
    closed_at: Option<i64>,
    instances: String,
    repeats: i64,
    acknowledged_at: Option<i64>,
    acknowledged_by: Option<String>,
    note: Option<String>,
}

impl AlertRow {
    /// How many values one row binds.
    pub(in crate::store) const WIDTH: usize = 12;
}

impl From<&Alert> for AlertRow {
    fn from(alert: &Alert) -> Self {
        // PostgreSQL has no text with NUL in it; one odd text must not lose an alert.
        let text = |text: &str| text.replace('\0', "\u{FFFD}");
        let seen = alert.acknowledged.as_ref();
        Self {
            id: alert.id.get(),
            kind: alert.kind.as_str().to_owned(),
            severity: alert.severity.as_str().to_owned(),
            subject: text(&alert.subject),
            detail: text(&alert.detail),
            opened_at: alert.opened_at.as_micros(),
            closed_at: alert.closed_at.map(WallTime::as_micros),
            instances: text(&json_of(&alert.instances)),
            repeats: i64::from(alert.repeats),
            acknowledged_at: seen.map(|seen| seen.at.as_micros()),
            acknowledged_by: seen.map(|seen| seen.by.as_str().to_owned()),
            note: seen.and_then(|seen| seen.note.as_deref().map(text)),
        }
    }
}

impl TryFrom<AlertRow> for Alert {
    type Error = StoreError;

    fn try_from(row: AlertRow) -> Result<Self, StoreError> {
        let at = RowAt {
            table: "alerts",
            key: &row.id,
        };
        let acknowledged = match row.acknowledged_at {
            None => None,
            Some(moment) => {
                let by = row
                    .acknowledged_by
                    .ok_or_else(|| at.missing("acknowledged_by"))?;
                Some(Acknowledgement {
                    at: WallTime::from_micros(moment),
                    by: at.word("acknowledged_by", &by, Requester::from_word)?,
                    note: row.note,
                })
            }
        };
        Ok(Self {
            acknowledged,
            instances: at.ids("instances", &row.instances)?,
            repeats: at.number("repeats", row.repeats)?,
            kind: at.word("kind", &row.kind, AlertKind::from_word)?,
            severity: at.word("severity", &row.severity, Severity::from_word)?,
            id: AlertId::new(row.id),
            subject: row.subject,
            detail: row.detail,
            opened_at: WallTime::from_micros(row.opened_at),
            closed_at: row.closed_at.map(WallTime::from_micros),
        })
    }
}

/// A row of `silences`.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = silences, treat_none_as_default_value = false)]
pub(in crate::store) struct SilenceRow {
    id: i64,
    matchers: String,
    created_at: i64,
    created_by: String,
    ends_at: i64,
    reason: String,
}

impl From<&Silence> for SilenceRow {
    fn from(silence: &Silence) -> Self {
        Self {
            id: silence.id.get(),
            matchers: json_of(&silence.matchers),
            created_at: silence.created_at.as_micros(),
            created_by: silence.by.as_str().to_owned(),
            ends_at: silence.until.as_micros(),
            reason: silence.reason.clone(),
        }
    }
}

impl TryFrom<SilenceRow> for Silence {
    type Error = StoreError;

    fn try_from(row: SilenceRow) -> Result<Self, StoreError> {
        let at = RowAt {
            table: "silences",
            key: &row.id,
        };
        Ok(Self {
            matchers: serde_json::from_str(&row.matchers)
                .map_err(|_| at.unusable("matchers", &row.matchers))?,
            by: at.word("created_by", &row.created_by, Requester::from_word)?,
            id: SilenceId::new(row.id),
            created_at: WallTime::from_micros(row.created_at),
            until: WallTime::from_micros(row.ends_at),
            reason: row.reason,
        })
    }
}

/// A row of `health_history`.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = health_history, treat_none_as_default_value = false)]
pub(in crate::store) struct HealthRow {
    at: i64,
    health: String,
    rules: String,
    active_instances: i64,
    failed_instances: i64,
    total_instances: i64,
    capacity: i64,
    assigned_streams: i64,
    orphaned_streams: i64,
}

impl HealthRow {
    /// How many values one row binds.
    pub(in crate::store) const WIDTH: usize = 9;
}

impl From<&HealthRecord> for HealthRow {
    fn from(record: &HealthRecord) -> Self {
        let rules = record.rules.iter().map(|rule| rule.as_str());
        let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        Self {
            at: record.at.as_micros(),
            health: record.health.as_str().to_owned(),
            rules: serde_json::Value::from_iter(rules).to_string(),
            active_instances: i64::from(record.active_instances),
            failed_instances: i64::from(record.failed_instances),
            total_instances: i64::from(record.total_instances),
            capacity: count(record.capacity),
            assigned_streams: count(record.assigned_streams),
            orphaned_streams: count(record.orphaned_streams),
        }
    }
}

impl TryFrom<HealthRow> for HealthRecord {
    type Error = StoreError;

    fn try_from(row: HealthRow) -> Result<Self, StoreError> {
        let at = RowAt {
            table: "health_history",
            key: &row.at,
        };
        Ok(Self {
            health: at.word("health", &row.health, SystemHealth::from_word)?,
            rules: serde_json::from_str(&row.rules)
                .map_err(|_| at.unusable("rules", &row.rules))?,
            active_instances: at.number("active_instances", row.active_instances)?,
            failed_instances: at.number("failed_instances", row.failed_instances)?,
            total_instances: at.number("total_instances", row.total_instances)?,
            capacity: at.number("capacity", row.capacity)?,
            assigned_streams: at.number("assigned_streams", row.assigned_streams)?,
            orphaned_streams: at.number("orphaned_streams", row.orphaned_streams)?,
            at: WallTime::from_micros(row.at),
        })
    }
}
