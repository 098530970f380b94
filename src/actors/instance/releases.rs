//! What is known of the releases of one instance.

use crate::actors::alerts::Alerts;
use crate::domain::release_watch::{ReleaseLimits, ReleaseWatch};
use crate::domain::settings::LivenessThresholds;

/// Whether an alert is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reported {
    No,
    /// By this actor.
    Here,
    /// Perhaps, by an actor before this one.
    Before,
}

/// What is known of the releases of one instance.
#[derive(Debug)]
pub(super) struct Releases {
    pub(super) watch: ReleaseWatch,
    pub(super) is_looking: bool,
    pub(super) surplus: Reported,
    pub(super) refused: Reported,
    pub(super) unfinished: Reported,
    pub(super) alerts: Alerts,
}

impl Releases {
    pub(super) fn new(thresholds: &LivenessThresholds, alerts: Alerts) -> Self {
        Self {
            watch: ReleaseWatch::new(ReleaseLimits::from_thresholds(thresholds)),
            is_looking: false,
            surplus: Reported::Before,
            refused: Reported::Before,
            unfinished: Reported::Before,
            alerts,
        }
    }
}
