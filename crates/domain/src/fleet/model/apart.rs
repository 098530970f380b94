//! Where the streams of a group are, and which pinned streams are away from their instance.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::ids::{InstanceId, StreamId};
use crate::stream::{Assignment, Stream};

/// The indexes of streams with a group or a pin; empty without such streams.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::fleet) struct Apart {
    /// How many streams of each group an instance owns or is promised.
    groups: BTreeMap<Arc<str>, BTreeMap<InstanceId, usize>>,
    /// Streams that run somewhere else than where they are pinned and move nowhere, by their pin.
    away: BTreeMap<InstanceId, BTreeSet<StreamId>>,
}

/// The instances at which a stream counts for its group.
fn owners(assignment: &Assignment) -> impl Iterator<Item = &InstanceId> {
    let to = assignment
        .promised_to()
        .filter(|to| **to != assignment.instance);
    std::iter::once(&assignment.instance).chain(to)
}

/// The pin of a stream that is away from it and stays there.
fn missed<'s>(stream: &'s Stream, assignment: &Assignment) -> Option<&'s InstanceId> {
    let pinned = stream.pinned()?;
    (*pinned != assignment.instance && assignment.handover.is_none()).then_some(pinned)
}

impl Apart {
    pub(super) fn add(&mut self, stream: &Stream, assignment: &Assignment) {
        if let Some(group) = stream.group() {
            let counts = self.groups.entry(group.clone()).or_default();
            for owner in owners(assignment) {
                *counts.entry(owner.clone()).or_default() += 1;
            }
        }
        if let Some(pinned) = missed(stream, assignment) {
            self.away
                .entry(pinned.clone())
                .or_default()
                .insert(stream.id);
        }
    }

    pub(super) fn remove(&mut self, stream: &Stream, assignment: &Assignment) {
        if let Some(group) = stream.group()
            && let Some(counts) = self.groups.get_mut(group)
        {
            for owner in owners(assignment) {
                if let Some(count) = counts.get_mut(owner) {
                    *count -= 1;
                    if *count == 0 {
                        counts.remove(owner);
                    }
                }
            }
            if counts.is_empty() {
                self.groups.remove(group);
            }
        }
        if let Some(pinned) = missed(stream, assignment)
            && let Some(away) = self.away.get_mut(pinned)
        {
            away.remove(&stream.id);
            if away.is_empty() {
                self.away.remove(pinned);
            }
        }
    }

    /// Returns how many streams of a group an instance has, for each that has any.
    pub(in crate::fleet) fn owners_of_group(
        &self,
        group: &str,
    ) -> impl Iterator<Item = (&InstanceId, usize)> {
        let counts = self.groups.get(group).into_iter().flatten();
        counts.map(|(id, count)| (id, *count))
    }

    /// Returns the streams that are away from where they are pinned, by their pin.
    pub(in crate::fleet) fn away(
        &self,
    ) -> impl Iterator<Item = (&InstanceId, &BTreeSet<StreamId>)> {
        self.away.iter()
    }
}
