//! The steps of a recovery, as types.
//!
//! ```text
//!   Detected ─refresh─▶ Refreshed ─reconfirm─▶ Confirmed ─OpenIncident─▶ Opened + LeaseOver
//!      │ gone, or another life    │ it beats                                │
//!      └────────────▶ Averted ◀───┘                          RecoverInstance│ plans, then applies
//!                                                                           ▼
//!                               EndIncident ◀── Verified ◀─────verify── Applied
//! ```
//!
//! A timeout, a report, an operator's order, a restart and the sweep all take this way. None of
//! these can be made from outside but by the step before:
//!
//! ```compile_fail,E0308
//! use orchestrator_domain::commands::OpenIncident;
//! use orchestrator_domain::recovery::{Detected, Failure, Manner, Progress};
//!
//! fn hasty(failure: Failure) -> OpenIncident {
//!     // Neither looked up anew nor reconfirmed.
//!     OpenIncident::new(Detected::new(failure), Manner::Ordinary, Progress::default())
//! }
//! ```
//!
//! ```compile_fail,E0451
//! use orchestrator_domain::recovery::{Confirmed, Failure};
//!
//! fn forged(failure: Failure) -> Confirmed {
//!     Confirmed { failure }
//! }
//! ```
//!
//! ```compile_fail,E0061
//! use orchestrator_domain::commands::RecoverInstance;
//! use orchestrator_domain::fleet::Scoring;
//! use orchestrator_domain::recovery::{Manner, Opened, Progress};
//!
//! fn greedy(opened: Opened) -> RecoverInstance {
//!     // Its worker may still run the streams: nobody asked for its lease.
//!     RecoverInstance::new(opened, Manner::Ordinary, Progress::default(), Scoring::default())
//! }
//! ```
//!
//! ```compile_fail,E0308
//! use orchestrator_domain::commands::EndIncident;
//! use orchestrator_domain::recovery::Applied;
//!
//! fn unverified(applied: Applied) -> EndIncident {
//!     EndIncident::recovered(applied)
//! }
//! ```
//!
//! In order it compiles:
//!
//! ```
//! use orchestrator_domain::commands::OpenIncident;
//! use orchestrator_domain::liveness::FenceAnswer;
//! use orchestrator_domain::fleet::Standing;
//! use orchestrator_domain::recovery::{
//!     Averted, Detected, Failure, Manner, Progress,
//! };
//!
//! fn orderly(failure: Failure, seen: Standing, fence: FenceAnswer) -> Result<OpenIncident, Averted> {
//!     let refreshed = Detected::new(failure).refresh(Some(&seen))?;
//!     let confirmed = refreshed.reconfirm(Some(fence))?;
//!     Ok(OpenIncident::new(confirmed, Manner::Ordinary, Progress::default()))
//! }
//! ```

use std::fmt;
use std::time::Duration;

use super::machine::Failure;
use crate::fleet::Standing;
use crate::fleet::{Evacuation, Fleet};
use crate::ids::{Epoch, InstanceId};
use crate::incident::{
    Incident, IncidentOutcome, IncidentState, OrderReason, StepName, StepResult,
};
use crate::instance::InstanceStatus;
use crate::liveness::FenceAnswer;

/// Why there was nothing to recover after all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Averted {
    /// The instance is not registered any more.
    Gone,
    /// It registered again: the life that failed is over.
    AnotherLife,
    /// It beat in the meantime.
    Beats,
}

impl fmt::Display for Averted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gone => "it is not registered any more",
            Self::AnotherLife => "it has registered again",
            Self::Beats => "it beat in the meantime",
        })
    }
}

/// How a recovery treats the instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Manner {
    /// It has failed.
    Ordinary,
    /// It has failed, and it is urgent.
    Emergency,
    /// An operator takes it out of use, whether it beats or not.
    TakenOut {
        /// Why.
        reason: OrderReason,
    },
}

impl Manner {
    /// The state the instance is left in.
    pub const fn end_status(&self) -> InstanceStatus {
        match self {
            Self::Ordinary | Self::Emergency => InstanceStatus::Failed,
            Self::TakenOut { .. } => InstanceStatus::Maintenance,
        }
    }

    /// Whether it goes by the four steps of an emergency.
    pub const fn is_emergency(&self) -> bool {
        match self {
            Self::Ordinary => false,
            Self::Emergency | Self::TakenOut { .. } => true,
        }
    }

    /// Why the operator ordered it.
    pub fn reason(&self) -> Option<&OrderReason> {
        match self {
            Self::Ordinary | Self::Emergency => None,
            Self::TakenOut { reason } => Some(reason),
        }
    }
}

/// A failure that was noticed, or told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detected {
    failure: Failure,
}

impl Detected {
    /// The beginning of every recovery.
    pub fn new(failure: Failure) -> Self {
        Self { failure }
    }

    /// Looks at what is known of the instance now; none: it is not registered.
    ///
    /// # Errors
    /// If the life that failed is over.
    pub fn refresh(self, now: Option<&Standing>) -> Result<Refreshed, Averted> {
        match now {
            None => Err(Averted::Gone),
            Some(standing) if standing.incarnation != self.failure.incarnation => {
                Err(Averted::AnotherLife)
            }
            Some(_) => Ok(Refreshed {
                failure: self.failure,
            }),
        }
    }
}

/// A failure of an instance that still leads the life that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refreshed {
    failure: Failure,
}

impl Refreshed {
    /// What failed.
    pub fn failure(&self) -> &Failure {
        &self.failure
    }

    /// Hears what came of fencing the instance; none: it leads another life.
    ///
    /// # Errors
    /// If it is not fenced.
    pub fn reconfirm(self, answer: Option<FenceAnswer>) -> Result<Confirmed, Averted> {
        match answer {
            Some(FenceAnswer::Fenced) => Ok(Confirmed {
                failure: self.failure,
            }),
            Some(FenceAnswer::Alive) => Err(Averted::Beats),
            None => Err(Averted::AnotherLife),
        }
    }
}

/// A failure of an instance that is fenced: from now on nothing is granted to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmed {
    failure: Failure,
}

impl Confirmed {
    /// What failed.
    pub fn failure(&self) -> &Failure {
        &self.failure
    }

    /// Takes up an incident that the store has open for exactly this life.
    pub fn resume(&self, incident: Incident) -> Option<Opened> {
        let is_its = incident.instance == self.failure.id
            && incident.incarnation == self.failure.incarnation
            && incident.state() == IncidentState::Open;
        is_its.then(|| self.clone().opened(incident))
    }

    pub(crate) fn opened(self, incident: Incident) -> Opened {
        Opened {
            confirmed: self,
            incident,
        }
    }
}

/// A confirmed failure whose incident the store has: whatever happens now, it can be resumed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    confirmed: Confirmed,
    incident: Incident,
}

impl Opened {
    /// What failed.
    pub fn failure(&self) -> &Failure {
        &self.confirmed.failure
    }

    /// What is saved about it.
    pub fn incident(&self) -> &Incident {
        &self.incident
    }

    /// Only what is saved about it.
    pub fn into_incident(self) -> Incident {
        self.incident
    }

    pub(crate) fn with(self, incident: Incident) -> Self {
        Self { incident, ..self }
    }
}

/// A recovery whose moves and status are saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    incident: Incident,
    evacuation: Evacuation,
    upto: Epoch,
    /// How long it took to decide, as whoever had it decided measured.
    pub planned_in: Duration,
}

impl Applied {
    pub(crate) fn new(incident: Incident, evacuation: Evacuation, upto: Epoch) -> Self {
        Self {
            incident,
            evacuation,
            upto,
            planned_in: Duration::ZERO,
        }
    }

    /// What an incident in the store tells: that its moves are saved, if they are.
    pub fn recorded(incident: Incident) -> Option<Self> {
        let is_saved = incident.steps.iter().any(|step| {
            matches!(step.name, StepName::Apply | StepName::Redistribute)
                && step.result == StepResult::Done
        });
        // What it owned when the incident was opened has a smaller number than the incident.
        let upto = Epoch::new(incident.id.get());
        is_saved.then(|| Self::new(incident, Evacuation::default(), upto))
    }

    /// A recovery that somebody else carried out: the instance has failed and owns nothing.
    pub fn found_done(incident: Incident, now: &Standing) -> Option<Self> {
        let is_done = now.incarnation == incident.incarnation
            && now.status == InstanceStatus::Failed
            && now.held == 0;
        let upto = Epoch::new(incident.id.get());
        is_done.then(|| Self::new(incident, Evacuation::default(), upto))
    }

    /// What is saved about it.
    pub fn incident(&self) -> &Incident {
        &self.incident
    }

    /// What is saved about it, to be completed with measured durations.
    pub fn incident_mut(&mut self) -> &mut Incident {
        &mut self.incident
    }

    /// What became of the streams.
    pub fn evacuation(&self) -> &Evacuation {
        &self.evacuation
    }

    /// Whose recovery it is.
    pub fn instance(&self) -> &InstanceId {
        &self.incident.instance
    }

    /// Compares what is saved with what was to be done. The instance may have come back since, and
    /// own streams again; but none that it owned before.
    ///
    /// # Errors
    /// With everything that is not as it should be.
    pub fn verify(self, fleet: &Fleet) -> Result<Verified, Box<Unverified>> {
        let mut found = Vec::new();
        let id = &self.incident.instance;
        let held = fleet.instance(id).map(|slot| slot.held());
        for stream in held.into_iter().flatten() {
            let assignment = fleet
                .stream(*stream)
                .and_then(|slot| slot.place().assignment());
            if assignment.is_none_or(|assignment| assignment.epoch <= self.upto) {
                found.push(format!("`{id}` still owns stream {stream}"));
            }
        }
        for (stream, target) in &self.evacuation.moved {
            let owner = fleet
                .stream(*stream)
                .and_then(|slot| slot.place().assignment());
            if owner.is_some_and(|owner| owner.epoch <= self.upto && owner.instance != *target) {
                found.push(format!("stream {stream} did not go to `{target}`"));
            }
        }
        if found.is_empty() {
            Ok(Verified {
                incident: self.incident,
            })
        } else {
            Err(Box::new(Unverified {
                incident: self.incident,
                found,
            }))
        }
    }
}

/// A recovery that did what it was to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    incident: Incident,
}

impl Verified {
    /// How it ended.
    pub fn outcome(&self) -> IncidentOutcome {
        if self.incident.streams_orphaned == 0 {
            IncidentOutcome::Recovered
        } else {
            IncidentOutcome::RecoveredPartially
        }
    }

    /// What is saved about it, to be completed with the steps that followed.
    pub fn incident_mut(&mut self) -> &mut Incident {
        &mut self.incident
    }

    /// What is saved about it.
    pub fn into_incident(self) -> Incident {
        self.incident
    }
}

/// A recovery that was saved and did not do what it was to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unverified {
    /// What is saved about it.
    pub incident: Incident,
    /// What is not as it should be.
    pub found: Vec<String>,
}
