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
//! A timeout, a report, an operator's order, a restart and the sweep all take this way. Each type
//! can be constructed only from the previous one:
//!
//! ```compile_fail,E0308
//! use orchestrator_domain::commands::OpenIncident;
//! use orchestrator_domain::recovery::{Detected, Failure, Manner, Progress};
//!
//! fn hasty(failure: Failure) -> OpenIncident {
//!     // Neither refreshed nor reconfirmed.
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
//!     // The worker may still run the streams: its lease was not judged.
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

/// Why there is nothing to recover after all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Averted {
    /// The instance is not registered any more.
    Gone,
    /// The instance registered again: the incarnation that failed is over.
    AnotherLife,
    /// The instance sent a heartbeat meanwhile.
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
#[expect(missing_docs, reason = "the names say it")]
pub enum Manner {
    /// The instance has failed.
    Ordinary,
    /// The instance has failed, and the recovery is urgent.
    Emergency,
    /// An operator takes the instance out of use, whether it sends heartbeats or not.
    TakenOut { reason: OrderReason },
}

impl Manner {
    /// Returns the state in which the instance is left.
    pub const fn end_status(&self) -> InstanceStatus {
        match self {
            Self::Ordinary | Self::Emergency => InstanceStatus::Failed,
            Self::TakenOut { .. } => InstanceStatus::Maintenance,
        }
    }

    /// Returns whether the incident has the four steps of an emergency.
    pub const fn is_emergency(&self) -> bool {
        match self {
            Self::Ordinary => false,
            Self::Emergency | Self::TakenOut { .. } => true,
        }
    }

    /// Returns why the operator ordered it.
    pub fn reason(&self) -> Option<&OrderReason> {
        match self {
            Self::Ordinary | Self::Emergency => None,
            Self::TakenOut { reason } => Some(reason),
        }
    }
}

/// A failure that was noticed or reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detected {
    failure: Failure,
}

impl Detected {
    /// Begins a recovery.
    pub fn new(failure: Failure) -> Self {
        Self { failure }
    }

    /// Compares the failure with the instance as it is now; `None`: it is not registered.
    ///
    /// # Errors
    /// Returns an error if the incarnation that failed is over.
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

/// A failure whose incarnation is still the current one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refreshed {
    failure: Failure,
}

impl Refreshed {
    /// Returns the failure that is being recovered.
    pub fn failure(&self) -> &Failure {
        &self.failure
    }

    /// Takes the answer of the fence; `None`: the instance has a newer incarnation.
    ///
    /// # Errors
    /// Returns an error if the instance is not fenced.
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
    /// Returns the failure that is being recovered.
    pub fn failure(&self) -> &Failure {
        &self.failure
    }

    /// Takes up an incident that is open in the store for exactly this incarnation.
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

/// A confirmed failure whose incident is saved, so that a later start can resume it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    confirmed: Confirmed,
    incident: Incident,
}

impl Opened {
    /// Returns the failure that is being recovered.
    pub fn failure(&self) -> &Failure {
        &self.confirmed.failure
    }

    /// Returns the saved incident.
    pub fn incident(&self) -> &Incident {
        &self.incident
    }

    /// Returns the saved incident alone.
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
    /// How long the decision took, as the caller measured it.
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

    /// Reads from an incident in the store whether its moves are saved.
    pub fn recorded(incident: Incident) -> Option<Self> {
        let is_saved = incident.steps.iter().any(|step| {
            matches!(step.name, StepName::Apply | StepName::Redistribute)
                && step.result == StepResult::Done
        });
        // The epochs of streams the instance owned when the incident was opened are below the
        // incident's number.
        let upto = Epoch::new(incident.id.get());
        is_saved.then(|| Self::new(incident, Evacuation::default(), upto))
    }

    /// Accepts a recovery that was carried out otherwise: the instance has failed and owns nothing.
    pub fn found_done(incident: Incident, now: &Standing) -> Option<Self> {
        let is_done = now.incarnation == incident.incarnation
            && now.status == InstanceStatus::Failed
            && now.held == 0;
        let upto = Epoch::new(incident.id.get());
        is_done.then(|| Self::new(incident, Evacuation::default(), upto))
    }

    /// Returns the saved incident.
    pub fn incident(&self) -> &Incident {
        &self.incident
    }

    /// Returns the saved incident, to be completed with measured durations.
    pub fn incident_mut(&mut self) -> &mut Incident {
        &mut self.incident
    }

    /// Returns where the streams went.
    pub fn evacuation(&self) -> &Evacuation {
        &self.evacuation
    }

    /// Returns the instance that was recovered.
    pub fn instance(&self) -> &InstanceId {
        &self.incident.instance
    }

    /// Compares the saved fleet with the plan. The instance may have come back since, and own
    /// streams again; but none that it owned before.
    ///
    /// # Errors
    /// Returns everything that is not as planned.
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

/// A recovery that did everything it planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    incident: Incident,
}

impl Verified {
    /// Returns how it ended.
    pub fn outcome(&self) -> IncidentOutcome {
        if self.incident.streams_orphaned == 0 {
            IncidentOutcome::Recovered
        } else {
            IncidentOutcome::RecoveredPartially
        }
    }

    /// Returns the saved incident, to be completed with the steps that followed.
    pub fn incident_mut(&mut self) -> &mut Incident {
        &mut self.incident
    }

    /// Returns the saved incident.
    pub fn into_incident(self) -> Incident {
        self.incident
    }
}

/// A recovery that was saved and did not do everything it planned.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Unverified {
    pub incident: Incident,
    /// Everything that is not as planned.
    pub found: Vec<String>,
}
