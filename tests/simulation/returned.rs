//! Streams that are given back again and again wait, judged by the events alone and with numbers of
//! its own: it counts at least what has to be counted, and asks for no more than the shortest pause.

use std::collections::BTreeMap;
use std::time::Duration;

use resilient_orchestrator::domain::events::Event;
use resilient_orchestrator::domain::stream::AssignReason;
use resilient_orchestrator::domain::time::WallTime;

use crate::world::TIMEOUT;

/// Released sooner than this after it was assigned, a stream was given back.
const QUICK: Duration = Duration::from_secs(12);

/// What the events tell of one stream.
#[derive(Debug, Default)]
struct Trial {
    returns: u32,
    last_at: WallTime,
    last_by: String,
    /// Since when its owner has it.
    owned_since: Option<WallTime>,
    /// Its owner was told to let go.
    is_releasing: bool,
}

impl Trial {
    /// Its owner has it no more; returns how long it had it. That may have been steadily.
    fn lose(&mut self, at: WallTime) -> Duration {
        let owned = self.owned_since.take().map(|since| at.since(since));
        let owned = owned.unwrap_or_default();
        if owned >= TIMEOUT {
            self.returns = 0;
        }
        owned
    }
}

#[derive(Debug, Default)]
pub(crate) struct Returned {
    trials: BTreeMap<i64, Trial>,
}

impl Returned {
    pub(crate) fn follow(&mut self, at: WallTime, event: &Event) -> Result<(), String> {
        match event {
            Event::StreamAssigned { stream, reason, .. } => {
                let trial = self.trials.entry(stream.get()).or_default();
                let is_given_out = trial.owned_since.is_none();
                trial.lose(at);
                trial.owned_since = Some(at);
                trial.is_releasing = false;
                // An operator's word ends a pause.
                if is_given_out && *reason != AssignReason::PlannedMove {
                    let (returns, waited) = (trial.returns, at.since(trial.last_at));
                    if waited < shortest_pause(returns) {
                        return Err(format!(
                            "given back: stream {stream} was given out {waited:?} after its return \
                             number {returns}"
                        ));
                    }
                }
            }
            Event::StreamReleasing { stream, .. } => {
                self.trials.entry(stream.get()).or_default().is_releasing = true;
            }
            Event::HandoverAbandoned { stream, .. } => {
                self.trials.entry(stream.get()).or_default().is_releasing = false;
            }
            Event::StreamReleased {
                stream,
                instance,
                reason,
                ..
            } => {
                let trial = self.trials.entry(stream.get()).or_default();
                let owned = trial.lose(at);
                if !std::mem::take(&mut trial.is_releasing) && (owned < QUICK || reason.is_some()) {
                    trial.returns += 1;
                    trial.last_at = at;
                    trial.last_by = instance.to_string();
                }
            }
            Event::StreamOrphaned { stream, .. } => {
                if let Some(trial) = self.trials.get_mut(&stream.get()) {
                    trial.lose(at);
                    trial.is_releasing = false;
                }
            }
            // One wait at a time: that of the quarantine replaces the pause.
            Event::StreamQuarantined { stream, .. }
            | Event::ReturnsOver { stream, .. }
            | Event::StreamDeleted { stream }
            | Event::StreamUpdated {
                stream,
                enabled: false,
            } => self.forget(stream.get()),
            // What a worker that leaves gave back counts no more.
            Event::InstanceRemoved { instance, .. } => {
                let gone = instance.as_str();
                let trials = self.trials.values_mut();
                for trial in trials.filter(|trial| trial.last_by == gone) {
                    trial.returns = trial.returns.saturating_sub(1);
                    trial.last_at = WallTime::default();
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// It counts from the beginning; who has it, has it still.
    fn forget(&mut self, stream: i64) {
        if let Some(trial) = self.trials.get_mut(&stream) {
            trial.returns = 0;
        }
    }
}

/// Jitter takes away a quarter, and a little more is forgiven.
fn shortest_pause(returns: u32) -> Duration {
    match returns {
        0 | 1 => Duration::ZERO,
        _ => Duration::from_secs(1_u64 << (returns - 2).min(8)).mul_f64(0.74),
    }
}
