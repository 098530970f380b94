//! Which streams of a failed instance are suspected, and how a quarantined one is tried
//! (`quarantine/mod.rs`).

use std::collections::BTreeMap;
use std::time::Duration;

use super::draft::Draft;
use super::model::Fleet;
use crate::ids::{InstanceId, StreamId};
use crate::quarantine::{Conduct, Culpable, Evidence, OwnerFailure, QuarantineEnd, Suspicion};
use crate::reason::OrphanReason;
use crate::stream::Stream;
use crate::time::WallTime;

/// Counts the failure of an instance against the chosen streams that it owns. A stream that is
/// quarantined for it is an orphan afterwards. Returns those, in the order of their ids.
///
/// If a stream on trial is among the streams of the instance, the failure counts against that one
/// only: it explains the failure.
pub fn blame_owned(
    draft: &mut Draft<'_>,
    id: &InstanceId,
    culpable: Culpable,
    is_chosen: impl Fn(&Fleet, StreamId) -> bool,
) -> Vec<StreamId> {
    let accused = accused(draft.fleet(), id);
    let conduct = Conduct::Failed(culpable);
    let mut quarantined = Vec::new();
    for stream in accused {
        if !is_chosen(draft.fleet(), stream) {
            continue;
        }
        let slot = draft.fleet().stream(stream);
        let assignment = slot.and_then(|slot| slot.place().assignment());
        let owned = assignment.map(|assignment| culpable.at.since(assignment.assigned_at));
        if owned.is_some_and(|owned| charge(draft, stream, id, owned, &conduct)) {
            quarantined.push(stream);
        }
    }
    for stream in &quarantined {
        draft.orphan(*stream, id, OrphanReason::InstanceFailed);
    }
    tell(draft, &quarantined);
    quarantined
}

/// Records that streams are quarantined, each with the number of those that share its failures.
fn tell(draft: &mut Draft<'_>, quarantined: &[StreamId]) {
    let row = |draft: &Draft<'_>, stream: StreamId| -> Vec<(WallTime, InstanceId)> {
        let slot = draft.fleet().stream(stream);
        let suspicion = slot.and_then(|slot| slot.stream().suspicion.as_deref());
        let failures = suspicion
            .into_iter()
            .flat_map(|suspicion| &suspicion.failures);
        failures
            .map(|failure| (failure.at, failure.server_id.clone()))
            .collect()
    };
    let mut suspects: BTreeMap<Vec<(WallTime, InstanceId)>, u32> = BTreeMap::new();
    for stream in quarantined {
        *suspects.entry(row(draft, *stream)).or_default() += 1;
    }
    for stream in quarantined {
        let suspects = suspects.get(&row(draft, *stream)).copied();
        draft.tell_quarantined(*stream, suspects.unwrap_or(1));
    }
}

/// Returns the streams that may have caused the failure of their owner.
fn accused(fleet: &Fleet, id: &InstanceId) -> Vec<StreamId> {
    let Some(slot) = fleet.instance(id) else {
        return Vec::new();
    };
    let is_running = |stream: &StreamId| {
        let slot = fleet.stream(*stream);
        slot.is_some_and(|slot| slot.stream().enabled && !slot.stream().deleted)
    };
    let on_trial: Vec<StreamId> = (fleet.on_trial())
        .filter(|stream| slot.held().contains(stream))
        .collect();
    if on_trial.is_empty() {
        slot.held().iter().copied().filter(is_running).collect()
    } else {
        on_trial
    }
}

/// Counts the conduct of an owner against a stream that it had for so long, if it is evidence. Returns
/// whether the stream is quarantined.
fn charge(
    draft: &mut Draft<'_>,
    stream: StreamId,
    owner: &InstanceId,
    owned: Duration,
    conduct: &Conduct,
) -> bool {
    let slot = draft.fleet().stream(stream);
    let Some(before) = slot.map(|slot| slot.stream().clone()) else {
        return false;
    };
    match draft.policies().quarantine.weigh(conduct, owned) {
        Evidence::Against => {}
        Evidence::RanSteadily => {
            draft.forget_suspicion(stream, QuarantineEnd::RanSteadily, None);
            return false;
        }
        Evidence::Nothing => return false,
    }
    let at = match conduct {
        Conduct::Failed(Culpable { at }) => *at,
        Conduct::GaveBack(_) | Conduct::NotRun => draft.now(),
    };
    let failure = OwnerFailure {
        server_id: owner.clone(),
        at,
        what: conduct.fault(),
        owned_ms: milliseconds(owned),
        reason: conduct.reason().cloned(),
    };
    let is_quarantined = draft.blame(stream, failure);
    if before.is_quarantined() {
        clear_fellows(draft, &before);
    }
    is_quarantined
}

/// Lets the fellow suspects of a stream go that failed its trial. `convicted` is that stream as it
/// was before.
fn clear_fellows(draft: &mut Draft<'_>, convicted: &Stream) {
    let Some(suspicion) = convicted.suspicion.as_deref() else {
        return;
    };
    let fleet = draft.fleet();
    let waiting: Vec<StreamId> = fleet.quarantined().collect();
    let is_fellow =
        |stream: &StreamId| *stream != convicted.id && speaks(fleet, *stream, suspicion);
    let fellows: Vec<StreamId> = waiting.into_iter().filter(is_fellow).collect();
    for stream in fellows {
        draft.clear_fellow(stream);
    }
}

/// Counts against a stream that its owner gave it back, or did not run it, if that is evidence.
/// Returns whether the stream is quarantined.
pub fn blame_return(
    draft: &mut Draft<'_>,
    stream: StreamId,
    owner: &InstanceId,
    owned: Duration,
    conduct: &Conduct,
) -> bool {
    let is_quarantined = charge(draft, stream, owner, owned, conduct);
    if is_quarantined {
        tell(draft, &[stream]);
    }
    is_quarantined
}

/// Returns whether the same failures speak against a stream.
fn speaks(fleet: &Fleet, stream: StreamId, suspicion: &Suspicion) -> bool {
    let slot = fleet.stream(stream);
    let other = slot.and_then(|slot| slot.stream().suspicion.as_deref());
    other.is_some_and(|other| other.is_fellow_of(suspicion))
}

/// Gives a quarantined stream to the lightest instance with room; one that failed with the stream
/// before is chosen last. Returns whether there is one.
pub fn try_quarantined(draft: &mut Draft<'_>, stream: StreamId) -> bool {
    let fleet = draft.fleet();
    let Some(slot) = fleet.stream(stream) else {
        return false;
    };
    let owners = slot.stream().suspicion.as_deref().map(Suspicion::owners);
    let avoided = owners.unwrap_or_default();
    let Some(target) = fleet.target_for_trial(stream, &avoided).cloned() else {
        return false;
    };
    draft.begin_trial(stream, &target);
    true
}

/// Returns a duration in milliseconds.
fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
