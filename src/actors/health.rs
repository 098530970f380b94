//! Observes the orchestrator itself: is it me that is slow?
//!
//! It reads the clock often enough for gaps to mean something (`domain/running_time.rs`), and
//! tells when the process stood still.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use log::warn;

use super::fatal::Vital;
use super::telemetry::Telemetry;
use crate::clock::Clock;
use crate::domain::running_time::READING_INTERVAL;

/// Watches the process.
#[derive(Debug)]
pub struct HealthActor {
    clock: Clock,
    telemetry: Arc<Telemetry>,
    lost: Duration,
    _vital: Vital,
}

impl HealthActor {
    /// Starts watching when it starts.
    pub fn new(clock: Clock, telemetry: Arc<Telemetry>, vital: Vital) -> Self {
        let lost = clock.lost();
        Self {
            clock,
            telemetry,
            lost,
            _vital: vital,
        }
    }

    fn read_the_clock(&mut self) {
        let _ = self.clock.now();
        let stalled = self.clock.lost().saturating_sub(self.lost);
        if stalled.is_zero() {
            return;
        }
        self.lost += stalled;
        let stalled_ms = u64::try_from(stalled.as_millis()).unwrap_or(u64::MAX);
        self.telemetry.stalls.inc();
        self.telemetry.stalled_milliseconds.inc_by(stalled_ms);
        warn!(
            stalled_ms;
            "the orchestrator itself stood still for {stalled_ms} ms; deadlines wait as long"
        );
    }
}

impl Actor for HealthActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(READING_INTERVAL, |actor, _| actor.read_the_clock());
    }
}
