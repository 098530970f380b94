//! Who is late, of how many: what a mass is told by.

use crate::ids::Incarnation;
use crate::instance::InstanceStatus;
use crate::settings::{LivenessThresholds, MassFailureSettings};
use crate::time::Timestamp;

/// An instance, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting {
    /// Its current life.
    pub incarnation: Incarnation,
    /// What it is held to be.
    pub status: InstanceStatus,
    /// How many streams it owns.
    pub held: usize,
    /// Its last sign of life.
    pub last_beat: Timestamp,
    /// Since when it serves without interruption, as far as this run of the program knows.
    pub serving_since: Timestamp,
}

/// What was counted when a mass was looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Census {
    /// Past the warning threshold.
    pub late: usize,
    /// Active one timeout ago, the late ones included.
    pub active: usize,
}

/// The formula: see the head of `brake/mod.rs`. What last beat up to `newer_than` was counted before.
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

/// Whether so many are a mass.
pub fn is_mass(settings: &MassFailureSettings, census: Census) -> bool {
    let least = usize::try_from(settings.min).unwrap_or(usize::MAX);
    census.late >= least && settings.ratio.is_exceeded_by(census.late, census.active)
}
