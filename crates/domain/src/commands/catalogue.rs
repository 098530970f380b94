//! Creates, changes and deletes streams of the catalogue.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::command::{Command, Rejection};
use super::relocate::{is_with_leased, may_linger};
use crate::constraints::{Constraints, DEFAULT_WEIGHT};
use crate::events::Event;
use crate::fleet::{Draft, StreamSlot};
use crate::handover::{AbandonReason, AfterRelease, HandoverMode};
use crate::ids::{InstanceId, StreamId};
use crate::quarantine::QuarantineEnd;
use crate::returns::ReturnsEnd;
use crate::stream::{Assignment, Place, Stream};
use crate::stream_url::StreamUrl;

/// The wanted state of one stream. `None` keeps the saved value, or takes the default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct StreamSpec {
    /// The key. If it is missing, the name is the key.
    pub id: Option<StreamId>,
    /// The name; required for a new stream.
    pub name: Option<Arc<str>>,
    /// The URL; `Some(None)` removes it.
    pub url: Option<Option<StreamUrl>>,
    /// All labels; they replace the saved ones.
    pub labels: Option<BTreeMap<String, String>>,
    pub priority: Option<i32>,
    /// Whether the stream should run.
    pub enabled: Option<bool>,
    /// How a planned move hands the stream over.
    pub handoff: Option<HandoverMode>,
    /// What it costs its owner, 1 to 1,000.
    pub weight: Option<u32>,
    /// All labels that its owner must have; they replace the saved ones.
    pub requires: Option<BTreeMap<String, String>>,
    /// The group whose streams are kept apart; `Some(None)` takes it out of its group.
    pub group: Option<Option<Arc<str>>>,
    /// The instance it belongs on; `Some(None)`: any.
    pub pinned: Option<Option<InstanceId>>,
}

impl StreamSpec {
    /// Returns the conditions on the owner of a stream that has had `before`.
    fn constraints(&self, before: Option<&Constraints>) -> Option<Box<Constraints>> {
        let before = before.cloned().unwrap_or_default();
        let after = Constraints {
            requires: self.requires.clone().unwrap_or(before.requires),
            group: self.group.clone().unwrap_or(before.group),
            pinned: self.pinned.clone().unwrap_or(before.pinned),
        };
        after.boxed()
    }
}

/// Creates or updates streams, all or none.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct SaveStreams {
    pub streams: Vec<StreamSpec>,
}

/// The result of a saved [`SaveStreams`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct StreamsSaved {
    pub created: usize,
    /// Streams that existed and were changed.
    pub updated: usize,
    /// Streams that existed and were the same already.
    pub unchanged: usize,
    /// The id of each stream, in the order of the request.
    pub ids: Vec<StreamId>,
}

impl Command for SaveStreams {
    type Reply = StreamsSaved;

    fn decide(&self, draft: &mut Draft<'_>) -> Result<StreamsSaved, Rejection> {
        let mut saved = StreamsSaved {
            created: 0,
            updated: 0,
            unchanged: 0,
            ids: Vec::with_capacity(self.streams.len()),
        };
        let mut rejected = Vec::new();
        for (index, spec) in self.streams.iter().enumerate() {
            if let Err(rejection) = save(draft, spec, index, &mut saved) {
                rejected.push(rejection);
            }
        }
        Rejection::of_entries(rejected).map_or(Ok(saved), Err)
    }
}

/// Creates or updates one stream, and counts it.
fn save(
    draft: &mut Draft<'_>,
    spec: &StreamSpec,
    index: usize,
    saved: &mut StreamsSaved,
) -> Result<(), Rejection> {
    let id = spec.id.or_else(|| {
        spec.name
            .as_ref()
            .and_then(|name| draft.fleet().stream_named(name))
    });
    let known = id
        .and_then(|id| draft.fleet().stream(id))
        .map(|slot| slot.stream().clone());
    if let Some(name) = &spec.name
        && let Some(owner) = draft.fleet().stream_named(name)
        && id != Some(owner)
    {
        let owner_slot = draft.fleet().stream(owner);
        return Err(Rejection::NameTaken {
            index,
            name: name.clone(),
            owner,
            is_deleted: owner_slot.is_some_and(|slot| slot.stream().deleted),
        });
    }
    match known.filter(|known| !known.deleted) {
        Some(before) => {
            if update(draft, &before, spec) {
                saved.updated += 1;
            } else {
                saved.unchanged += 1;
            }
            saved.ids.push(before.id);
        }
        None => {
            saved.ids.push(create(draft, id, spec, index)?);
            saved.created += 1;
        }
    }
    Ok(())
}

/// Creates a stream; returns its id.
fn create(
    draft: &mut Draft<'_>,
    id: Option<StreamId>,
    spec: &StreamSpec,
    index: usize,
) -> Result<StreamId, Rejection> {
    let name = spec.name.clone().ok_or(Rejection::NameMissing { index })?;
    let last = draft.fleet().last_stream();
    let id = match id {
        Some(id) => id,
        // Numbers do not wrap: the successor of the highest id would be the highest id again, and
        // its stream would be overwritten.
        None if last.next() == last => return Err(Rejection::IdsExhausted { index }),
        None => last.next(),
    };
    let enabled = spec.enabled.unwrap_or(true);
    draft.put_stream(Stream {
        id,
        name,
        url: spec.url.clone().flatten(),
        labels: spec.labels.clone().unwrap_or_default(),
        priority: spec.priority.unwrap_or(0),
        weight: spec.weight.unwrap_or(DEFAULT_WEIGHT),
        constraints: spec.constraints(None),
        enabled,
        handoff: spec.handoff.unwrap_or_default(),
        created_at: draft.now(),
        deleted: false,
        returns: None,
        suspicion: None,
    });
    draft.tell(Event::StreamCreated { stream: id });
    // It was deleted a moment ago and is created again: its last owner may still run it.
    if draft.fleet().stream(id).is_some_and(is_being_let_go) {
        if enabled {
            draft.begin_release(id, AfterRelease::Unclaim);
        } else {
            draft.redirect_release(id, AfterRelease::Disable);
        }
        return Ok(id);
    }
    draft.delay_fill();
    let place = if enabled {
        Place::Unclaimed {
            released_by: None,
            since: draft.now(),
        }
    } else {
        Place::Disabled
    };
    draft.place(id, place);
    Ok(id)
}

/// Changes a stream; returns whether anything differs now.
fn update(draft: &mut Draft<'_>, before: &Stream, spec: &StreamSpec) -> bool {
    let after = Stream {
        id: before.id,
        name: spec.name.clone().unwrap_or_else(|| before.name.clone()),
        url: spec.url.clone().unwrap_or_else(|| before.url.clone()),
        labels: spec.labels.clone().unwrap_or_else(|| before.labels.clone()),
        priority: spec.priority.unwrap_or(before.priority),
        weight: spec.weight.unwrap_or(before.weight),
        constraints: spec.constraints(before.constraints.as_deref()),
        enabled: spec.enabled.unwrap_or(before.enabled),
        handoff: spec.handoff.unwrap_or(before.handoff),
        created_at: before.created_at,
        deleted: false,
        returns: before.returns.clone(),
        suspicion: before.suspicion.clone(),
    };
    if after == *before {
        return false;
    }
    let (id, enabled, handoff) = (after.id, after.enabled, after.handoff);
    let is_changed = after.url != before.url;
    draft.put_stream(after);
    // A URL that could not be started may be valid now.
    if !enabled {
        draft.forget_returns(id, ReturnsEnd::Disabled);
        draft.forget_suspicion(id, QuarantineEnd::Disabled, None);
    } else if is_changed {
        draft.forget_returns(id, ReturnsEnd::Changed);
        draft.forget_suspicion(id, QuarantineEnd::Changed, None);
    }
    let place = draft.fleet().stream(id).map(|slot| slot.place().clone());
    draft.tell(Event::StreamUpdated {
        stream: id,
        enabled,
    });
    // The owner must learn of it: the mode decides what happens to the stream when a lease ends.
    if before.handoff != handoff {
        draft.tell_anew(id);
    }
    let lingers = place
        .as_ref()
        .is_some_and(|place| may_linger(draft, place, handoff));
    if before.enabled && !enabled {
        withdraw(draft, id);
        // The worker may run it until it has learned of this; no other instance gets it before.
        if lingers {
            draft.begin_release(id, AfterRelease::Disable);
        } else {
            draft.place(id, Place::Disabled);
        }
    } else if !before.enabled && enabled && lingers {
        draft.abandon_release(id, AbandonReason::CalledOff);
    } else if !before.enabled && enabled {
        draft.place(
            id,
            Place::Unclaimed {
                released_by: None,
                since: draft.now(),
            },
        );
    }
    true
}

fn is_being_let_go(slot: &StreamSlot) -> bool {
    let assignment = slot.place().assignment();
    assignment.is_some_and(Assignment::is_releasing)
}

/// Removes a stream from the catalogue, and from its owner. The reply is the assignment that ended,
/// if there was one.
///
/// The id is remembered until a leased owner has released the stream, or its lease is over.
/// Otherwise a stream created again under the id could be assigned to another worker while the
/// first one still runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct DeleteStream {
    pub id: StreamId,
}

impl Command for DeleteStream {
    type Reply = Option<Assignment>;

    fn decide(&self, draft: &mut Draft<'_>) -> Result<Option<Assignment>, Rejection> {
        let slot = draft.fleet().listed(self.id);
        let slot = slot.ok_or(Rejection::UnknownStream(self.id))?;
        let (stream, place) = (Stream::clone(slot.stream()), slot.place().clone());
        let ended = withdraw(draft, self.id);
        draft.tell_returns_over(&stream, ReturnsEnd::Deleted);
        draft.tell_quarantine_over(&stream, QuarantineEnd::Deleted, None);
        if is_with_leased(draft, &place) {
            draft.put_stream(Stream {
                enabled: false,
                deleted: true,
                returns: None,
                suspicion: None,
                ..stream
            });
            draft.begin_release(self.id, AfterRelease::Forget);
        } else {
            draft.remove_stream(self.id);
        }
        draft.tell(Event::StreamDeleted { stream: self.id });
        Ok(ended)
    }
}

/// Records that the assignment of a stream ends; returns the assignment, if there is one.
fn withdraw(draft: &mut Draft<'_>, id: StreamId) -> Option<Assignment> {
    let slot = draft.fleet().stream(id)?;
    let assignment = slot.place().assignment()?.clone();
    draft.tell(Event::StreamWithdrawn {
        stream: id,
        instance: assignment.instance.clone(),
        epoch: assignment.epoch,
    });
    Some(assignment)
}
