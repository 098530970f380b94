//! Every statement about receivers and deliveries, written once: `build.rs` makes the blocking ones of it.

use std::collections::BTreeMap;

use diesel::prelude::{BoolExpressionMethods, ExpressionMethods, QueryDsl, SelectableHelper};

use super::dialect::{Connection, RunQueryDsl};
use crate::domain::alert::{Alert, Severity};
use crate::domain::ids::AlertId;
use crate::domain::webhook::{Announced, Delivery, DeliveryFilter};
use crate::store::error::StoreError;
use crate::store::multi_row::{incoming, rows_per_statement};
use crate::store::rows::AlertRow;
use crate::store::schema::{alerts, webhook_deliveries, webhook_targets};
use crate::store::webhooks::{DeliveryBatch, DeliveryRow, StoredWebhook, WebhookRow};

pub(super) async fn webhooks(c: &mut Connection) -> Result<Vec<StoredWebhook>, StoreError> {
    let rows: Vec<WebhookRow> = webhook_targets::table
        .order(webhook_targets::name)
        .select(WebhookRow::as_select())
        .load(c)
        .await?;
    rows.into_iter().map(StoredWebhook::try_from).collect()
}

pub(super) async fn save_webhook(
    c: &mut Connection,
    webhook: &StoredWebhook,
    skip_alerts: bool,
) -> Result<(), StoreError> {
    diesel::insert_into(webhook_targets::table)
        .values(WebhookRow::from(webhook))
        .on_conflict(webhook_targets::name)
        .do_update()
        .set(incoming!(webhook_targets: body, cursor))
        .execute(c)
        .await?;
    if skip_alerts {
        let (over, open) = (Announced::Closed.number(), Announced::Critical.number());
        diesel::update(alerts::table.filter(alerts::announced.lt(open)))
            .set(alerts::announced.eq(open))
            .execute(c)
            .await?;
        let ended = alerts::table.filter(alerts::closed_at.is_not_null());
        diesel::update(ended.filter(alerts::announced.lt(over)))
            .set(alerts::announced.eq(over))
            .execute(c)
            .await?;
    }
    Ok(())
}

pub(super) async fn delete_webhook(c: &mut Connection, name: &str) -> Result<(), StoreError> {
    diesel::delete(webhook_targets::table.find(name))
        .execute(c)
        .await?;
    diesel::delete(webhook_deliveries::table.filter(webhook_deliveries::target.eq(name)))
        .execute(c)
        .await?;
    Ok(())
}

pub(super) async fn unannounced(
    c: &mut Connection,
    after: AlertId,
    limit: u32,
) -> Result<Vec<(Alert, Announced)>, StoreError> {
    let is_behind = alerts::announced
        .eq(Announced::Nothing.number())
        .or(alerts::closed_at.is_not_null())
        .or(alerts::severity
            .eq(Severity::Critical.as_str())
            .and(alerts::announced.lt(Announced::Critical.number())));
    let rows: Vec<(AlertRow, i32)> = alerts::table
        .filter(alerts::announced.lt(3))
        .filter(alerts::id.gt(after.get()))
        .filter(is_behind)
        .order(alerts::id)
        .limit(i64::from(limit))
        .select((AlertRow::as_select(), alerts::announced))
        .load(c)
        .await?;
    let marked = rows.into_iter().map(|(row, mark)| {
        let mark = Announced::from_number(mark).unwrap_or(Announced::Nothing);
        Ok((Alert::try_from(row)?, mark))
    });
    marked.collect()
}

pub(super) async fn save_deliveries(
    c: &mut Connection,
    batch: &DeliveryBatch,
) -> Result<(), StoreError> {
    // One statement must not write a row twice; the newest state of a delivery counts.
    let latest: BTreeMap<(&str, &str), &Delivery> = batch
        .deliveries
        .iter()
        .map(|delivery| ((&*delivery.target, &*delivery.message.id), delivery))
        .collect();
    let rows: Vec<DeliveryRow> = latest.into_values().map(DeliveryRow::from).collect();
    for rows in rows.chunks(rows_per_statement(DeliveryRow::WIDTH)) {
        diesel::insert_into(webhook_deliveries::table)
            .values(rows)
            .on_conflict((webhook_deliveries::target, webhook_deliveries::message_id))
            .do_update()
            .set(
                incoming!(webhook_deliveries: number, state, message, attempts, created_at,
                waits_since, next_try_at, ended_at, last_answer, last_status),
            )
            .execute(c)
            .await?;
    }
    for (name, cursor) in &batch.cursors {
        diesel::update(webhook_targets::table.find(name))
            .set(webhook_targets::cursor.eq(cursor))
            .execute(c)
            .await?;
    }
    for (id, mark) in &batch.announced {
        let behind = alerts::table
            .find(id.get())
            .filter(alerts::announced.lt(mark.number()));
        diesel::update(behind)
            .set(alerts::announced.eq(mark.number()))
            .execute(c)
            .await?;
    }
    Ok(())
}

pub(super) async fn deliveries(
    c: &mut Connection,
    filter: &DeliveryFilter,
    limit: u32,
) -> Result<Vec<Delivery>, StoreError> {
    let mut wanted = webhook_deliveries::table
        .filter(webhook_deliveries::target.eq(filter.target.clone()))
        .order(webhook_deliveries::number.desc())
        .limit(i64::from(limit))
        .select(DeliveryRow::as_select())
        .into_boxed();
    if let Some(state) = filter.state {
        wanted = wanted.filter(webhook_deliveries::state.eq(state.as_str()));
    }
    if let Some(before) = filter.before {
        wanted = wanted.filter(webhook_deliveries::number.lt(before));
    }
    if let Some(since) = filter.since {
        wanted = wanted.filter(webhook_deliveries::created_at.ge(since.as_micros()));
    }
    if !filter.ids.is_empty() {
        wanted = wanted.filter(webhook_deliveries::message_id.eq_any(filter.ids.clone()));
    }
    let rows: Vec<DeliveryRow> = wanted.load(c).await?;
    rows.into_iter().map(Delivery::try_from).collect()
}
