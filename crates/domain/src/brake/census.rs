//! Counts how many instances are late, and decides whether so many are a mass failure.

use crate::ids::Incarnation;
use crate::instance::InstanceStatus;
use crate::settings::{LivenessThresholds, MassFailureSettings};
use crate::time::Timestamp;

/// An instance, with the facts that the count needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Sighting {
    pub incarnation: Incarnation,
    /// The state that the orchestrator has saved for it.
    pub status: InstanceStatus,
    /// How many streams the instance owns.
    pub held: usize,
    pub last_beat: Timestamp,
    /// The moment from which the instance has served without interruption, as far as this run of
    /// the program knows.
    pub serving_since: Timestamp,
}

/// The result of a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Census {
    /// Instances past the warning threshold.
    pub late: usize,
    /// Instances that were active one timeout ago, the late ones included.
    pub active: usize,
}

/// Counts by the formula in `brake/mod.rs`. Instances whose last heartbeat is not after
/// `newer_than` were counted before and are left out.
pub fn count(
    thresholds: &LivenessThresholds,
    newer_than: Option<Timestamp>,
    now: Timestamp,
    fleet: &[Sighting],
) -> Census {
    let became_late = thresholds.timeout.saturating_sub(thresholds.warning);
    let mut census = Census::default();
    for one in fleet {
        let silent_for = now.since(one.last_beat);
        let is_known = newer_than.is_some_and(|before| one.last_beat <= before);
        if !one.status.is_serving() || silent_for >= thresholds.timeout * 2 || is_known {
            continue;
        }
        let is_late = silent_for >= thresholds.warning;
        census.late += usize::from(is_late);
        let is_old = now.since(one.serving_since) >= became_late;
        census.active += usize::from(is_late || is_old);
    }
    census
}

/// Returns whether so many late instances are a mass failure.
pub fn is_mass(settings: &MassFailureSettings, census: Census) -> bool {
    let least = usize::try_from(settings.min).unwrap_or(usize::MAX);
    census.late >= least && settings.ratio.is_exceeded_by(census.late, census.active)
}
