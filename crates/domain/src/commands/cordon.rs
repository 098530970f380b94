//! Keeps an instance from getting streams, and lets it get streams again.

use super::command::{Command, Rejection, known};
use super::drain::{cancel, is_held_by_drain};
use crate::events::Event;
use crate::fleet::Draft;
use crate::ids::InstanceId;
use crate::planned::{Cordon, Drain, DrainState, Requester};
use crate::time::WallTime;

/// Keeps an instance from getting streams that it does not own. Repeating it replaces the end and the
/// reason.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct CordonInstance {
    pub id: InstanceId,
    /// When the cordon ends by itself.
    pub until: Option<WallTime>,
    pub by: Requester,
    pub reason: Option<String>,
}

impl Command for CordonInstance {
    type Reply = ();

    fn decide(&self, draft: &mut Draft<'_>) -> Result<(), Rejection> {
        let mut instance = known(draft, &self.id)?;
        let since = match instance.cordon() {
            Some(cordon) if (cordon.until, &cordon.reason) == (self.until, &self.reason) => {
                return Ok(());
            }
            Some(cordon) => cordon.since,
            None => draft.now(),
        };
        let cordon = Cordon {
            since,
            until: self.until,
            by: self.by,
            reason: self.reason.clone(),
        };
        let incarnation = instance.incarnation;
        instance.plan(|planned| planned.cordon = Some(cordon));
        draft.put_instance(instance);
        draft.tell(Event::InstanceCordoned {
            instance: self.id.clone(),
            incarnation,
            by: self.by,
            until: self.until,
            reason: self.reason.clone(),
        });
        Ok(())
    }
}

/// Ends the cordon of an instance, and a drain that keeps it from getting streams. Without either it
/// changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct UncordonInstance {
    pub id: InstanceId,
    pub by: Requester,
    pub reason: Option<String>,
}

impl Command for UncordonInstance {
    type Reply = ();

    fn decide(&self, draft: &mut Draft<'_>) -> Result<(), Rejection> {
        let instance = known(draft, &self.id)?;
        if instance.cordon().is_some() {
            end_cordon(draft, &self.id, self.by, self.reason.clone());
        }
        if is_held_by_drain(&instance) {
            let is_kept_empty = instance.drain().is_some_and(Drain::is_kept_empty);
            let state = if is_kept_empty {
                DrainState::Drained
            } else {
                DrainState::Cancelled
            };
            cancel(draft, &self.id, state, self.by, self.reason.clone());
        }
        Ok(())
    }
}

/// Ends the cordon of an instance.
pub(super) fn end_cordon(
    draft: &mut Draft<'_>,
    id: &InstanceId,
    by: Requester,
    reason: Option<String>,
) {
    let Ok(mut instance) = known(draft, id) else {
        return;
    };
    let incarnation = instance.incarnation;
    instance.plan(|planned| planned.cordon = None);
    draft.put_instance(instance);
    draft.tell(Event::InstanceUncordoned {
        instance: id.clone(),
        incarnation,
        by,
        reason,
    });
}
