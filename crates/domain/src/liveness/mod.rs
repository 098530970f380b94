//! Decides from its silence whether an instance is alive: one machine per instance.
//!
//! ```text
//!             warning            timeout             emergency
//!   OnTime ────────────▶ Late ────────────▶ Silent ────────────▶ Emergency
//!     ▲                   │                   │                      │
//!     └───────────────────┴──── heartbeat ────┴──────────────────────┘
//! ```
//!
//! Beside the length of the silence, the machine knows what the silence means, its [`Watch`]. An
//! instance that is *fenced* (its recovery has begun) or *failed* is no longer judged: its next
//! heartbeat is a return. An instance on *probation* is judged as always and must send steady
//! heartbeats for as long as `probation.rs` says. An instance that is *excused* is not expected to
//! send heartbeats. Being late, a new incarnation and the end of a period each start the steady
//! time anew, and so does a new machine: time that was not watched is not known to have been
//! steady.
//!
//! *Witnesses.* Another orchestrator may have heard the instance although the leader did not
//! (`leadership/witness.rs`). That moves the timeout and the emergency threshold, and not the warning: an instance
//! that the leader does not hear is late, whatever others hear, because the leader cannot notify it.
//!
//! *Robustness*: a deadline call that comes early, late or twice changes nothing it should not; a
//! lost effect is found by the sweep, which compares [`LivenessMachine::silence`] with the saved
//! state.

use std::time::Duration;

use super::ids::Incarnation;
use super::instance::InstanceStatus;
use super::probation::probation_for;
use super::settings::LivenessThresholds;
use super::time::Timestamp;

/// The stages of silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Silence {
    /// Within the warning threshold.
    OnTime,
    /// Past the warning threshold.
    Late,
    /// Past the timeout.
    Silent,
    /// Past the emergency threshold.
    Emergency,
}

/// The saved facts about an instance that its silence is judged with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Saved {
    pub incarnation: Incarnation,
    pub status: InstanceStatus,
    /// How often it failed on probation, less the flaps that were removed.
    pub flaps: u32,
}

/// The meaning of an instance's silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watch {
    /// Its silence is judged.
    Guarded,
    /// Its recovery has begun; a heartbeat is no sign of life any more, but of a return.
    Fenced,
    /// It failed; the next heartbeat is its return.
    Failed,
    /// It returned and must send steady heartbeats; its silence is judged.
    Probation,
    /// It is not expected to send heartbeats.
    Excused,
}

/// A change that the caller must act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The instance is past the warning threshold.
    BecameLate,
    /// The instance was late, or worse, and sent a heartbeat before the caller acted on it.
    BackOnTime,
    /// The instance is past the timeout: it must be recovered.
    BecameSilent,
    /// The instance is past the emergency threshold and still not recovered.
    BecameEmergency,
    /// The instance failed and sends heartbeats again.
    Returned,
    /// The instance has sent steady heartbeats for the whole probation.
    ProbationServed,
    /// The instance is trusted, and has sent steady heartbeats for so long that one flap is
    /// removed.
    FlapPaidBack {
        /// The number of flaps before.
        flaps: u32,
    },
}

/// How sure the caller is that the instance has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FenceGround {
    /// It was silent: fence it only if it still is.
    Silence,
    /// A report or an order: fence it, beating or not.
    Report,
}

/// The answer to a fence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FenceAnswer {
    /// The instance sent a heartbeat meanwhile; there is nothing to recover.
    Alive,
    /// From now on its heartbeats count as a return, and grant nothing.
    Fenced,
}

/// The liveness of one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LivenessMachine {
    thresholds: LivenessThresholds,
    last_beat: Timestamp,
    /// When another orchestrator last heard it, as far as is known; the last heartbeat if none did.
    witnessed: Timestamp,
    silence: Silence,
    watch: Watch,
    saved: Saved,
    /// Since when the instance has not been late.
    steady_since: Timestamp,
    beat_while_fenced: bool,
}

impl LivenessMachine {
    /// Creates a machine for an instance in a saved state whose last sign of life was at
    /// `last_beat`; for an instance that was loaded at a start, that may lie before the start.
    pub fn new(thresholds: LivenessThresholds, saved: Saved, last_beat: Timestamp) -> Self {
        Self {
            thresholds,
            last_beat,
            witnessed: last_beat,
            silence: Silence::OnTime,
            watch: watch_for(saved.status),
            saved,
            steady_since: last_beat,
            beat_while_fenced: false,
        }
    }

    /// The same machine, for an instance that was not watched before `moment`: what was not watched
    /// is not known to have been steady.
    #[must_use]
    pub fn watched_since(self, moment: Timestamp) -> Self {
        Self {
            steady_since: self.steady_since.max(moment),
            ..self
        }
    }

    /// Returns the stage of silence that was reached so far.
    pub fn silence(&self) -> Silence {
        self.silence
    }

    /// Returns the meaning of the silence.
    pub fn watch(&self) -> Watch {
        self.watch
    }

    /// Returns since when the instance has not been late, as far as this machine knows.
    pub fn steady_since(&self) -> Timestamp {
        self.steady_since
    }

    /// Notes a heartbeat.
    pub fn heartbeat(&mut self, now: Timestamp) -> Option<Effect> {
        let was_late = now.since(self.last_beat) >= self.thresholds.warning;
        self.last_beat = self.last_beat.max(now);
        let before = std::mem::replace(&mut self.silence, Silence::OnTime);
        if was_late || before > Silence::OnTime {
            self.steady_since = self.last_beat;
        }
        match self.watch {
            Watch::Guarded if before > Silence::OnTime => Some(Effect::BackOnTime),
            Watch::Guarded | Watch::Probation => self.served(),
            Watch::Fenced => {
                self.beat_while_fenced = true;
                None
            }
            Watch::Failed => Some(Effect::Returned),
            Watch::Excused => None,
        }
    }

    /// Notes a sign of life that may be known already.
    pub fn heartbeat_if_newer(&mut self, at: Timestamp) -> Option<Effect> {
        (at > self.last_beat).then(|| self.heartbeat(at)).flatten()
    }

    /// Notes that another orchestrator heard the instance at `at`. It does not fail before that is as old as the
    /// timeout, and stays late meanwhile.
    pub fn witness(&mut self, at: Timestamp) {
        if at > self.last_sign() {
            self.witnessed = at;
            self.silence = self.silence.min(Silence::Late);
        }
    }

    /// The last heartbeat that any orchestrator heard.
    fn last_sign(&self) -> Timestamp {
        self.last_beat.max(self.witnessed)
    }

    /// Returns whether a heartbeat renews the instance's lease.
    pub const fn is_trusted(&self) -> bool {
        match self.watch {
            Watch::Guarded | Watch::Probation => true,
            Watch::Fenced | Watch::Failed | Watch::Excused => false,
        }
    }

    /// Checks the time. May be called at any time: early, late or repeated calls change nothing.
    /// Each call takes one step; the caller repeats it until it returns `None`.
    pub fn handle_deadline(&mut self, now: Timestamp) -> Option<Effect> {
        match self.watch {
            Watch::Fenced | Watch::Failed | Watch::Excused => None,
            // Steadiness is judged at the next heartbeat after its time, so that an instance is
            // never trusted while it might already be late again.
            Watch::Guarded | Watch::Probation => self.judge(now),
        }
    }

    /// Returns when the time must be checked next.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let silence = match self.silence {
            Silence::OnTime => Some(self.last_beat + self.thresholds.warning),
            Silence::Late => Some(self.last_sign() + self.thresholds.timeout),
            Silence::Silent => Some(self.last_sign() + self.thresholds.emergency),
            Silence::Emergency => None,
        };
        match self.watch {
            Watch::Guarded | Watch::Probation => silence,
            Watch::Fenced | Watch::Failed | Watch::Excused => None,
        }
    }

    /// Recovery asks whether it may begin, on this ground.
    pub fn fence_on(&mut self, ground: FenceGround, now: Timestamp) -> FenceAnswer {
        match ground {
            FenceGround::Silence => self.fence(now),
            FenceGround::Report => {
                self.fence_regardless();
                FenceAnswer::Fenced
            }
        }
    }

    /// Recovery asks whether it may begin: only if the instance is still past its timeout.
    pub fn fence(&mut self, now: Timestamp) -> FenceAnswer {
        match self.watch {
            Watch::Fenced | Watch::Failed => FenceAnswer::Fenced,
            Watch::Guarded | Watch::Probation | Watch::Excused => {
                if now.since(self.last_sign()) < self.thresholds.timeout {
                    return FenceAnswer::Alive;
                }
                self.fence_regardless();
                FenceAnswer::Fenced
            }
        }
    }

    /// Fences the instance whether it sends heartbeats or not, because a caller reported its
    /// failure.
    pub fn fence_regardless(&mut self) {
        if self.watch != Watch::Failed {
            self.watch = Watch::Fenced;
            self.beat_while_fenced = false;
        }
    }

    /// Takes over the saved state after a recovery has ended, or after another change. Returns the
    /// effect that was held back meanwhile.
    pub fn adopt(&mut self, saved: Saved, now: Timestamp) -> Option<Effect> {
        let beat_while_fenced = std::mem::take(&mut self.beat_while_fenced);
        let before = (self.watch, self.saved.incarnation, self.saved.flaps);
        self.watch = watch_for(saved.status);
        self.saved = saved;
        if before != (self.watch, saved.incarnation, saved.flaps) {
            self.steady_since = self.last_beat.max(now);
        }
        (beat_while_fenced && self.watch == Watch::Failed).then_some(Effect::Returned)
    }

    fn judge(&mut self, now: Timestamp) -> Option<Effect> {
        let since = match self.silence {
            Silence::OnTime => self.last_beat,
            Silence::Late | Silence::Silent | Silence::Emergency => self.last_sign(),
        };
        let silent_for = now.since(since);
        let (next, threshold, effect) = match self.silence {
            Silence::OnTime => (Silence::Late, self.thresholds.warning, Effect::BecameLate),
            Silence::Late => (
                Silence::Silent,
                self.thresholds.timeout,
                Effect::BecameSilent,
            ),
            Silence::Silent => (
                Silence::Emergency,
                self.thresholds.emergency,
                Effect::BecameEmergency,
            ),
            Silence::Emergency => return None,
        };
        (silent_for >= threshold).then(|| {
            self.silence = next;
            effect
        })
    }

    /// Returns the effect of the steady time, if it is long enough for one.
    fn served(&self) -> Option<Effect> {
        let flaps = self.saved.flaps;
        let effect = match self.watch {
            Watch::Probation => Effect::ProbationServed,
            Watch::Guarded if flaps > 0 => Effect::FlapPaidBack { flaps },
            Watch::Guarded | Watch::Fenced | Watch::Failed | Watch::Excused => return None,
        };
        let steady_for = self.last_beat.since(self.steady_since);
        (steady_for >= probation_for(&self.thresholds, flaps)).then_some(effect)
    }
}

/// Returns how an instance in a saved state is watched.
const fn watch_for(status: InstanceStatus) -> Watch {
    match status {
        InstanceStatus::Active | InstanceStatus::Suspect | InstanceStatus::Draining => {
            Watch::Guarded
        }
        InstanceStatus::Failed => Watch::Failed,
        InstanceStatus::Recovering => Watch::Probation,
        InstanceStatus::Maintenance | InstanceStatus::Inactive => Watch::Excused,
    }
}

/// Returns the stage of a silence that began with a heartbeat which the leader heard, and that lasts since the last
/// heartbeat which any orchestrator heard.
pub fn silence_unless_witnessed(
    thresholds: &LivenessThresholds,
    unheard_for: Duration,
    silent_for: Duration,
) -> Silence {
    let heard = silence_after(thresholds, unheard_for);
    heard.min(silence_after(thresholds, silent_for).max(Silence::Late))
}

/// Returns the stage of silence, judged from the last heartbeat alone. The sweep uses it for
/// instances whose actor is gone or missed something.
pub fn silence_after(thresholds: &LivenessThresholds, silent_for: Duration) -> Silence {
    if silent_for >= thresholds.emergency {
        Silence::Emergency
    } else if silent_for >= thresholds.timeout {
        Silence::Silent
    } else if silent_for >= thresholds.warning {
        Silence::Late
    } else {
        Silence::OnTime
    }
}

#[cfg(test)]
mod tests;
