//! What the process notices about itself: standstills, and jumps of the wall clock.

use std::time::Duration;

use log::warn;

use crate::actors::alerts::Alerts;
use crate::actors::telemetry::Telemetry;
use crate::clock::Clock;
use crate::domain::alert::{AlertKind, FLEET};
use crate::domain::time::Timestamp;
use crate::domain::timeline::ClockStep;

/// How long after the last jump of the wall clock its alert is closed.
pub(super) const STEP_ALERT_LASTS: Duration = Duration::from_secs(3_600);

/// What was reported already.
#[derive(Debug)]
pub(super) struct ProcessWatch {
    lost: Duration,
    steps: u64,
    /// When the alert about the last jump is closed.
    step_over_at: Option<Timestamp>,
}

impl ProcessWatch {
    pub(super) fn starting_with(clock: &Clock) -> Self {
        Self {
            lost: clock.lost(),
            steps: 0,
            step_over_at: None,
        }
    }

    /// Reads the clocks, and reports what they show.
    pub(super) fn read(&mut self, clock: &Clock, telemetry: &Telemetry, alerts: &Alerts) {
        let now = clock.now();
        let _ = clock.wall();
        self.report_standstill(clock, telemetry);
        self.report_step(now, clock, alerts);
    }

    fn report_standstill(&mut self, clock: &Clock, telemetry: &Telemetry) {
        let stalled = clock.lost().saturating_sub(self.lost);
        if stalled.is_zero() {
            return;
        }
        self.lost += stalled;
        let stalled_ms = u64::try_from(stalled.as_millis()).unwrap_or(u64::MAX);
        telemetry.stalls.inc();
        telemetry.stalled_seconds.inc_by(stalled.as_secs_f64());
        warn!(
            stalled_ms;
            "the orchestrator itself stood still for {stalled_ms} ms; deadlines wait as long"
        );
    }

    fn report_step(&mut self, now: Timestamp, clock: &Clock, alerts: &Alerts) {
        let kind = AlertKind::ClockStepped;
        if let Some(step) = clock.last_step()
            && step.count > self.steps
        {
            self.steps = step.count;
            self.step_over_at = Some(now + STEP_ALERT_LASTS);
            let detail = describe(step);
            alerts.raise(kind, FLEET, detail);
        }
        if self.step_over_at.is_some_and(|over_at| now >= over_at) {
            self.step_over_at = None;
            alerts.clear(kind, FLEET);
        }
    }
}

fn describe(step: ClockStep) -> String {
    let seconds = step.by_micros.unsigned_abs() / 1_000_000;
    let direction = if step.by_micros < 0 { "back" } else { "ahead" };
    format!(
        "The wall clock of the orchestrator's machine jumped {direction} by {seconds} s. Times \
         shown before and after do not fit together; deadlines, leases and retention go by running \
         time and are not affected. Check the time synchronisation of the machine."
    )
}
