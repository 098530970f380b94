//! Compares the streams that a worker reports with the streams it should run.
//!
//! ```text
//!            differs            a grace later           another grace later
//!   in step ────────▶ differing ─────────────▶ told again ──────────────▶ settled
//!      ▲                  │                        │                        │ each grace:
//!      └──────────────────┴── says what it should ─┴──── for a grace ───────┘ settled again
//! ```
//!
//! *Told again*: the worker's heartbeats are answered with the streams to start and to stop,
//! although it has the newest version. *Settled*: streams it still does not run move to other
//! instances, and streams that it runs and should not are reported; once for each time it falls out
//! of step, however long that lasts. A worker that comes closer while it starts one stream after
//! the other is given a new grace each time, so a worker that makes progress is not disturbed.
//!
//! Not every heartbeat is judged ([`is_judged`](Report::is_judged)), because changes on their way
//! are no difference. A worker with the newest version has received all changes; one with another
//! version is sent the changes anyway. A leased worker that names no version is about to stop
//! something. A classic worker is judged once it was notified of all its streams; nothing can be
//! sent to it again, and its streams are not moved, because it might have begun to run them
//! meanwhile and would not learn of the move.
//!
//! What can go wrong: an answer is lost (it is repeated until all is settled); the store is out
//! (settling is retried with each heartbeat); the orchestrator ends (the next one sees the same
//! difference and begins anew).

use std::time::Duration;

use super::digest::StreamsDigest;
use super::fleet::Standing;
use super::heartbeat::Heartbeat;
use super::ids::AssignmentVersion;
use super::settings::LivenessThresholds;
use super::time::Timestamp;

/// Returns how long a difference may last before it has a consequence: half of the silence that
/// makes an instance late, which is two heartbeats at the recommended interval.
pub fn grace(thresholds: &LivenessThresholds) -> Duration {
    thresholds.warning / 2
}

/// What a heartbeat says of its worker's streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// The version it has, if it names one.
    pub version: Option<AssignmentVersion>,
    /// The digest of the streams it runs.
    pub digest: StreamsDigest,
    /// The number of the streams it runs.
    pub count: u64,
}

impl Report {
    /// None if the heartbeat says nothing of its worker's streams.
    pub fn of(heartbeat: &Heartbeat) -> Option<Self> {
        let streams = heartbeat.streams.as_ref()?;
        Some(Self {
            version: heartbeat.version,
            digest: streams.digest,
            count: streams.count,
        })
    }

    /// Whether what it says can be held against it.
    pub fn is_judged(&self, standing: &Standing) -> bool {
        match self.version {
            Some(version) => version == standing.assignment_version,
            None => !standing.leased && standing.unconfirmed == 0,
        }
    }

    /// Returns how many streams are missing or too many, at least.
    fn distance(&self, standing: &Standing) -> u64 {
        self.count.abs_diff(standing.to_run as u64)
    }
}

/// The consequence of a heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Measure {
    None,
    /// The heartbeat is answered with the streams to start and to stop.
    Resync,
    /// The same, and the difference is settled: the caller reports the outcome to the machine.
    Settle(Settling),
}

/// The facts with which a difference is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settling {
    /// Whether the difference was not reported since the worker fell out of step.
    pub is_new: bool,
    /// The version whose streams were sent to the worker again; `None` for a worker to which
    /// nothing can be sent.
    pub told: Option<AssignmentVersion>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    InStep,
    Differing {
        since: Timestamp,
        closest: u64,
    },
    Told {
        since: Timestamp,
        closest: u64,
        version: Option<AssignmentVersion>,
    },
    Settled {
        since: Timestamp,
        version: Option<AssignmentVersion>,
        in_step_since: Option<Timestamp>,
    },
}

/// Watches one instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReconciliationMachine {
    grace: Duration,
    phase: Phase,
}

impl ReconciliationMachine {
    /// Creates a machine that knows of no difference.
    pub fn new(grace: Duration) -> Self {
        Self {
            grace,
            phase: Phase::InStep,
        }
    }

    /// Returns whether it knows of no difference.
    pub fn is_in_step(&self) -> bool {
        self.phase == Phase::InStep
    }

    /// Starts anew: another incarnation of the instance began, or it does not serve any more.
    pub fn forget(&mut self) {
        self.phase = Phase::InStep;
    }

    /// Judges the report of a heartbeat.
    pub fn heard(&mut self, report: &Report, standing: &Standing, now: Timestamp) -> Measure {
        if !report.is_judged(standing) {
            return Measure::None;
        }
        if report.digest == standing.digest {
            self.is_as_it_should_be(now);
            return Measure::None;
        }
        self.differs(report, report.distance(standing), now)
    }

    fn is_as_it_should_be(&mut self, now: Timestamp) {
        self.phase = match self.phase {
            Phase::InStep | Phase::Differing { .. } | Phase::Told { .. } => Phase::InStep,
            Phase::Settled {
                since,
                version,
                in_step_since,
            } => {
                let began = in_step_since.unwrap_or(now);
                if now >= began + self.grace {
                    Phase::InStep
                } else {
                    Phase::Settled {
                        since,
                        version,
                        in_step_since: Some(began),
                    }
                }
            }
        };
    }

    fn differs(&mut self, report: &Report, distance: u64, now: Timestamp) -> Measure {
        let version = report.version;
        match &mut self.phase {
            Phase::InStep => {
                self.phase = Phase::Differing {
                    since: now,
                    closest: distance,
                };
                Measure::None
            }
            Phase::Differing { since, closest } => {
                if distance < *closest {
                    (*since, *closest) = (now, distance);
                }
                if now < *since + self.grace {
                    return Measure::None;
                }
                self.phase = Phase::Told {
                    since: now,
                    closest: *closest,
                    version,
                };
                Measure::Resync
            }
            Phase::Told {
                since,
                closest,
                version,
            } => {
                if distance < *closest {
                    (*since, *closest) = (now, distance);
                }
                if now < *since + self.grace {
                    return Measure::Resync;
                }
                Measure::Settle(Settling {
                    is_new: true,
                    told: *version,
                })
            }
            Phase::Settled {
                since,
                version,
                in_step_since,
            } => {
                *in_step_since = None;
                if now < *since + self.grace {
                    return Measure::None;
                }
                Measure::Settle(Settling {
                    is_new: false,
                    told: *version,
                })
            }
        }
    }

    /// Notes that a difference is settled and saved. `version` is the one the worker had then;
    /// `differed` says whether a difference was left that was not on its way.
    pub fn settled(&mut self, version: Option<AssignmentVersion>, differed: bool, now: Timestamp) {
        self.phase = match self.phase {
            Phase::InStep => Phase::InStep,
            Phase::Differing { closest, .. } | Phase::Told { closest, .. } if !differed => {
                Phase::Differing {
                    since: now,
                    closest,
                }
            }
            Phase::Settled { in_step_since, .. } => Phase::Settled {
                since: now,
                version,
                in_step_since,
            },
            Phase::Differing { .. } | Phase::Told { .. } => Phase::Settled {
                since: now,
                version,
                in_step_since: None,
            },
        };
    }
}

#[cfg(test)]
mod tests;
