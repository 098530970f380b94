//! Which rows are deleted, and which part of the program deletes them from which table.
//!
//! Every table has an owner ([`TABLES`]): a table that only grows fills the disk some day. Expired
//! rows are deleted in steps of [`PRUNE_STEP`] rows, each a transaction of its own, so that the
//! transactions of the fleet get their turn in between.

use crate::domain::timeline::{Recent, Span};

/// How many rows one step deletes at most, of all tables together: a few milliseconds.
pub(super) const PRUNE_STEP: i64 = 1_000;

const PRUNE_METRICS: &str = "DELETE FROM metrics WHERE (instance_id, recorded_at) IN \
     (SELECT instance_id, recorded_at FROM metrics \
     WHERE recorded_at >= $1 AND recorded_at <= $2 LIMIT $3)";

const PRUNE_EVENTS: &str = "DELETE FROM events WHERE sequence IN \
     (SELECT sequence FROM events WHERE at >= $1 AND at <= $2 LIMIT $3)";

/// Open alerts have no time of closing, and stay.
const PRUNE_ALERTS: &str = "DELETE FROM alerts WHERE id IN \
     (SELECT id FROM alerts WHERE closed_at >= $1 AND closed_at <= $2 LIMIT $3)";

/// A silence that was ended by an order has that moment as its end.
const PRUNE_SILENCES: &str = "DELETE FROM silences WHERE id IN \
     (SELECT id FROM silences WHERE ends_at >= $1 AND ends_at <= $2 LIMIT $3)";

/// Open incidents have no end, and stay.
const PRUNE_INCIDENTS: &str = "DELETE FROM incidents WHERE id IN \
     (SELECT id FROM incidents WHERE ended_at >= $1 AND ended_at <= $2 LIMIT $3)";

/// Placings stay for as long as one of their assignments lasts.
const PRUNE_PLACINGS: &str = "DELETE FROM placings WHERE first_epoch IN \
     (SELECT first_epoch FROM placings WHERE at >= $1 AND at <= $2 AND NOT EXISTS \
     (SELECT 1 FROM placements WHERE placements.instance_id = placings.instance_id \
     AND placements.epoch >= placings.first_epoch AND placements.epoch <= placings.last_epoch) \
     LIMIT $3)";

/// Deliveries that wait have no end, and stay.
const PRUNE_DELIVERIES: &str = "DELETE FROM webhook_deliveries WHERE (target, message_id) IN \
     (SELECT target, message_id FROM webhook_deliveries \
     WHERE ended_at >= $1 AND ended_at <= $2 LIMIT $3)";

/// Keys that are not revoked stay, also those that have expired.
const PRUNE_KEYS: &str = "DELETE FROM access_keys WHERE id IN \
     (SELECT id FROM access_keys WHERE revoked_at >= $1 AND revoked_at <= $2 LIMIT $3)";

const PRUNE_HEALTH: &str = "DELETE FROM health_history WHERE at IN \
     (SELECT at FROM health_history WHERE at >= $1 AND at <= $2 LIMIT $3)";

/// Deletes one step of the history beyond the newest rows.
pub(super) const PRUNE_HEALTH_ROWS: &str = "DELETE FROM health_history WHERE at IN \
     (SELECT at FROM health_history WHERE at < \
     (SELECT MIN(at) FROM (SELECT at FROM health_history ORDER BY at DESC LIMIT $1) AS kept) \
     LIMIT $2)";

/// Delete one step of what belongs to an instance, or to a receiver, that was removed.
pub(super) const PRUNE_FORGOTTEN: [&str; 3] = [
    "DELETE FROM last_beats WHERE instance_id IN \
     (SELECT instance_id FROM last_beats WHERE NOT EXISTS \
     (SELECT 1 FROM instances WHERE instances.id = last_beats.instance_id) LIMIT $1)",
    "DELETE FROM witnessed WHERE (instance_id, incarnation) IN \
     (SELECT instance_id, incarnation FROM witnessed WHERE NOT EXISTS \
     (SELECT 1 FROM instances WHERE instances.id = witnessed.instance_id \
     AND (witnessed.incarnation = 0 OR witnessed.incarnation = instances.incarnation)) LIMIT $1)",
    "DELETE FROM webhook_deliveries WHERE (target, message_id) IN \
     (SELECT target, message_id FROM webhook_deliveries WHERE NOT EXISTS \
     (SELECT 1 FROM webhook_targets WHERE webhook_targets.name = webhook_deliveries.target) LIMIT $1)",
];

/// The rows that stay because they are recent, and the most entries of the health history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiry {
    /// Metrics, by the time they were recorded.
    pub metrics: Recent,
    /// Events, by the time they happened.
    pub events: Recent,
    /// Closed alerts, by the time they were closed; open ones stay.
    pub alerts: Recent,
    /// Ended incidents, by their end; open ones stay.
    pub incidents: Recent,
    /// The history of the system's health.
    pub health: Recent,
    /// The most entries of that history, at least 1.
    pub most_health_rows: u32,
}

/// Returns the statements of one step, each with the times it deletes. They bind the first and the
/// last time and the greatest number of rows.
pub(super) fn outdated(expiry: &Expiry) -> Vec<(&'static str, Span)> {
    let tables = [
        (PRUNE_METRICS, &expiry.metrics),
        (PRUNE_EVENTS, &expiry.events),
        (PRUNE_PLACINGS, &expiry.events),
        (PRUNE_ALERTS, &expiry.alerts),
        (PRUNE_SILENCES, &expiry.events),
        (PRUNE_DELIVERIES, &expiry.alerts),
        (PRUNE_KEYS, &expiry.events),
        (PRUNE_INCIDENTS, &expiry.incidents),
        (PRUNE_HEALTH, &expiry.health),
    ];
    let spans = tables.into_iter().flat_map(|(statement, recent)| {
        let past = recent.past().into_iter();
        past.map(move |span| (statement, span))
    });
    spans.collect()
}

/// The part of the program that deletes rows from a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The clean-up in the background, by [`Expiry`]; holds the rule.
    CleanUp(&'static str),
    /// The FleetActor, by commands; holds their names.
    Fleet(&'static str),
    /// No part: the table cannot grow; holds the reason.
    Bounded(&'static str),
}

/// Every table with its owner. A test compares the list with the catalogue of each database.
pub const TABLES: &[(&str, Owner)] = &[
    (
        "fleet_state",
        Owner::Bounded("exactly one row: its key is checked to be 1"),
    ),
    (
        "instances",
        Owner::Fleet(
            "DELETE /instances/{server_id}; failed ones without streams after INSTANCE_RETENTION",
        ),
    ),
    (
        "streams",
        Owner::Fleet(
            "DELETE /streams/{id}; the row of a deleted stream goes once its worker has released \
             it, failed or was removed",
        ),
    ),
    ("placements", Owner::Fleet("each goes with its stream")),
    (
        "placings",
        Owner::CleanUp("EVENT_RETENTION, once none of their assignments lasts"),
    ),
    (
        "rolls",
        Owner::Fleet("POST /rolls keeps the newest hundred of those that are over"),
    ),
    ("events", Owner::CleanUp("EVENT_RETENTION")),
    (
        "incidents",
        Owner::CleanUp("INCIDENT_RETENTION after their end"),
    ),
    (
        "alerts",
        Owner::CleanUp("EVENT_RETENTION after they were closed"),
    ),
    (
        "silences",
        Owner::CleanUp("EVENT_RETENTION after their end"),
    ),
    (
        "webhook_targets",
        Owner::Bounded("at most 64: PUT /webhooks/{name} and WEBHOOKS_FILE take no more"),
    ),
    (
        "webhook_deliveries",
        Owner::CleanUp("EVENT_RETENTION after they ended, and with their target"),
    ),
    (
        "access_keys",
        Owner::CleanUp("EVENT_RETENTION after they were revoked"),
    ),
    (
        "health_history",
        Owner::CleanUp("HEALTH_HISTORY_RETENTION and HEALTH_HISTORY_ROWS"),
    ),
    (
        "series",
        Owner::Bounded("one row for each place of its rings: 4,176"),
    ),
    ("metrics", Owner::CleanUp("METRICS_RETENTION")),
    (
        "last_beats",
        Owner::CleanUp("with their instance, at the next clean-up"),
    ),
    (
        "beat_watermark",
        Owner::Bounded("at most one row: its key is checked to be 1"),
    ),
    (
        "leadership",
        Owner::Bounded("exactly one row: its key is checked to be 1"),
    ),
    (
        "members",
        Owner::Bounded("one row for each orchestrator's stable name"),
    ),
    (
        "witnessed",
        Owner::CleanUp("with their life, at the next clean-up"),
    ),
    (
        "__diesel_schema_migrations",
        Owner::Bounded("one row a migration"),
    ),
];
