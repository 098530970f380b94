//! Changes the state of an instance when heartbeats arrive, or do not arrive.

use super::command::{Command, Rejection, current_life};
use crate::events::Event;
use crate::fleet::{Draft, place_waiting};
use crate::ids::{Incarnation, InstanceId};
use crate::instance::{Instance, InstanceStatus};

/// Whether a command found something to change. Repeating it is harmless.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusChange {
    /// The state was changed.
    Made,
    /// The state needed no change.
    NotNeeded,
}

/// Declares commands that take an instance one step from one state to the next.
macro_rules! steps {
    ($($(#[$text:meta])* $name:ident: $from:ident => $to:ident, $event:ident;)+) => {
        $(
            $(#[$text])*
            #[derive(Debug, Clone, PartialEq, Eq)]
            #[expect(missing_docs, reason = "the names say it")]
            pub struct $name {
                pub id: InstanceId,
                pub incarnation: Incarnation,
            }

            impl Command for $name {
                type Reply = StatusChange;

                fn decide(&self, draft: &mut Draft<'_>) -> Result<StatusChange, Rejection> {
                    let instance = current_life(draft, &self.id, self.incarnation)?;
                    if instance.status != InstanceStatus::$from
                        || !draft.set_status(&self.id, InstanceStatus::$to)
                    {
                        return Ok(StatusChange::NotNeeded);
                    }
                    draft.tell(Event::$event {
                        instance: self.id.clone(),
                        incarnation: self.incarnation,
                    });
                    Ok(StatusChange::Made)
                }
            }
        )+
    };
}

steps! {
    /// An active instance is late with its heartbeat.
    SuspectInstance: Active => Suspect, InstanceSuspected;
    /// A late instance has sent a heartbeat again.
    ClearSuspicion: Suspect => Active, InstanceOnTime;
    /// An instance on probation has sent steady heartbeats for long enough.
    TrustInstance: Recovering => Active, InstanceTrusted;
}

/// A failed instance sends heartbeats again: its probation begins. Its old streams stay where they
/// are. An instance whose drain is in force drains on, or is kept empty.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct ReturnInstance {
    pub id: InstanceId,
    pub incarnation: Incarnation,
}

impl Command for ReturnInstance {
    type Reply = StatusChange;

    fn decide(&self, draft: &mut Draft<'_>) -> Result<StatusChange, Rejection> {
        let instance = current_life(draft, &self.id, self.incarnation)?;
        if instance.status != InstanceStatus::Failed
            || !draft.set_status(&self.id, InstanceStatus::Recovering)
        {
            return Ok(StatusChange::NotNeeded);
        }
        if instance.drain_in_force().is_some() {
            draft.set_status(&self.id, InstanceStatus::Draining);
        }
        draft.tell(Event::InstanceReturned {
            instance: self.id.clone(),
            incarnation: self.incarnation,
        });
        Ok(StatusChange::Made)
    }
}

/// An instance has sent steady heartbeats for so long that one of its flaps is removed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct ForgiveInstance {
    pub id: InstanceId,
    pub incarnation: Incarnation,
    /// The number of flaps before: a repetition removes no further flap.
    pub flaps: u32,
}

impl Command for ForgiveInstance {
    type Reply = StatusChange;

    fn decide(&self, draft: &mut Draft<'_>) -> Result<StatusChange, Rejection> {
        let instance = current_life(draft, &self.id, self.incarnation)?;
        let is_trusted =
            instance.status.is_serving() && instance.status != InstanceStatus::Recovering;
        let left = match instance.flaps.checked_sub(1) {
            Some(left) if is_trusted && instance.flaps == self.flaps => left,
            Some(_) | None => return Ok(StatusChange::NotNeeded),
        };
        draft.put_instance(Instance {
            flaps: left,
            ..instance
        });
        draft.tell(Event::InstanceForgiven {
            instance: self.id.clone(),
            incarnation: self.incarnation,
            flaps: left,
        });
        Ok(StatusChange::Made)
    }
}

/// Assigns waiting streams to instances with room. Every command that changes anything does this
/// anyway; the sweep sends this command in case something was missed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceWaiting;

impl Command for PlaceWaiting {
    type Reply = ();

    fn decide(&self, draft: &mut Draft<'_>) -> Result<(), Rejection> {
        place_waiting(draft);
        Ok(())
    }
}
