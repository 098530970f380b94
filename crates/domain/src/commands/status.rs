//! What is heard, or not heard, of an instance changes its state.

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
    /// The state was already beyond it.
    NotNeeded,
}

/// Commands that take an instance one step from one state to the next.
macro_rules! steps {
    ($($(#[$text:meta])* $name:ident: $from:ident => $to:ident, $event:ident;)+) => {
        $(
            $(#[$text])*
            #[derive(Debug, Clone, PartialEq, Eq)]
            pub struct $name {
                /// Which one.
                pub id: InstanceId,
                /// In which life.
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
    /// A late instance has beaten again.
    ClearSuspicion: Suspect => Active, InstanceOnTime;
    /// A failed instance beats again: its probation begins. Its old streams stay where they are.
    ReturnInstance: Failed => Recovering, InstanceReturned;
    /// An instance on probation has beaten steadily for long enough.
    TrustInstance: Recovering => Active, InstanceTrusted;
}

/// A trusted instance has beaten steadily for so long that it has one flap less.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForgiveInstance {
    /// Which one.
    pub id: InstanceId,
    /// In which life.
    pub incarnation: Incarnation,
    /// How many flaps it had meanwhile: a repetition forgives nothing.
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
