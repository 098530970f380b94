//! What is saved about a drain, for those that change it.

use super::command::known;
use crate::fleet::Draft;
use crate::ids::{InstanceId, StreamId};
use crate::planned::Drain;

/// Saves a drain with its instance.
pub(super) fn save(draft: &mut Draft<'_>, id: &InstanceId, drain: Drain) {
    if let Ok(mut instance) = known(draft, id) {
        instance.plan(|planned| planned.drain = Some(drain));
        draft.put_instance(instance);
    }
}

/// Notes that a person moves a stream off an instance: if it drains, the new owner has to confirm this
/// stream too. A stream of a classic worker has moved by now, so the next step would not see it.
pub(super) fn follow_order(draft: &mut Draft<'_>, id: &InstanceId, stream: StreamId) {
    let drain = known(draft, id)
        .ok()
        .and_then(|instance| instance.drain().cloned());
    let Some(mut drain) = drain.filter(Drain::is_under_way) else {
        return;
    };
    if !drain.moving.contains(&stream) && drain.followed.insert(stream) {
        save(draft, id, drain);
    }
}
