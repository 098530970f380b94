//! Every statement, written once.
//!
//! Diesel's blocking and asynchronous connections have the same query language but share no trait
//! that could carry all of it (upserts and multi-row inserts least of all). So this file is
//! compiled twice: here as it stands, and for SQLite by `build.rs` without `async` and `.await`.
//! `super::dialect` has the differences: the connection, how it runs a query, and the two
//! operations that carry ten thousand rows. Transactions, time limits and the meaning of a failure
//! belong to the adapters; here, an error ends the operation.
//!
//! It is one file of this length because `build.rs` makes the second one of it.

use std::collections::BTreeMap;

use diesel::dsl::count_star;
use diesel::prelude::{
    ExpressionMethods, NullableExpressionMethods, OptionalExtension, QueryDsl, SelectableHelper,
};
use diesel::sql_types::BigInt;

use super::dialect::{Connection, ORIGIN, RunQueryDsl, append_events, put_placements};
use crate::domain::alert::{Alert, AlertFilter, Silence};
use crate::domain::event_filter::{EventFilter, EventOrder};
use crate::domain::explain::Placing;
use crate::domain::health::HealthRecord;
use crate::domain::heartbeat::{BeatWatermark, LastBeat, MetricsRecord};
use crate::domain::ids::{AlertId, Epoch, IncidentId, InstanceId, Term, Version};
use crate::domain::incident::{Incident, IncidentFilter};
use crate::domain::leadership::WalTimeline;
use crate::domain::series::SeriesPoint;
use crate::domain::stream::{Place, Stream};
use crate::domain::time::WallTime;
use crate::store::census::Census;
use crate::store::error::StoreError;
use crate::store::guard::{Guard, Settlement};
use crate::store::leadership::{Origin, OriginFound};
use crate::store::load::{CHUNK, Head, LoadSink, SavedAges};
use crate::store::multi_row::{incoming, rows_per_statement};
use crate::store::retention::Expiry;
use crate::store::retention::{PRUNE_FORGOTTEN, PRUNE_HEALTH_ROWS, PRUNE_STEP, outdated};
use crate::store::rows::{
    AlertRow, BeatRow, HealthRow, IncidentRow, InstanceRow, MetricsRow, PlacementRow, PlacingRow,
    RollRow, SeriesRow, SilenceRow, StoredEventRow, StreamRow,
};
use crate::store::save::Save;
use crate::store::schema::{
    alerts, beat_watermark, events, fleet_state, health_history, incidents, instances, last_beats,
    metrics, placements, placings, rolls, series, silences, streams,
};
use crate::store::stored_event::StoredEvent;
use crate::store::write_set::WriteSet;

pub(super) async fn ping(c: &mut Connection) -> Result<(), StoreError> {
    diesel::sql_query("SELECT 1").execute(c).await?;
    Ok(())
}

/// The leadership row follows, as released, because no process renews it. It is locked first, as in a
/// take-over.
pub(super) async fn begin_term(c: &mut Connection) -> Result<Guard, StoreError> {
    diesel::sql_query(
        "UPDATE leadership SET node = '', run = 0, beat = 0, state = 'released', \
         successor = NULL, address = '', public_url = '', since = 0 WHERE id = 1",
    )
    .execute(c)
    .await?;
    let (term, version): (i64, i64) = diesel::update(fleet_state::table.find(1))
        .set(fleet_state::term.eq(fleet_state::term + 1))
        .returning((fleet_state::term, fleet_state::version))
        .get_result(c)
        .await?;
    diesel::sql_query("UPDATE leadership SET term = $1 WHERE id = 1")
        .bind::<BigInt, _>(term)
        .execute(c)
        .await?;
    Ok(guard(term, version))
}

pub(super) async fn save(c: &mut Connection, guard: Guard, save: &Save) -> Result<(), StoreError> {
    let set = WriteSet::new(save)?;
    let moved = diesel::update(
        fleet_state::table
            .find(1)
            .filter(fleet_state::term.eq(guard.term.get()))
            .filter(fleet_state::version.eq(guard.version.get())),
    )
    .set((
        fleet_state::version.eq(guard.after_save().version.get()),
        fleet_state::epoch.eq(save.counter.get()),
    ))
    .execute(c)
    .await?;
    if moved == 0 {
        return Err(parted(guard, current(c).await?));
    }
    write(c, &set).await
}

/// Writes each row after the rows it refers to, and deletes it before them.
async fn write(c: &mut Connection, set: &WriteSet) -> Result<(), StoreError> {
    for rows in set.instances.chunks(rows_per_statement(InstanceRow::WIDTH)) {
        diesel::insert_into(instances::table)
            .values(rows)
            .on_conflict(instances::id)
            .do_update()
            .set(
                incoming!(instances: incarnation, status, status_since, ip, port,
                max_streams, labels, heartbeat_interval, auto_assign, assignment_version,
                registered_at, flaps, lease, withdrawn, withdrawn_since,
                handed_over_life, handed_over_moved, handed_over_orphaned, capacity, planned),
            )
            .execute(c)
            .await?;
    }
    for rows in set.streams.chunks(rows_per_statement(StreamRow::WIDTH)) {
        diesel::insert_into(streams::table)
            .values(rows)
            .on_conflict(streams::id)
            .do_update()
            .set(
                incoming!(streams: name, url, labels, priority, enabled, created_at,
                handoff, deleted, returns, returned_by, return_reason, returned_at,
                retry_at, weight, requires, spread_group, pinned, owner_failures,
                quarantined_since, quarantine_retries, quarantine_retry_at),
            )
            .execute(c)
            .await?;
    }
    if !set.placements.is_empty() {
        put_placements(c, &set.placements).await?;
    }
    for rows in set.placings.chunks(rows_per_statement(PlacingRow::WIDTH)) {
        diesel::insert_into(placings::table)
            .values(rows)
            .execute(c)
            .await?;
    }
    for ids in set.gone_placements.chunks(rows_per_statement(1)) {
        diesel::delete(placements::table.filter(placements::stream_id.eq_any(ids)))
            .execute(c)
            .await?;
    }
    for ids in set.gone_streams.chunks(rows_per_statement(1)) {
        diesel::delete(streams::table.filter(streams::id.eq_any(ids)))
            .execute(c)
            .await?;
    }
    for ids in set.gone_instances.chunks(rows_per_statement(1)) {
        diesel::delete(instances::table.filter(instances::id.eq_any(ids)))
            .execute(c)
            .await?;
    }
    for rows in set.rolls.chunks(rows_per_statement(RollRow::WIDTH)) {
        diesel::insert_into(rolls::table)
            .values(rows)
            .on_conflict(rolls::id)
            .do_update()
            .set(incoming!(rolls: state, body))
            .execute(c)
            .await?;
    }
    for ids in set.gone_rolls.chunks(rows_per_statement(1)) {
        diesel::delete(rolls::table.filter(rolls::id.eq_any(ids)))
            .execute(c)
            .await?;
    }
    for rows in set.incidents.chunks(rows_per_statement(IncidentRow::WIDTH)) {
        diesel::insert_into(incidents::table)
            .values(rows)
            .on_conflict(incidents::id)
            .do_update()
            .set(
                incoming!(incidents: instance_id, incarnation, cause, detected_at,
                ended_at, outcome, streams_affected, streams_moved, streams_orphaned,
                attempts, state, steps, reason, reason_given, escalated_at),
            )
            .execute(c)
            .await?;
    }
    if !set.events.is_empty() {
        append_events(c, &set.events).await?;
    }
    Ok(())
}

pub(super) async fn settle(c: &mut Connection, guard: Guard) -> Result<Settlement, StoreError> {
    let moved = diesel::update(
        fleet_state::table
            .find(1)
            .filter(fleet_state::term.eq(guard.term.get()))
            .filter(fleet_state::version.eq(guard.version.get())),
    )
    .set(fleet_state::version.eq(guard.after_defeat().version.get()))
    .execute(c)
    .await?;
    if moved > 0 {
        return Ok(Settlement::Defeated);
    }
    let found = current(c).await?;
    let settlement = if found == guard.after_save() {
        Settlement::Committed
    } else if found == guard.after_defeat() {
        Settlement::Defeated
    } else {
        return Err(parted(guard, found));
    };
    // What was found may be on the primary only, if its wait for a synchronous standby was cancelled. A write
    // of this transaction makes its COMMIT wait for the standby, which then has both.
    let unchanged = diesel::update(
        fleet_state::table
            .find(1)
            .filter(fleet_state::term.eq(found.term.get()))
            .filter(fleet_state::version.eq(found.version.get())),
    )
    .set(fleet_state::version.eq(found.version.get()))
    .execute(c)
    .await?;
    if unchanged == 0 {
        return Err(parted(guard, current(c).await?));
    }
    Ok(settlement)
}

/// Reads everything about the fleet, chunk by chunk. The transaction has to be of one moment.
pub(super) async fn load(c: &mut Connection, sink: &mut dyn LoadSink) -> Result<(), StoreError> {
    let guard = current(c).await?;
    let timeline = timeline_of(c).await?;
    let counter: i64 = fleet_state::table
        .find(1)
        .select(fleet_state::epoch)
        .first(c)
        .await?;
    let watermark = watermark_of(c).await?;
    let mut total: i64 = 0;
    total += instances::table.count().get_result::<i64>(c).await?;
    total += streams::table.count().get_result::<i64>(c).await?;
    total += last_beats::table.count().get_result::<i64>(c).await?;
    sink.head(Head {
        timeline,
        guard,
        counter: Epoch::new(counter),
        watermark,
        total: u64::try_from(total).unwrap_or_default(),
    });
    load_instances(c, sink).await?;
    load_rolls(c, sink).await?;
    load_streams(c, sink).await?;
    load_beats(c, sink).await
}

/// A server that answers as the primary has one timeline for as long as it does.
async fn timeline_of(c: &mut Connection) -> Result<WalTimeline, StoreError> {
    let found: OriginFound = diesel::sql_query(format!("SELECT {ORIGIN}"))
        .get_result(c)
        .await?;
    Ok(Origin::from(found).timeline)
}

async fn load_instances(c: &mut Connection, sink: &mut dyn LoadSink) -> Result<(), StoreError> {
    let mut after: Option<String> = None;
    loop {
        let mut wanted = instances::table
            .order(instances::id)
            .limit(CHUNK as i64)
            .select(InstanceRow::as_select())
            .into_boxed();
        if let Some(after) = after.take() {
            wanted = wanted.filter(instances::id.gt(after));
        }
        let rows: Vec<InstanceRow> = wanted.load(c).await?;
        let count = rows.len();
        after = rows.last().map(|row| row.id().to_owned());
        for row in rows {
            sink.instance(row.try_into()?);
        }
        sink.chunk(count)?;
        if count < CHUNK {
            return Ok(());
        }
    }
}

/// There are never many of them: those that are over are forgotten.
async fn load_rolls(c: &mut Connection, sink: &mut dyn LoadSink) -> Result<(), StoreError> {
    let rows: Vec<RollRow> = rolls::table
        .order(rolls::id)
        .select(RollRow::as_select())
        .load(c)
        .await?;
    for row in rows {
        sink.roll(row.try_into()?);
    }
    Ok(())
}

/// The places of a chunk of streams are those between its first and its last: as two scans of a key
/// they cost the same in each chunk, which a plan of a join does not promise.
async fn load_streams(c: &mut Connection, sink: &mut dyn LoadSink) -> Result<(), StoreError> {
    let mut after: Option<i64> = None;
    loop {
        let mut wanted = streams::table
            .order(streams::id)
            .limit(CHUNK as i64)
            .select(StreamRow::as_select())
            .into_boxed();
        if let Some(after) = after {
            wanted = wanted.filter(streams::id.gt(after));
        }
        let rows: Vec<StreamRow> = wanted.load(c).await?;
        let count = rows.len();
        // As a slice, whose first row is no query.
        let (Some(first), Some(last)) = (rows.as_slice().first(), rows.last()) else {
            return Ok(());
        };
        let (first, last) = (first.id(), last.id());
        let places: Vec<PlacementRow> = placements::table
            .filter(placements::stream_id.between(first, last))
            .order(placements::stream_id)
            .select(PlacementRow::as_select())
            .load(c)
            .await?;
        let mut places = places.into_iter().peekable();
        for row in rows {
            let id = row.id();
            let stream = Stream::try_from(row)?;
            let place = match places.next_if(|place| place.stream_id == id) {
                Some(place) => place.place_of(&stream)?,
                None => Place::Disabled,
            };
            sink.stream(stream, place)?;
        }
        sink.chunk(count)?;
        if count < CHUNK {
            return Ok(());
        }
        after = Some(last);
    }
}

async fn load_beats(c: &mut Connection, sink: &mut dyn LoadSink) -> Result<(), StoreError> {
    let mut after: Option<String> = None;
    loop {
        let mut wanted = last_beats::table
            .order(last_beats::instance_id)
            .limit(CHUNK as i64)
            .select((last_beats::instance_id, last_beats::at))
            .into_boxed();
        if let Some(after) = after.take() {
            wanted = wanted.filter(last_beats::instance_id.gt(after));
        }
        let rows: Vec<(String, i64)> = wanted.load(c).await?;
        let count = rows.len();
        after = rows.last().map(|(id, _)| id.clone());
        for (id, at) in rows {
            sink.beat(InstanceId::new(id), WallTime::from_micros(at));
        }
        sink.chunk(count)?;
        if count < CHUNK {
            return Ok(());
        }
    }
}

pub(super) async fn census(c: &mut Connection) -> Result<Census, StoreError> {
    let counter: i64 = fleet_state::table
        .find(1)
        .select(fleet_state::epoch)
        .first(c)
        .await?;
    let guard = current(c).await?;
    let instances: i64 = instances::table.select(count_star()).first(c).await?;
    let streams: i64 = streams::table.select(count_star()).first(c).await?;
    let owned: Vec<(String, i64)> = placements::table
        .filter(placements::instance_id.is_not_null())
        .group_by(placements::instance_id)
        .select((placements::instance_id.assume_not_null(), count_star()))
        .load(c)
        .await?;
    let mut owned: Vec<(InstanceId, i64)> = owned
        .into_iter()
        .map(|(id, count)| (InstanceId::new(id), count))
        .collect();
    owned.sort();
    Ok(Census {
        guard,
        counter: Epoch::new(counter),
        instances,
        streams,
        owned,
    })
}

pub(super) async fn save_beats(
    c: &mut Connection,
    beats: &[LastBeat],
    watermark: BeatWatermark,
) -> Result<(), StoreError> {
    put_watermark(c, watermark).await?;
    // One statement must not write a row twice; of several heartbeats the last one counts.
    let latest: BTreeMap<&InstanceId, &LastBeat> =
        beats.iter().map(|beat| (&beat.instance, beat)).collect();
    let rows: Vec<BeatRow> = latest.into_values().map(BeatRow::from).collect();
    for rows in rows.chunks(rows_per_statement(BeatRow::WIDTH)) {
        diesel::insert_into(last_beats::table)
            .values(rows)
            .on_conflict(last_beats::instance_id)
            .do_update()
            .set(incoming!(last_beats: at, reported_status, reported_streams))
            .execute(c)
            .await?;
    }
    Ok(())
}

const PUT_WATERMARK: &str = "\
    INSERT INTO beat_watermark (id, term, through) VALUES (1, $1, $2) \
    ON CONFLICT (id) DO UPDATE SET term = excluded.term, through = excluded.through \
    WHERE beat_watermark.term <= excluded.term";

/// Its row is locked until the heartbeats are written, so those of two terms are never mixed.
async fn put_watermark(c: &mut Connection, watermark: BeatWatermark) -> Result<(), StoreError> {
    let moved = diesel::sql_query(PUT_WATERMARK)
        .bind::<BigInt, _>(watermark.term.get())
        .bind::<BigInt, _>(watermark.through.as_micros())
        .execute(c)
        .await?;
    if moved > 0 {
        return Ok(());
    }
    let found = watermark_of(c).await?;
    Err(StoreError::Deposed {
        ours: watermark.term,
        current: found.map_or(watermark.term, |found| found.term),
    })
}

pub(super) async fn saved_ages(c: &mut Connection) -> Result<SavedAges, StoreError> {
    let rows: Vec<(String, i64)> = last_beats::table
        .order(last_beats::instance_id)
        .select((last_beats::instance_id, last_beats::at))
        .load(c)
        .await?;
    let beat = |(id, at)| (InstanceId::new(id), WallTime::from_micros(at));
    Ok(SavedAges {
        last_beats: rows.into_iter().map(beat).collect(),
        watermark: watermark_of(c).await?,
    })
}

async fn watermark_of(c: &mut Connection) -> Result<Option<BeatWatermark>, StoreError> {
    let row: Option<(i64, i64)> = beat_watermark::table
        .find(1)
        .select((beat_watermark::term, beat_watermark::through))
        .first(c)
        .await
        .optional()?;
    Ok(row.map(|(term, through)| BeatWatermark {
        term: Term::new(term),
        through: WallTime::from_micros(through),
    }))
}

pub(super) async fn save_metrics(
    c: &mut Connection,
    records: &[MetricsRecord],
) -> Result<(), StoreError> {
    let rows: Vec<MetricsRow> = records.iter().map(MetricsRow::from).collect();
    for rows in rows.chunks(rows_per_statement(MetricsRow::WIDTH)) {
        diesel::insert_into(metrics::table)
            .values(rows)
            .on_conflict((metrics::instance_id, metrics::recorded_at))
            .do_nothing()
            .execute(c)
            .await?;
    }
    Ok(())
}

pub(super) async fn metrics(
    c: &mut Connection,
    instance: &InstanceId,
    since: WallTime,
    limit: u32,
) -> Result<Vec<MetricsRecord>, StoreError> {
    let rows: Vec<MetricsRow> = metrics::table
        .filter(metrics::instance_id.eq(instance.as_str()))
        .filter(metrics::recorded_at.ge(since.as_micros()))
        .order(metrics::recorded_at.desc())
        .limit(i64::from(limit))
        .select(MetricsRow::as_select())
        .load(c)
        .await?;
    Ok(rows.into_iter().map(MetricsRecord::from).collect())
}

/// Reads events of several kinds with one query each, answered by the index of kinds in the
/// requested order; a page of each contains the page of all.
pub(super) async fn find_events(
    c: &mut Connection,
    filter: &EventFilter,
    limit: u32,
) -> Result<Vec<StoredEvent>, StoreError> {
    let mut rows: Vec<StoredEventRow> = Vec::new();
    if filter.is_by_time_alone() {
        rows = events_of_a_time(c, filter, limit).await?;
    } else if filter.is_indexed_before_kinds() {
        rows = indexed_events(c, filter, &filter.kinds, limit).await?;
    } else if filter.kinds.is_empty() {
        rows = indexed_events(c, filter, &[], limit).await?;
    } else {
        for kind in &filter.kinds {
            rows.append(&mut indexed_events(c, filter, &[*kind], limit).await?);
        }
    }
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        found.push(StoredEvent::try_from(row)?);
    }
    found.sort_by_key(|event| event.sequence);
    if filter.order == EventOrder::Descending {
        found.reverse();
    }
    found.truncate(limit as usize);
    Ok(found)
}

/// Returns events in the order of the index that begins with the narrowing column, or in that of
/// the table.
async fn indexed_events(
    c: &mut Connection,
    filter: &EventFilter,
    kinds: &[&'static str],
    limit: u32,
) -> Result<Vec<StoredEventRow>, StoreError> {
    let mut wanted = events::table
        .limit(i64::from(limit))
        .select(StoredEventRow::as_select())
        .into_boxed();
    wanted = match filter.order {
        EventOrder::Ascending => wanted.order(events::sequence.asc()),
        EventOrder::Descending => wanted.order(events::sequence.desc()),
    };
    match (filter.order, filter.after) {
        (_, None) => {}
        (EventOrder::Ascending, Some(after)) => {
            wanted = wanted.filter(events::sequence.gt(after));
        }
        (EventOrder::Descending, Some(after)) => {
            wanted = wanted.filter(events::sequence.lt(after));
        }
    }
    if let Some(stream) = filter.stream {
        wanted = wanted.filter(events::stream_id.eq(stream.get()));
    }
    if let Some(instance) = &filter.instance {
        wanted = wanted.filter(events::instance_id.eq(instance.as_str()));
    }
    if let Some(incident) = filter.incident {
        wanted = wanted.filter(events::incident_id.eq(incident.get()));
    }
    match (filter.actor, filter.caller()) {
        (None, _) => {}
        (Some(_), Some(caller)) => wanted = wanted.filter(events::actor.eq(caller.as_str())),
        (Some(_), None) => wanted = wanted.filter(events::actor.is_null()),
    }
    match kinds {
        [] => {}
        [kind] => wanted = wanted.filter(events::kind.eq(*kind)),
        several => wanted = wanted.filter(events::kind.eq_any(several.to_vec())),
    }
    if let Some(from) = filter.from {
        wanted = wanted.filter(events::at.ge(from.as_micros()));
    }
    if let Some(to) = filter.to {
        wanted = wanted.filter(events::at.lt(to.as_micros()));
    }
    Ok(wanted.load(c).await?)
}

/// Reads events of a span of time from the index of times alone: the clock may have been set back,
/// so their order is not that of the table. (`+ 0` keeps the database from walking the table in its
/// order and discarding events of another time.)
async fn events_of_a_time(
    c: &mut Connection,
    filter: &EventFilter,
    limit: u32,
) -> Result<Vec<StoredEventRow>, StoreError> {
    let mut wanted = events::table
        .limit(i64::from(limit))
        .select(events::sequence)
        .into_boxed();
    wanted = match filter.order {
        EventOrder::Ascending => wanted.order((events::sequence + 0).asc()),
        EventOrder::Descending => wanted.order((events::sequence + 0).desc()),
    };
    match (filter.order, filter.after) {
        (_, None) => {}
        (EventOrder::Ascending, Some(after)) => {
            wanted = wanted.filter((events::sequence + 0).gt(after));
        }
        (EventOrder::Descending, Some(after)) => {
            wanted = wanted.filter((events::sequence + 0).lt(after));
        }
    }
    if let Some(from) = filter.from {
        wanted = wanted.filter(events::at.ge(from.as_micros()));
    }
    if let Some(to) = filter.to {
        wanted = wanted.filter(events::at.lt(to.as_micros()));
    }
    let numbers: Vec<i64> = wanted.load(c).await?;
    let mut rows = Vec::with_capacity(numbers.len());
    for numbers in numbers.chunks(rows_per_statement(1)) {
        let mut some: Vec<StoredEventRow> = events::table
            .filter(events::sequence.eq_any(numbers))
            .select(StoredEventRow::as_select())
            .load(c)
            .await?;
        rows.append(&mut some);
    }
    Ok(rows)
}

pub(super) async fn incidents(
    c: &mut Connection,
    filter: &IncidentFilter,
    limit: u32,
) -> Result<Vec<Incident>, StoreError> {
    let mut wanted = incidents::table
        .order(incidents::id.desc())
        .limit(i64::from(limit))
        .select(IncidentRow::as_select())
        .into_boxed();
    if let Some(before) = filter.before {
        wanted = wanted.filter(incidents::id.lt(before.get()));
    }
    if let Some(instance) = &filter.instance {
        wanted = wanted.filter(incidents::instance_id.eq(instance.as_str()));
    }
    if let Some(state) = filter.state {
        wanted = wanted.filter(incidents::state.eq(state.as_str()));
    }
    if let Some(from) = filter.from {
        wanted = wanted.filter(incidents::detected_at.ge(from.as_micros()));
    }
    if let Some(to) = filter.to {
        wanted = wanted.filter(incidents::detected_at.lt(to.as_micros()));
    }
    let rows: Vec<IncidentRow> = wanted.load(c).await?;
    rows.into_iter().map(Incident::try_from).collect()
}

pub(super) async fn incident(
    c: &mut Connection,
    id: IncidentId,
) -> Result<Option<Incident>, StoreError> {
    let row: Option<IncidentRow> = incidents::table
        .find(id.get())
        .select(IncidentRow::as_select())
        .first(c)
        .await
        .optional()?;
    row.map(Incident::try_from).transpose()
}

/// The newest placing that begins at this epoch or before; it may have ended before.
pub(super) async fn placing(
    c: &mut Connection,
    instance: &InstanceId,
    epoch: Epoch,
) -> Result<Option<Placing>, StoreError> {
    let row: Option<PlacingRow> = placings::table
        .filter(placings::instance_id.eq(instance.as_str()))
        .filter(placings::first_epoch.le(epoch.get()))
        .order(placings::first_epoch.desc())
        .select(PlacingRow::as_select())
        .first(c)
        .await
        .optional()?;
    let placing = row.map(Placing::try_from).transpose()?;
    Ok(placing.filter(|placing| placing.covers(instance, epoch)))
}

pub(super) async fn save_alerts(c: &mut Connection, alerts: &[Alert]) -> Result<(), StoreError> {
    // One statement must not write a row twice; the newest state of an alert counts.
    let latest: BTreeMap<AlertId, &Alert> = alerts.iter().map(|alert| (alert.id, alert)).collect();
    let rows: Vec<AlertRow> = latest.into_values().map(AlertRow::from).collect();
    for rows in rows.chunks(rows_per_statement(AlertRow::WIDTH)) {
        diesel::insert_into(alerts::table)
            .values(rows)
            .on_conflict(alerts::id)
            .do_update()
            .set(incoming!(alerts: kind, severity, subject, detail, opened_at, closed_at, instances, repeats, acknowledged_at, acknowledged_by, note))
            .execute(c)
            .await?;
    }
    Ok(())
}

pub(super) async fn alerts(
    c: &mut Connection,
    filter: &AlertFilter,
    limit: u32,
) -> Result<Vec<Alert>, StoreError> {
    let mut wanted = alerts::table
        .order(alerts::id.desc())
        .limit(i64::from(limit))
        .select(AlertRow::as_select())
        .into_boxed();
    if let Some(before) = filter.before {
        wanted = wanted.filter(alerts::id.lt(before.get()));
    }
    match filter.open {
        Some(true) => wanted = wanted.filter(alerts::closed_at.is_null()),
        Some(false) => wanted = wanted.filter(alerts::closed_at.is_not_null()),
        None => {}
    }
    if let Some(kind) = filter.kind {
        wanted = wanted.filter(alerts::kind.eq(kind.as_str()));
    }
    let rows: Vec<AlertRow> = wanted.load(c).await?;
    rows.into_iter().map(Alert::try_from).collect()
}

pub(super) async fn save_silence(c: &mut Connection, silence: &Silence) -> Result<(), StoreError> {
    diesel::insert_into(silences::table)
        .values(SilenceRow::from(silence))
        .on_conflict(silences::id)
        .do_update()
        .set(incoming!(silences: matchers, created_at, created_by, ends_at, reason))
        .execute(c)
        .await?;
    Ok(())
}

pub(super) async fn silences(
    c: &mut Connection,
    after: WallTime,
) -> Result<Vec<Silence>, StoreError> {
    let rows: Vec<SilenceRow> = silences::table
        .filter(silences::ends_at.gt(after.as_micros()))
        .order(silences::id)
        .select(SilenceRow::as_select())
        .load(c)
        .await?;
    rows.into_iter().map(Silence::try_from).collect()
}

pub(super) async fn save_health(
    c: &mut Connection,
    records: &[HealthRecord],
) -> Result<(), StoreError> {
    let rows: Vec<HealthRow> = records.iter().map(HealthRow::from).collect();
    for rows in rows.chunks(rows_per_statement(HealthRow::WIDTH)) {
        diesel::insert_into(health_history::table)
            .values(rows)
            .on_conflict(health_history::at)
            .do_nothing()
            .execute(c)
            .await?;
    }
    Ok(())
}

pub(super) async fn health(
    c: &mut Connection,
    before: Option<WallTime>,
    limit: u32,
) -> Result<Vec<HealthRecord>, StoreError> {
    let mut wanted = health_history::table
        .order(health_history::at.desc())
        .limit(i64::from(limit))
        .select(HealthRow::as_select())
        .into_boxed();
    if let Some(before) = before {
        wanted = wanted.filter(health_history::at.lt(before.as_micros()));
    }
    let rows: Vec<HealthRow> = wanted.load(c).await?;
    rows.into_iter().map(HealthRecord::try_from).collect()
}

pub(super) async fn save_series(
    c: &mut Connection,
    points: &[SeriesPoint],
) -> Result<(), StoreError> {
    let rows: Vec<SeriesRow> = points.iter().map(SeriesRow::from).collect();
    for rows in rows.chunks(rows_per_statement(SeriesRow::WIDTH)) {
        diesel::insert_into(series::table)
            .values(rows)
            .on_conflict((series::resolution, series::place))
            .do_update()
            .set(
                incoming!(series: slot, samples, heartbeats, failures, moves, waiting, instances,
                load),
            )
            .execute(c)
            .await?;
    }
    Ok(())
}

pub(super) async fn series(c: &mut Connection) -> Result<Vec<SeriesPoint>, StoreError> {
    let rows: Vec<SeriesRow> = series::table.select(SeriesRow::as_select()).load(c).await?;
    rows.into_iter().map(SeriesPoint::try_from).collect()
}

pub(super) async fn prune(c: &mut Connection, expiry: &Expiry) -> Result<u64, StoreError> {
    let mut left = PRUNE_STEP;
    for (statement, span) in outdated(expiry) {
        let gone = diesel::sql_query(statement)
            .bind::<BigInt, _>(span.first.as_micros())
            .bind::<BigInt, _>(span.last.as_micros())
            .bind::<BigInt, _>(left)
            .execute(c)
            .await?;
        left -= i64::try_from(gone).unwrap_or(left);
        if left <= 0 {
            break;
        }
    }
    if left > 0 {
        let gone = diesel::sql_query(PRUNE_HEALTH_ROWS)
            .bind::<BigInt, _>(i64::from(expiry.most_health_rows))
            .bind::<BigInt, _>(left)
            .execute(c)
            .await?;
        left -= i64::try_from(gone).unwrap_or(left);
    }
    for statement in PRUNE_FORGOTTEN {
        if left > 0 {
            let gone = diesel::sql_query(statement)
                .bind::<BigInt, _>(left)
                .execute(c)
                .await?;
            left -= i64::try_from(gone).unwrap_or(left);
        }
    }
    Ok(u64::try_from(PRUNE_STEP - left).unwrap_or_default())
}

/// Returns the current term and version.
async fn current(c: &mut Connection) -> Result<Guard, StoreError> {
    let (term, version): (i64, i64) = fleet_state::table
        .find(1)
        .select((fleet_state::term, fleet_state::version))
        .first(c)
        .await?;
    Ok(guard(term, version))
}

fn guard(term: i64, version: i64) -> Guard {
    Guard {
        term: Term::new(term),
        version: Version::new(version),
    }
}

/// Returns why a transaction guarded by `ours` cannot be carried out on `found`.
fn parted(ours: Guard, found: Guard) -> StoreError {
    if found.term == ours.term {
        StoreError::VersionMismatch {
            expected: ours.version,
            found: found.version,
        }
    } else {
        StoreError::Deposed {
            ours: ours.term,
            current: found.term,
        }
    }
}
