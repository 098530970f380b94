//! Keeps the recent past in numbers (`domain/series`).
//!
//! A sample is taken in the middle of each 10 seconds of the wall clock, so that a timer that is a little early or
//! late never leaves a step out. It reads counters that are there anyway, and asks the FleetActor for totals that
//! the fleet keeps as it changes: nothing of it is on the path of a heartbeat.
//!
//! ```text
//!   Idle ──timer──▶ Asking ──totals──▶ Idle, and every 5 minutes ──▶ Saving ──▶ Idle
//! ```
//!
//! | failure | consequence |
//! | --- | --- |
//! | the store does not answer | the points wait in the rings, and are saved with the next try |
//! | the store refuses the points for their content | they are dropped from the next save, and counted |
//! | the process is killed | the points since the last save are absent |

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use log::warn;
use tokio::sync::oneshot;

use super::alarm::Alarm;
use super::db_breaker::StoreAccess;
use super::fatal::Vital;
use super::fleet::{Ask, FleetActor};
use super::registry::Registry;
use super::store_calls::StoreOp;
use super::telemetry::{BeatResult, CauseLabel, ReasonLabel, ResultLabel, Telemetry};
use crate::clock::Clock;
use crate::domain::incident::FailureCause;
use crate::domain::queries::{FleetTotals, Totals};
use crate::domain::reason::AssignReason;
use crate::domain::series::{
    Counters, Levels, SAMPLE_INTERVAL, SeriesHistory, SeriesName, SeriesPoint, SeriesSample,
    SeriesSpan,
};
use crate::domain::time::{Timestamp, WallTime};
use crate::store::{Store, StoreError};

/// How often the points are saved.
pub const SAVE_INTERVAL: Duration = Duration::from_secs(300);

/// How soon they are saved again after a save that failed.
const RETRY_INTERVAL: Duration = Duration::from_secs(60);

/// A timer that rings earlier than this before the middle of a step belongs to that step.
const EARLY: Duration = Duration::from_secs(1);

/// What it reads and where it saves.
#[derive(Debug, Clone)]
pub struct SeriesLinks {
    pub(in crate::actors) access: StoreAccess,
    pub(in crate::actors) fleet: Addr<FleetActor>,
    pub(in crate::actors) registry: Arc<Registry>,
}

/// Samples, keeps and shows the series.
#[derive(Debug)]
pub struct SeriesActor {
    history: SeriesHistory,
    links: SeriesLinks,
    clock: Clock,
    telemetry: Arc<Telemetry>,
    is_asking: bool,
    save_at: Timestamp,
    is_saving: bool,
    /// Callers that wait for the end of a save.
    waiting: Vec<oneshot::Sender<()>>,
    refusal_logged: bool,
    alarm: Alarm<Self>,
    _vital: Vital,
}

impl SeriesActor {
    /// Goes on with the points that were saved.
    pub fn new(
        saved: Vec<SeriesPoint>,
        links: SeriesLinks,
        clock: Clock,
        telemetry: Arc<Telemetry>,
        vital: Vital,
    ) -> Self {
        let history = SeriesHistory::new(saved, clock.wall(), counters(&telemetry));
        Self {
            history,
            links,
            save_at: clock.awake() + SAVE_INTERVAL,
            clock,
            telemetry,
            is_asking: false,
            is_saving: false,
            waiting: Vec::new(),
            refusal_logged: false,
            alarm: Alarm::of_waits(|actor| &mut actor.alarm, Self::sample),
            _vital: vital,
        }
    }

    fn sample_later(&mut self, ctx: &mut Context<Self>) {
        let next = self.clock.awake() + until_middle(self.clock.wall());
        self.alarm.set(Some(next), &self.clock, ctx);
    }

    fn sample(&mut self, ctx: &mut Context<Self>) {
        self.sample_later(ctx);
        if self.is_asking {
            return;
        }
        self.is_asking = true;
        let (at, counters) = (self.clock.wall(), counters(&self.telemetry));
        let leases = self.links.registry.leases(self.clock.now());
        let totals = self.links.fleet.send(Ask(FleetTotals { leases }));
        ctx.spawn(totals.into_actor(self).map(move |totals, actor, ctx| {
            actor.is_asking = false;
            // Without an answer the system is ending.
            let Ok(totals) = totals else {
                return;
            };
            actor.history.note(SeriesSample {
                at,
                counters,
                levels: levels(&totals),
            });
            if actor.save_at <= actor.clock.awake() {
                actor.save(ctx);
            }
        }));
    }

    fn save(&mut self, ctx: &mut Context<Self>) {
        if self.is_saving {
            return;
        }
        let points: Arc<[SeriesPoint]> = self.history.take_unsaved().into();
        self.save_at = self.clock.awake() + SAVE_INTERVAL;
        if points.is_empty() {
            return self.waiting.clear();
        }
        let rows = points.clone();
        let save = |store: Arc<dyn Store>| async move { store.save_series(&rows).await };
        let Some(save) = self.links.access.write(StoreOp::SaveSeries, save) else {
            self.history.put_back(&points);
            self.save_at = self.clock.awake() + RETRY_INTERVAL;
            return self.waiting.clear();
        };
        self.is_saving = true;
        ctx.spawn(save.into_actor(self).map(move |saved, actor, _| {
            actor.is_saving = false;
            actor.saved(&points, saved);
        }));
    }

    fn saved(&mut self, points: &[SeriesPoint], saved: Result<(), StoreError>) {
        match saved {
            Ok(()) => {}
            Err(StoreError::Refused(reason)) => {
                let count = points.len();
                self.telemetry.records_refused.inc_by(count as u64);
                self.telemetry.records_dropped.inc_by(count as u64);
                if !std::mem::replace(&mut self.refusal_logged, true) {
                    warn!(reason, points = count;
                        "the database refused {count} points of the series: {reason}");
                }
            }
            Err(_) => {
                self.history.put_back(points);
                self.save_at = self.clock.awake() + RETRY_INTERVAL;
            }
        }
        self.waiting.clear();
    }
}

/// Returns the time until the middle of a step.
fn until_middle(wall: WallTime) -> Duration {
    let micros = |duration: Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
    let (step, middle) = (micros(SAMPLE_INTERVAL), micros(SAMPLE_INTERVAL) / 2);
    let phase = wall.as_micros().rem_euclid(step);
    let mut wait = (middle - phase).rem_euclid(step);
    if wait < micros(EARLY) {
        wait += step;
    }
    Duration::from_micros(wait.unsigned_abs())
}

/// Returns how often what counts happened since the start.
fn counters(telemetry: &Telemetry) -> Counters {
    let result = BeatResult::Accepted.as_str();
    let failures = FailureCause::ALL.iter().map(|cause| {
        let cause = cause.as_str();
        telemetry
            .failures
            .get_or_create(&CauseLabel { cause })
            .get()
    });
    let moves = AssignReason::ALL.iter().map(|reason| {
        let reason = reason.as_str();
        let moved = telemetry
            .streams_moved
            .get_or_create(&ReasonLabel { reason });
        moved.get()
    });
    Counters {
        heartbeats: (telemetry.heartbeats)
            .get_or_create(&ResultLabel { result })
            .get(),
        failures: failures.sum(),
        moves: moves.sum(),
    }
}

fn levels(totals: &Totals) -> Levels {
    Levels {
        waiting: totals.streams.waiting(),
        active_instances: totals.active_instances(),
        load_percentage: totals.load_percentage,
    }
}

impl Actor for SeriesActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.sample_later(ctx);
    }
}

/// Asks for the points of a series.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Vec<(WallTime, f64)>")]
#[expect(missing_docs, reason = "the names say it")]
pub struct AskSeries {
    pub name: SeriesName,
    pub span: SeriesSpan,
}

impl Handler<AskSeries> for SeriesActor {
    type Result = MessageResult<AskSeries>;

    fn handle(&mut self, ask: AskSeries, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.history.points(ask.name, &ask.span))
    }
}

/// Saves what is not saved; answered when that is over, with success or without.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub(super) struct SaveSeries;

impl Handler<SaveSeries> for SeriesActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: SaveSeries, ctx: &mut Self::Context) -> Self::Result {
        let (waiter, saved) = oneshot::channel::<()>();
        self.waiting.push(waiter);
        self.save(ctx);
        // The end of the save drops the sender.
        Box::pin(async move { drop(saved.await) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_comes_in_the_middle_of_each_step() {
        let wait = |millis: i64| until_middle(WallTime::from_micros(millis * 1_000)).as_millis();
        assert_eq!(wait(0), 5_000);
        assert_eq!(wait(3_999), 1_001);
        assert_eq!(wait(4_990), 10_010, "this one came a little early");
        assert_eq!(wait(5_000), 10_000);
        assert_eq!(wait(5_010), 9_990);
        assert_eq!(wait(9_000), 6_000);
        assert_eq!(wait(-1_000), 6_000);
    }
}
