//! All instances in columns: short enough that a page about 10,000 of them is read in one go.
//!
//! The console draws its map and its table from this one answer. Words that repeat (states, labels) stand in it
//! once and rows name them by number; silence and ages are numbers, counted from `now`. Readers of the same second
//! share one answer, and it is compressed once for all of them, on another thread: heartbeats wait for none of it.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use actix_web::http::header;
use actix_web::web::{self, Data};
use actix_web::{HttpRequest, HttpResponse};
use flate2::Compression;
use flate2::write::GzEncoder;
use log::error;
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::Time;
use super::docs::takes_gzip;
use super::kept::FleetText;
use super::problem::Problem;
use super::state::{AppState, Load};
use crate::actors::orchestrator::Orchestrator;
use crate::domain::ids::InstanceId;
use crate::domain::instance::InstanceStatus;
use crate::domain::queries::{InstanceLine, InstanceList};

/// How long readers share an answer.
const SHARED_FOR: Duration = Duration::from_secs(1);

/// The names of the columns, in the order of a row.
const COLUMNS: [&str; 13] = [
    "server_id",
    "status",
    "streams",
    "owned",
    "max_streams",
    "capacity",
    "schedulable",
    "leased",
    "silence_ms",
    "status_age_ms",
    "flaps",
    "cpu_percent",
    "labels",
];

/// An instance: its fields in the order of `columns`.
#[derive(Debug, Serialize, ToSchema)]
struct Row(
    InstanceId,
    /// Its state, as a place in `states`.
    usize,
    /// How many streams its worker should run.
    usize,
    /// How many streams it owns, including those it must release.
    usize,
    u32,
    Option<u32>,
    /// Whether it may be given streams.
    bool,
    /// Whether it holds leases.
    bool,
    u64,
    u64,
    u32,
    Option<u32>,
    /// Its labels, as a place in `labels`.
    usize,
);

/// All instances, in columns.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FleetAnswer {
    /// The moment from which ages count.
    now: Time,
    columns: Vec<String>,
    states: Vec<InstanceStatus>,
    /// Each set of labels that an instance has, once.
    labels: Vec<BTreeMap<String, String>>,
    #[schema(value_type = Vec<Vec<Option<serde_json::Value>>>)]
    rows: Vec<Row>,
}

impl FleetAnswer {
    fn of(mut lines: Vec<InstanceLine>, orchestrator: &Orchestrator) -> Self {
        // Neighbours are alike then, which compresses well.
        lines.sort_unstable_by(|a, b| a.instance.id.cmp(&b.instance.id));
        let clock = orchestrator.clock();
        let mut places: BTreeMap<BTreeMap<String, String>, usize> = BTreeMap::new();
        let mut labels = Vec::new();
        let mut rows = Vec::with_capacity(lines.len());
        for line in lines {
            let instance = line.instance;
            let place = match places.get(&instance.labels) {
                Some(place) => *place,
                None => {
                    labels.push(instance.labels.clone());
                    places.insert(instance.labels.clone(), labels.len() - 1);
                    labels.len() - 1
                }
            };
            let entry = orchestrator.registry().get(&instance.id);
            let state = InstanceStatus::ALL
                .iter()
                .position(|status| *status == instance.status);
            let reading = entry.as_ref().map(|entry| entry.reading(clock.now()));
            rows.push(Row(
                instance.id.clone(),
                state.unwrap_or_default(),
                line.to_run,
                line.owned,
                instance.max_streams,
                instance.capacity,
                instance.is_schedulable(),
                entry.as_ref().is_some_and(|entry| entry.standing().leased),
                entry.map_or(0, |entry| shown_ms(entry.silence(clock), 100)),
                shown_ms(clock.age(instance.status_since), 1_000),
                instance.flaps,
                reading
                    .and_then(|reading| reading.cpu)
                    .map(|cpu| cpu.round() as u32),
                place,
            ));
        }
        Self {
            now: Time(clock.wall()),
            columns: COLUMNS.map(str::to_owned).to_vec(),
            states: InstanceStatus::ALL.to_vec(),
            labels,
            rows,
        }
    }
}

/// Returns milliseconds as exactly as a page shows them: digits that it does not show would be half of the answer.
fn shown_ms(duration: Duration, step: u64) -> u64 {
    let whole = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    whole / step * step
}

/// `GET /fleet`
pub(super) async fn table(
    state: Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let kept = newest(&state).await?;
    let mut answer = HttpResponse::Ok();
    answer
        .content_type("application/json")
        .insert_header((header::VARY, "accept-encoding"));
    // A client that says nothing takes anything, but may not know what it gets.
    let says_so = request.headers().contains_key(header::ACCEPT_ENCODING);
    if says_so && takes_gzip(&request) {
        return Ok(answer
            .insert_header((header::CONTENT_ENCODING, "gzip"))
            .body(kept.gzip));
    }
    Ok(answer.body(kept.plain))
}

async fn newest(state: &AppState) -> Result<FleetText, Problem> {
    let orchestrator = state.orchestrator();
    let mut cache = state.fleet_cache().0.lock().await;
    let now = orchestrator.clock().now();
    if let Some(kept) = cache.as_ref()
        && now.since(kept.made_at) < SHARED_FOR
    {
        return Ok(kept.clone());
    }
    // Only the one that makes the answer counts: those that share it cost next to nothing.
    let _permit = state.admit(Load::List)?;
    let page = orchestrator.ask(InstanceList::default()).await?;
    let lines = page.map(|page| page.items).unwrap_or_default();
    let orchestrator = orchestrator.clone();
    let written = web::block(move || write(&FleetAnswer::of(lines, &orchestrator))).await;
    let (plain, gzip) = written.map_err(|_| Problem::internal())?.map_err(|error| {
        error!(error:%; "the table of the fleet could not be written");
        Problem::internal()
    })?;
    let kept = FleetText {
        made_at: now,
        plain: plain.into(),
        gzip: gzip.into(),
    };
    *cache = Some(kept.clone());
    Ok(kept)
}

fn write(answer: &FleetAnswer) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let plain = serde_json::to_vec(answer)?;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::new(7));
    gzip.write_all(&plain)?;
    Ok((plain, gzip.finish()?))
}
