//! Streams come into the catalogue, change, and leave it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::command::{Command, Rejection};
use super::relocate::{is_with_leased, may_linger};
use crate::events::Event;
use crate::fleet::{Draft, StreamSlot};
use crate::handover::{AbandonReason, AfterRelease, Handoff};
use crate::ids::StreamId;
use crate::returns::ReturnsEnd;
use crate::stream::{Assignment, Place, Stream};
use crate::stream_url::StreamUrl;

/// What is said about one stream. `None` keeps what is known, or takes the default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StreamSpec {
    /// The key; without it the name is the key.
    pub id: Option<StreamId>,
    /// The name; a new stream needs one.
    pub name: Option<Arc<str>>,
    /// The address; `Some(None)` takes it away.
    pub url: Option<Option<StreamUrl>>,
    /// The labels, all of them.
    pub labels: Option<BTreeMap<String, String>>,
    /// The priority.
    pub priority: Option<i32>,
    /// Whether it is to be run.
    pub enabled: Option<bool>,
    /// What comes first when it moves on purpose.
    pub handoff: Option<Handoff>,
}

/// Creates or updates streams, all or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaveStreams {
    /// What is said about each.
    pub streams: Vec<StreamSpec>,
}

/// The catalogue is saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamsSaved {
    /// How many were new.
    pub created: usize,
    /// How many were known, and differ now.
    pub updated: usize,
    /// How many were known as they were said to be.
    pub unchanged: usize,
    /// The id of each, in the order they came.
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
        for (index, spec) in self.streams.iter().enumerate() {
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
        }
        Ok(saved)
    }
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
        // Numbers do not wrap: the one after the highest would be the highest again, and its
        // stream would be overwritten.
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
        enabled,
        handoff: spec.handoff.unwrap_or_default(),
        created_at: draft.now(),
        deleted: false,
        returns: None,
    });
    draft.tell(Event::StreamCreated { stream: id });
    // Deleted a moment ago and made again: whoever ran it then may run it still.
    if draft.fleet().stream(id).is_some_and(is_being_let_go) {
        if enabled {
            draft.begin_release(id, AfterRelease::Unclaim);
        } else {
            draft.redirect_release(id, AfterRelease::Disable);
        }
        return Ok(id);
    }
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

/// Changes a stream; returns whether that made a difference.
fn update(draft: &mut Draft<'_>, before: &Stream, spec: &StreamSpec) -> bool {
    let after = Stream {
        id: before.id,
        name: spec.name.clone().unwrap_or_else(|| before.name.clone()),
        url: spec.url.clone().unwrap_or_else(|| before.url.clone()),
        labels: spec.labels.clone().unwrap_or_else(|| before.labels.clone()),
        priority: spec.priority.unwrap_or(before.priority),
        enabled: spec.enabled.unwrap_or(before.enabled),
        handoff: spec.handoff.unwrap_or(before.handoff),
        created_at: before.created_at,
        deleted: false,
        returns: before.returns.clone(),
    };
    if after == *before {
        return false;
    }
    let (id, enabled, handoff) = (after.id, after.enabled, after.handoff);
    let is_changed = after.url != before.url;
    draft.put_stream(after);
    // What could not be started may be another thing now.
    if !enabled {
        draft.forget_returns(id, ReturnsEnd::Disabled);
    } else if is_changed {
        draft.forget_returns(id, ReturnsEnd::Changed);
    }
    let place = draft.fleet().stream(id).map(|slot| slot.place().clone());
    draft.tell(Event::StreamUpdated {
        stream: id,
        enabled,
    });
    // Whoever runs it has to hear of it: it decides what becomes of it when a lease ends.
    if before.handoff != handoff {
        draft.tell_anew(id);
    }
    let lingers = place
        .as_ref()
        .is_some_and(|place| may_linger(draft, place, handoff));
    if before.enabled && !enabled {
        withdraw(draft, id);
        // Its worker may run it until it has heard of this: nobody else gets it before.
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

/// Removes a stream from the catalogue, and from whoever runs it. The reply is the assignment that
/// ended, if it had one.
///
/// Its id is remembered until a leased owner has let go, or its lease is over: otherwise a stream
/// made again under it could be given to another worker while the first has not heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteStream {
    /// Which one.
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
        if is_with_leased(draft, &place) {
            draft.put_stream(Stream {
                enabled: false,
                deleted: true,
                returns: None,
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

/// Tells that the assignment of a stream ends, and which one, if it has one.
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
