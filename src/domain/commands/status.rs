//! What is heard, or not heard, of an instance changes its state.

use super::{Command, Rejection, current_life};
use crate::domain::events::Event;
use crate::domain::fleet::{Draft, place_waiting};
use crate::domain::ids::{Incarnation, InstanceId};
use crate::domain::instance::InstanceStatus;

/// Whether a command found something to change. Repeating it is harmless.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusChange {
    /// The state was changed.
    Made,
    /// The state was already beyond it.
    NotNeeded,
}

/// An active instance is late with its heartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuspectInstance {
    /// Which one.
    pub id: InstanceId,
    /// In which life.
    pub incarnation: Incarnation,
}

/// A late instance has beaten again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClearSuspicion {
    /// Which one.
    pub id: InstanceId,
    /// In which life.
    pub incarnation: Incarnation,
}

/// A failed instance beats again: its probation begins. Its old streams stay where they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnInstance {
    /// Which one.
    pub id: InstanceId,
    /// In which life.
    pub incarnation: Incarnation,
}

/// An instance on probation has beaten steadily for long enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustInstance {
    /// Which one.
    pub id: InstanceId,
    /// In which life.
    pub incarnation: Incarnation,
}

impl Command for SuspectInstance {
    type Reply = StatusChange;

    fn decide(&self, draft: &mut Draft<'_>) -> Result<StatusChange, Rejection> {
        let step = (InstanceStatus::Active, InstanceStatus::Suspect);
        let (instance, incarnation) = (self.id.clone(), self.incarnation);
        change(
            draft,
            &self.id,
            incarnation,
            step,
            Event::InstanceSuspected {
                instance,
                incarnation,
            },
        )
    }
}

impl Command for ClearSuspicion {
    type Reply = StatusChange;

    fn decide(&self, draft: &mut Draft<'_>) -> Result<StatusChange, Rejection> {
        let step = (InstanceStatus::Suspect, InstanceStatus::Active);
        let (instance, incarnation) = (self.id.clone(), self.incarnation);
        change(
            draft,
            &self.id,
            incarnation,
            step,
            Event::InstanceOnTime {
                instance,
                incarnation,
            },
        )
    }
}

impl Command for ReturnInstance {
    type Reply = StatusChange;

    fn decide(&self, draft: &mut Draft<'_>) -> Result<StatusChange, Rejection> {
        let step = (InstanceStatus::Failed, InstanceStatus::Recovering);
        let (instance, incarnation) = (self.id.clone(), self.incarnation);
        change(
            draft,
            &self.id,
            incarnation,
            step,
            Event::InstanceReturned {
                instance,
                incarnation,
            },
        )
    }
}

impl Command for TrustInstance {
    type Reply = StatusChange;

    fn decide(&self, draft: &mut Draft<'_>) -> Result<StatusChange, Rejection> {
        let step = (InstanceStatus::Recovering, InstanceStatus::Active);
        let (instance, incarnation) = (self.id.clone(), self.incarnation);
        change(
            draft,
            &self.id,
            incarnation,
            step,
            Event::InstanceTrusted {
                instance,
                incarnation,
            },
        )
    }
}

/// Takes one step if the instance stands at its beginning.
fn change(
    draft: &mut Draft<'_>,
    id: &InstanceId,
    incarnation: Incarnation,
    (from, to): (InstanceStatus, InstanceStatus),
    event: Event,
) -> Result<StatusChange, Rejection> {
    let instance = current_life(draft, id, incarnation)?;
    if instance.status != from || !draft.set_status(id, to) {
        return Ok(StatusChange::NotNeeded);
    }
    draft.tell(event);
    Ok(StatusChange::Made)
}

/// Pushes what waits to whoever has room. Every command that changes anything does this anyway;
/// the sweep asks for it in case something was missed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceWaiting;

impl Command for PlaceWaiting {
    type Reply = ();

    fn decide(&self, draft: &mut Draft<'_>) -> Result<(), Rejection> {
        place_waiting(draft);
        Ok(())
    }
}
