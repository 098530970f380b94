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
//! is a return; one on *probation* is judged as always and must beat steadily; one that is
//! *excused* is not expected to beat at all.
//!
//! Failures of the machine's surroundings: a deadline call that comes early, late or twice
//! changes nothing it should not; a lost effect is found by the sweep, which compares
//! [`LivenessMachine::silence`] with what is saved.

use std::time::Duration;

use super::instance::InstanceStatus;
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

/// What the silence of an instance means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watch {
    /// Its silence is judged.
    Guarded,
    /// Its recovery has begun; a heartbeat is no sign of life any more, but of a return.
    Fenced,
    /// It failed; the next heartbeat is its return.
    Failed,
    /// It returned and has beaten steadily since the given moment; its silence is judged.
    Probation {
        /// Since when it has not been late.
        steady_since: Timestamp,
    },
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
    beat_while_fenced: bool,
}

impl LivenessMachine {
    /// A machine for an instance in a saved state whose last sign of life was at `last_beat`
    /// (for instances loaded at a start: the start itself, which gives them full grace).
    pub fn new(
        thresholds: LivenessThresholds,
        status: InstanceStatus,
        last_beat: Timestamp,
    ) -> Self {
        let watch = watch_for(status, last_beat);
        Self {
            thresholds,
            last_beat,
            silence: Silence::OnTime,
            watch,
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

    /// The instance beat.
    pub fn heartbeat(&mut self, now: Timestamp) -> Option<Effect> {
        self.last_beat = self.last_beat.max(now);
        let before = std::mem::replace(&mut self.silence, Silence::OnTime);
        match self.watch {
            Watch::Guarded => (before > Silence::OnTime).then_some(Effect::BackOnTime),
            Watch::Fenced => {
                self.beat_while_fenced = true;
                None
            }
            Watch::Failed => Some(Effect::Returned),
            Watch::Probation { steady_since } => {
                if before > Silence::OnTime {
                    self.watch = Watch::Probation { steady_since: now };
                    None
                } else {
                    self.served(steady_since, now)
                }
            }
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
            Watch::Guarded | Watch::Probation { .. } => true,
            Watch::Fenced | Watch::Failed | Watch::Excused => false,
        }
    }

    /// Looks at the time. Safe at any time: early, late or repeated calls change nothing. Each
    /// call takes one step; call again until it returns `None`.
    pub fn handle_deadline(&mut self, now: Timestamp) -> Option<Effect> {
        match self.watch {
            Watch::Fenced | Watch::Failed | Watch::Excused => None,
            Watch::Guarded => self.judge(now),
            Watch::Probation { steady_since } => match self.judge(now) {
                None if self.silence == Silence::OnTime => self.served(steady_since, now),
                effect => effect,
            },
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
            Watch::Guarded => silence,
            // Steady beating is noticed at the next beat after the probation's end, so that an
            // instance is never trusted while it might already be late again.
            Watch::Probation { .. } => silence,
            Watch::Fenced | Watch::Failed | Watch::Excused => None,
        }
    }

    /// Recovery asks whether it may begin: only if the instance is still past its timeout.
    pub fn fence(&mut self, now: Timestamp) -> FenceAnswer {
        match self.watch {
            Watch::Fenced | Watch::Failed => FenceAnswer::Fenced,
            Watch::Guarded | Watch::Probation { .. } | Watch::Excused => {
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
    /// `status` is what is saved now. Returns what was held back meanwhile.
    pub fn adopt(&mut self, status: InstanceStatus, now: Timestamp) -> Option<Effect> {
        let beat_while_fenced = std::mem::take(&mut self.beat_while_fenced);
        let next = watch_for(status, self.last_beat.max(now));
        if std::mem::discriminant(&next) != std::mem::discriminant(&self.watch) {
            self.watch = next;
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

    fn served(&self, steady_since: Timestamp, now: Timestamp) -> Option<Effect> {
        let beats_late_enough = self.last_beat.since(steady_since) >= self.thresholds.probation;
        (beats_late_enough && now.since(steady_since) >= self.thresholds.probation)
            .then_some(Effect::ProbationServed)
    }
}

/// How an instance in a saved state is watched.
const fn watch_for(status: InstanceStatus, now: Timestamp) -> Watch {
    match status {
        InstanceStatus::Active | InstanceStatus::Suspect | InstanceStatus::Draining => {
            Watch::Guarded
        }
        InstanceStatus::Failed => Watch::Failed,
        InstanceStatus::Recovering => Watch::Probation { steady_since: now },
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
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn machine(status: InstanceStatus) -> LivenessMachine {
        LivenessMachine::new(LivenessThresholds::default(), status, at(0))
    }

    #[test]
    fn silence_passes_through_every_level_exactly_once_and_exactly_on_time() {
        let mut machine = machine(InstanceStatus::Active);
        for (deadline, effect) in [
            (120, Effect::BecameLate),
            (300, Effect::BecameSilent),
            (600, Effect::BecameEmergency),
        ] {
            assert_eq!(machine.next_deadline(), Some(at(deadline)));
            let early = Timestamp::from_micros(deadline * 1_000_000 - 1);
            assert_eq!(machine.handle_deadline(early), None);
            assert_eq!(machine.handle_deadline(at(deadline)), Some(effect));
            assert_eq!(machine.handle_deadline(at(deadline)), None, "repeated");
        }
        assert_eq!(machine.next_deadline(), None);
        assert_eq!(machine.handle_deadline(at(100_000)), None);
    }

    #[test]
    fn a_very_late_call_takes_every_step_in_turn() {
        let mut machine = machine(InstanceStatus::Active);
        let steps: Vec<_> = std::iter::from_fn(|| machine.handle_deadline(at(601))).collect();
        assert_eq!(
            steps,
            [
                Effect::BecameLate,
                Effect::BecameSilent,
                Effect::BecameEmergency
            ]
        );
    }

    #[test]
    fn a_heartbeat_ends_any_silence_nobody_acted_on() {
        for seconds in [120, 300, 600] {
            let mut machine = machine(InstanceStatus::Active);
            while machine.handle_deadline(at(seconds)).is_some() {}
            assert_eq!(machine.heartbeat(at(seconds + 1)), Some(Effect::BackOnTime));
            assert_eq!(machine.heartbeat(at(seconds + 2)), None);
            assert_eq!(machine.next_deadline(), Some(at(seconds + 2 + 120)));
        }
    }

    #[test]
    fn a_heartbeat_that_arrives_out_of_order_moves_no_deadline_back() {
        let mut machine = machine(InstanceStatus::Active);
        machine.heartbeat(at(50));
        machine.heartbeat(at(10));
        assert_eq!(machine.next_deadline(), Some(at(170)));
    }

    #[test]
    fn the_fence_holds_only_if_the_silence_does() {
        let mut alive = machine(InstanceStatus::Active);
        while alive.handle_deadline(at(300)).is_some() {}
        alive.heartbeat(at(301));
        assert_eq!(alive.fence(at(302)), FenceAnswer::Alive);
        assert_eq!(alive.watch(), Watch::Guarded);

        let mut silent = machine(InstanceStatus::Active);
        assert_eq!(silent.fence(at(299)), FenceAnswer::Alive);
        assert_eq!(silent.fence(at(300)), FenceAnswer::Fenced);
        assert_eq!(
            silent.fence(at(301)),
            FenceAnswer::Fenced,
            "asking twice is harmless"
        );
        assert_eq!(silent.next_deadline(), None);
    }

    #[test]
    fn a_beat_while_fenced_is_a_return_once_the_failure_is_saved() {
        let mut machine = machine(InstanceStatus::Active);
        machine.fence(at(300));
        assert_eq!(
            machine.heartbeat(at(301)),
            None,
            "held back: nothing is saved yet"
        );
        assert_eq!(
            machine.adopt(InstanceStatus::Failed, at(302)),
            Some(Effect::Returned)
        );
        assert_eq!(
            machine.heartbeat(at(303)),
            Some(Effect::Returned),
            "until it is acted on"
        );
        assert_eq!(machine.adopt(InstanceStatus::Recovering, at(304)), None);
        assert_eq!(
            machine.watch(),
            Watch::Probation {
                steady_since: at(304)
            }
        );
    }

    #[test]
    fn a_fence_that_came_to_nothing_is_lifted_by_the_saved_state() {
        let mut machine = machine(InstanceStatus::Active);
        machine.fence(at(300));
        machine.heartbeat(at(301));
        assert_eq!(machine.adopt(InstanceStatus::Active, at(302)), None);
        assert_eq!(machine.watch(), Watch::Guarded);
        assert_eq!(machine.next_deadline(), Some(at(301 + 120)));
    }

    #[test]
    fn probation_wants_steady_beats_for_its_whole_length() {
        let mut machine = machine(InstanceStatus::Recovering);
        assert_eq!(machine.heartbeat(at(60)), None);
        assert_eq!(machine.heartbeat(at(119)), None);
        assert_eq!(machine.heartbeat(at(120)), Some(Effect::ProbationServed));

        let mut unsteady = self::machine(InstanceStatus::Recovering);
        unsteady.heartbeat(at(100));
        assert_eq!(unsteady.handle_deadline(at(220)), Some(Effect::BecameLate));
        assert_eq!(unsteady.heartbeat(at(230)), None, "late: it starts over");
        assert_eq!(unsteady.heartbeat(at(349)), None);
        assert_eq!(unsteady.heartbeat(at(350)), Some(Effect::ProbationServed));
    }

    #[test]
    fn silence_during_probation_fails_again() {
        let mut machine = machine(InstanceStatus::Recovering);
        let steps: Vec<_> = std::iter::from_fn(|| machine.handle_deadline(at(300))).collect();
        assert_eq!(steps, [Effect::BecameLate, Effect::BecameSilent]);
    }

    #[test]
    fn nobody_waits_for_the_excused() {
        for status in [InstanceStatus::Maintenance, InstanceStatus::Inactive] {
            let mut machine = machine(status);
            assert_eq!(machine.next_deadline(), None);
            assert_eq!(machine.handle_deadline(at(10_000)), None);
            assert_eq!(machine.heartbeat(at(10_001)), None);
        }
    }

    #[test]
    fn adopting_the_same_state_again_does_not_restart_a_probation() {
        let mut machine = machine(InstanceStatus::Recovering);
        machine.heartbeat(at(100));
        machine.adopt(InstanceStatus::Recovering, at(110));
        assert_eq!(
            machine.watch(),
            Watch::Probation {
                steady_since: at(0)
            }
        );
    }

    #[test]
    fn the_sweep_judges_like_the_machine() {
        let thresholds = LivenessThresholds::default();
        for seconds in [0, 119, 120, 299, 300, 599, 600, 601] {
            let mut machine = machine(InstanceStatus::Active);
            while machine.handle_deadline(at(seconds)).is_some() {}
            assert_eq!(
                silence_after(&thresholds, Duration::from_secs(seconds)),
                machine.silence(),
                "after {seconds} s"
            );
        }
    }
}
