//! Which failures are evidence against the streams of the instance (`domain/quarantine/mod.rs`): not
//! those of a mass, and not a silence during which this process did not listen.

use std::time::Duration;

use super::actor::RecoveryActor;
use crate::actors::registry::Entry;
use crate::clock::Clock;
use crate::domain::incident::FailureCause;
use crate::domain::quarantine::Culpable;
use crate::domain::recovery::Failure;
use crate::domain::time::Timestamp;

/// The last time during which no heartbeat could be heard, as far as it was noticed.
#[derive(Debug)]
pub(super) struct Deafness {
    /// A heartbeat that came later was followed by no such time.
    until: Timestamp,
    lost: Duration,
}

impl Deafness {
    /// Before its start this process heard nothing.
    pub(super) fn starting(clock: &Clock) -> Self {
        Self {
            until: clock.now(),
            lost: clock.lost(),
        }
    }

    /// Notices whether the process stood still since the last look.
    pub(super) fn look(&mut self, clock: &Clock) {
        let (now, lost) = (clock.now(), clock.lost());
        if lost > self.lost {
            (self.until, self.lost) = (now, lost);
        }
    }

    fn covers(&self, last_beat: Timestamp) -> bool {
        last_beat <= self.until
    }
}

impl RecoveryActor {
    /// Returns what a failure says about the streams of the instance, if it says anything.
    pub(super) fn culpable(&mut self, failure: &Failure, entry: &Entry) -> Option<Culpable> {
        let clock = &self.links.clock;
        self.deafness.look(clock);
        let last_beat = entry.last_beat();
        if self.brake.is_of_mass(last_beat) {
            return None;
        }
        match failure.cause {
            FailureCause::HeartbeatTimeout | FailureCause::EmergencyThreshold => {
                let silence = clock.now().since(last_beat);
                let at = clock.wall() - silence;
                (!self.deafness.covers(last_beat)).then_some(Culpable { at })
            }
            FailureCause::Reported => Some(Culpable {
                at: failure.detected_at,
            }),
            FailureCause::FoundFailed | FailureCause::Forced | FailureCause::Emergency => None,
        }
    }
}
