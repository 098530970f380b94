//! Does a worker run what it is to run? What it says is compared with what is saved.
//!
//! ```text
//!            differs            a grace later           another grace later
//!   in step ────────▶ differing ─────────────▶ told again ──────────────▶ settled
//!      ▲                  │                        │                        │ each grace:
//!      └──────────────────┴── says what it should ─┴──── for a grace ───────┘ settled again
//! ```
//!
//! *Told again*: its heartbeats are answered with what to start and what to stop, although it has
//! the newest version. *Settled*: what it still does not run moves to somebody else, and what it
//! runs and should not is reported; once for each time it falls out of step, however long it
//! lasts. A worker that comes closer while it starts one stream after the other is given a new
//! grace each time: nobody who works is disturbed.
//!
//! Not every heartbeat is judged ([`is_judged`](Report::is_judged)): changes on their way are no
//! difference. A worker that keeps its version has heard all; one that has another is told what
//! changed anyway. Who beats by leases and names no version is about to stop something. A classic
//! worker is judged once it was told of all its streams; it cannot be told again, and its streams
//! are not moved, because it might have begun to run them meanwhile without hearing of that.
//!
//! What can go wrong: an answer is lost (it is repeated until all is settled); the store is out
//! (settling is tried again with each heartbeat); the orchestrator ends (the next one sees the same
//! and begins anew).

use std::time::Duration;

use super::digest::StreamsDigest;
use super::fleet::Standing;
use super::heartbeat::Heartbeat;
use super::ids::AssignmentVersion;
use super::settings::LivenessThresholds;
use super::time::Timestamp;

/// How long a difference may last before something is done about it: half of the silence that
/// makes an instance late, which is two heartbeats of a worker that beats as it is told to.
pub fn grace(thresholds: &LivenessThresholds) -> Duration {
    thresholds.warning / 2
}

/// What a heartbeat says of its worker's streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// The version it has, if it says so.
    pub version: Option<AssignmentVersion>,
    /// Of what it runs.
    pub digest: StreamsDigest,
    /// How many streams that are.
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

    /// How many streams are missing or too many at the least.
    fn distance(&self, standing: &Standing) -> u64 {
        self.count.abs_diff(standing.to_run as u64)
    }
}

/// What is to be done about a heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Nothing.
    None,
    /// It is answered with what to start and what to stop.
    TellAgain,
    /// The same, and the difference is settled: the machine wants to hear what came of it.
    Settle(Settling),
}

/// What a difference is settled by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settling {
    /// Whether it was not reported since the worker fell out of step.
    pub is_new: bool,
    /// The version whose streams the worker was told again; none for one that cannot be told.
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
    /// Knows of no difference.
    pub fn new(grace: Duration) -> Self {
        Self {
            grace,
            phase: Phase::InStep,
        }
    }

    /// Whether it knows of no difference.
    pub fn is_in_step(&self) -> bool {
        self.phase == Phase::InStep
    }

    /// Another life of the instance began, or it serves no more.
    pub fn forget(&mut self) {
        self.phase = Phase::InStep;
    }

    /// A heartbeat says what runs.
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
                Measure::TellAgain
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
                    return Measure::TellAgain;
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

    /// What it wanted settled is saved. `version` is the one the worker had then, `differed` whether
    /// there was anything left that was not on its way.
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
