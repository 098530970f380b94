//! The figures of the whole system, for readers of the event stream: counts, health, alerts, brake, breakers,
//! and who leads.
//!
//! ```text
//!          first subscriber            no subscriber left
//!   idle ──────────────────▶ counting ────────────────────▶ idle
//!                             │     ▲
//!                             └─────┘ once a second; published only if they changed
//! ```
//!
//! Many events change one figure, and some figures change without an event (a breaker opens, an alert closes).
//! So a reader that shows them would have to ask again and again. One task per process asks the actors, however
//! many readers there are. A question that fails leaves the last figures as they are: the next second asks again.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_web::rt;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval, sleep};

use super::answer::Time;
use super::brake::BrakeAnswer;
use super::health::{HealthAnswer, health_answer};
use super::state::AppState;
use super::status::{StatusAnswer, status_answer};
use crate::actors::refusal::Refusal;
use crate::domain::ids::InstanceId;
use crate::domain::time::WallTime;

/// How often the figures are counted while someone reads them.
const COUNTED_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, Serialize)]
struct Counted {
    version: &'static str,
    status: StatusAnswer,
    health: HealthAnswer,
    alerts: Value,
    brake: BrakeAnswer,
    breakers: Value,
    leader: Value,
    stale_since: Option<Time>,
}

/// Counts the figures; everything in the answer stays the same while nothing changes.
async fn count(state: &AppState) -> Result<String, Refusal> {
    let orchestrator = state.orchestrator();
    let totals = orchestrator.totals().await?;
    let report = orchestrator.system_health().await?;
    let cluster = orchestrator.cluster();
    let seen = cluster.now();
    let counted = Counted {
        version: env!("CARGO_PKG_VERSION"),
        status: status_answer(state, &totals),
        health: health_answer(&report),
        alerts: json!(report.open_alerts),
        breakers: report
            .breakers
            .iter()
            .map(|breaker| (breaker.name.to_string(), json!(breaker.state)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        brake: report.brake.into(),
        leader: json!({
            "node": cluster.me().node.to_string(),
            "role": seen.role.as_str(),
            "term": seen.leader.as_ref().map(|(row, _)| row.term.get()),
            "members": seen.members.len(),
            "failsafe": seen.failsafe.is_some(),
        }),
        stale_since: state.stale_since().map(Time),
    };
    let mut counted = json!(counted);
    counted["status"]["timestamp"].take();
    counted["health"]["last_health_check"].take();
    let text = counted.to_string();
    Ok(text[1..text.len() - 1].to_owned())
}

/// Returns a receiver of the figures, and has them counted while there is one.
fn subscribe(state: &AppState) -> watch::Receiver<Option<Arc<str>>> {
    let figures = state.figures();
    let receiver = figures.newest.subscribe();
    if !figures.is_counting.swap(true, Ordering::AcqRel) {
        // Those of the last readers may be hours old.
        figures.newest.send_replace(None);
        rt::spawn(keep_counting(state.clone()));
    }
    receiver
}

async fn keep_counting(state: AppState) {
    let figures = state.figures();
    loop {
        if let Ok(text) = count(&state).await {
            figures.newest.send_if_modified(|newest| {
                let is_new = newest.as_deref() != Some(text.as_str());
                if is_new {
                    *newest = Some(text.into());
                }
                is_new
            });
        }
        sleep(COUNTED_EVERY).await;
        if figures.newest.receiver_count() > 0 {
            continue;
        }
        figures.is_counting.store(false, Ordering::Release);
        // One may have come between the two.
        if figures.newest.receiver_count() == 0 || figures.is_counting.swap(true, Ordering::AcqRel)
        {
            return;
        }
    }
}

/// What one reader is sent beside events.
pub(super) struct Pulse {
    state: AppState,
    figures: Option<watch::Receiver<Option<Arc<str>>>>,
    /// An instance whose heartbeats are reported, and the last one that was.
    beats: Option<(InstanceId, Option<WallTime>)>,
    looks: Interval,
}

impl Pulse {
    /// Begins what a reader asked for.
    pub(super) fn begin(state: &AppState, figures: bool, beats: Option<InstanceId>) -> Self {
        let mut looks = interval(COUNTED_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut figures = figures.then(|| subscribe(state));
        if let Some(figures) = &mut figures {
            figures.mark_changed();
        }
        Self {
            state: state.clone(),
            figures,
            beats: beats.map(|id| (id, None)),
            looks,
        }
    }

    /// Waits for the next frame. It loses nothing if the wait is given up.
    pub(super) async fn next(&mut self) -> String {
        loop {
            let Self {
                figures,
                beats,
                looks,
                ..
            } = self;
            let changed = async {
                if let Some(figures) = figures
                    && figures.changed().await.is_ok()
                {
                    return;
                }
                // The sender lives as long as the state.
                std::future::pending().await
            };
            let look = async {
                match beats {
                    Some(_) => looks.tick().await,
                    None => std::future::pending().await,
                }
            };
            let text = tokio::select! {
                biased;
                () = changed => self.figures_frame(),
                _ = look => self.beat_frame(),
            };
            if let Some(text) = text {
                return text;
            }
        }
    }

    fn now(&self) -> Time {
        Time(self.state.orchestrator().clock().wall())
    }

    fn figures_frame(&self) -> Option<String> {
        let figures = self.figures.as_ref()?.borrow().clone()?;
        let now = self.now();
        Some(format!(
            "event: figures\ndata: {{\"now\":\"{now}\",{figures}}}\n\n"
        ))
    }

    fn beat_frame(&mut self) -> Option<String> {
        let now = self.now();
        let orchestrator = self.state.orchestrator();
        let (id, reported) = self.beats.as_mut()?;
        let entry = orchestrator.registry().get(id)?;
        let beat = entry.last_beat_wall();
        if *reported == Some(beat) {
            return None;
        }
        *reported = Some(beat);
        let reading = entry.reading(orchestrator.clock().now());
        let data = json!({
            "now": now,
            "server_id": id,
            "last_heartbeat": Time(beat),
            "cpu_percent": reading.cpu,
            "memory_percent": reading.memory,
        });
        Some(format!("event: beat\ndata: {data}\n\n"))
    }
}
