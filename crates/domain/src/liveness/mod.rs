//! Is an instance alive? One machine per instance that knows silence and nothing else.
//!
//! ```text
//!             warning            timeout             emergency
//!   OnTime ────────────▶ Late ────────────▶ Silent ────────────▶ Emergency
//!     ▲                   │                   │                      │
//!     └───────────────────┴──── heartbeat ────┴──────────────────────┘
//! ```
//!
//! Beside how silent it is, the machine knows what the silence means, its [`Watch`]: an instance
//! that is *fenced* (its recovery has begun) or *failed* is no longer judged, its next heartbeat
//! is a return; one on *probation* is judged as always and must beat steadily for as long as
//! `probation.rs` says; one that is *excused* is not expected to beat at all. Being late, a new
//! life and the end of a period each start the steady time anew, and so does a new machine: what
//! nobody watched is not known to have been steady.
//!
//! Failures of the machine's surroundings: a deadline call that comes early, late or twice
//! changes nothing it should not; a lost effect is found by the sweep, which compares
//! [`LivenessMachine::silence`] with what is saved.

use std::time::Duration;

use super::ids::Incarnation;
use super::instance::InstanceStatus;
use super::probation::probation_for;
use super::settings::LivenessThresholds;
use super::time::Timestamp;

/// How long an instance has been silent, in words.
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

/// What is saved about an instance, as far as its silence is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Saved {
    /// Its current life.
    pub incarnation: Incarnation,
    /// What it is held to be.
    pub status: InstanceStatus,
    /// How often it failed on probation, as far as it is not forgiven.
    pub flaps: u32,
}

/// What the silence of an instance means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watch {
    /// Its silence is judged.
    Guarded,
    /// Its recovery has begun; a heartbeat is no sign of life any more, but of a return.
    Fenced,
    /// It failed; the next heartbeat is its return.
    Failed,
    /// It returned and has to beat steadily; its silence is judged.
    Probation,
    /// Nobody expects it to beat.
    Excused,
}

/// What the machine noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It is past the warning threshold.
    BecameLate,
    /// It was late, or worse, and beat again before anybody acted on it.
    BackOnTime,
    /// It is past the timeout: it is to be recovered.
    BecameSilent,
    /// It is past the emergency threshold and still not recovered.
    BecameEmergency,
    /// It failed and beats again.
    Returned,
    /// It has beaten steadily for the whole probation.
    ProbationServed,
    /// Trusted again, it has beaten steadily for so long that it is to have one flap less.
    FlapPaidBack {
        /// How many it has until then.
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
    /// It beat in the meantime; there is nothing to recover.
    Alive,
    /// From now on its heartbeats count as a return, and grant nothing.
    Fenced,
}

/// The liveness of one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LivenessMachine {
    thresholds: LivenessThresholds,
    last_beat: Timestamp,
    silence: Silence,
    watch: Watch,
    saved: Saved,
    /// Since when it has not been late.
    steady_since: Timestamp,
    beat_while_fenced: bool,
}

impl LivenessMachine {
    /// A machine for an instance in a saved state whose last sign of life was at `last_beat`
    /// (for instances loaded at a start: the start itself, which gives them full grace).
    pub fn new(thresholds: LivenessThresholds, saved: Saved, last_beat: Timestamp) -> Self {
        Self {
            thresholds,
            last_beat,
            silence: Silence::OnTime,
            watch: watch_for(saved.status),
            saved,
            steady_since: last_beat,
            beat_while_fenced: false,
        }
    }

    /// How silent the instance is, as far as it was noticed.
    pub fn silence(&self) -> Silence {
        self.silence
    }

    /// What its silence means.
    pub fn watch(&self) -> Watch {
        self.watch
    }

    /// Since when it has not been late, as far as this machine knows.
    pub fn steady_since(&self) -> Timestamp {
        self.steady_since
    }

    /// The instance beat.
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

    /// A sign of life that may have been heard of already.
    pub fn heartbeat_if_newer(&mut self, at: Timestamp) -> Option<Effect> {
        (at > self.last_beat).then(|| self.heartbeat(at)).flatten()
    }

    /// Whether a heartbeat renews the instance's lease.
    pub const fn is_trusted(&self) -> bool {
        match self.watch {
            Watch::Guarded | Watch::Probation => true,
            Watch::Fenced | Watch::Failed | Watch::Excused => false,
        }
    }

    /// Looks at the time. Safe at any time: early, late or repeated calls change nothing. Each
    /// call takes one step; call again until it returns `None`.
    pub fn handle_deadline(&mut self, now: Timestamp) -> Option<Effect> {
        match self.watch {
            Watch::Fenced | Watch::Failed | Watch::Excused => None,
            // Steady beating is noticed at the next beat after its time, so that an instance is
            // never trusted while it might already be late again.
            Watch::Guarded | Watch::Probation => self.judge(now),
        }
    }

    /// When the time is to be looked at next.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let silence = match self.silence {
            Silence::OnTime => Some(self.last_beat + self.thresholds.warning),
            Silence::Late => Some(self.last_beat + self.thresholds.timeout),
            Silence::Silent => Some(self.last_beat + self.thresholds.emergency),
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
                if now.since(self.last_beat) < self.thresholds.timeout {
                    return FenceAnswer::Alive;
                }
                self.fence_regardless();
                FenceAnswer::Fenced
            }
        }
    }

    /// Somebody said that it failed: recovery begins, beating or not.
    pub fn fence_regardless(&mut self) {
        if self.watch != Watch::Failed {
            self.watch = Watch::Fenced;
            self.beat_while_fenced = false;
        }
    }

    /// Recovery has ended one way or the other, or the saved state changed for another reason:
    /// `saved` is what is saved now. Returns what was held back meanwhile.
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
        let silent_for = now.since(self.last_beat);
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

    /// What its steady time is worth, if it is enough for anything.
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

/// How an instance in a saved state is watched.
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

/// How silent an instance is, judged from its last heartbeat alone. The sweep uses it for
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
