//! An instance and a stream as the fleet keeps them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::digest::StreamsDigest;
use crate::fleet::recent::RecentChanges;
use crate::fleet::room::Filing;
use crate::handover::HandoverMode;
use crate::ids::{AssignmentVersion, Epoch, StreamId};
use crate::instance::Instance;
use crate::placement::{Facts, Load, Need, Room, Strain};
use crate::stream::{Assignment, Place, Stream};

/// An instance and what follows from the places of the streams.
#[derive(Debug, Clone)]
pub struct InstanceSlot {
    pub(in crate::fleet) instance: Arc<Instance>,
    pub(in crate::fleet) held: BTreeSet<StreamId>,
    pub(in crate::fleet) undelivered: BTreeSet<StreamId>,
    pub(in crate::fleet) unconfirmed: BTreeSet<StreamId>,
    pub(super) releasing: BTreeSet<StreamId>,
    /// How many of those were deleted.
    pub(super) deleted_releases: usize,
    /// How many of those should not run anywhere: they were deleted or disabled.
    pub(super) stopped_releases: usize,
    pub(super) overlap: BTreeSet<StreamId>,
    pub(super) lingering: BTreeMap<StreamId, Epoch>,
    pub(super) given_up: BTreeSet<StreamId>,
    pub(super) promised: BTreeSet<StreamId>,
    /// How many of the streams it owns need more than a place, by what they need.
    pub(super) choosy: BTreeMap<Need, usize>,
    /// Of the streams it owns or runs a while longer.
    pub(super) weight: u64,
    /// Of the streams that are promised to it.
    pub(super) promised_weight: u64,
    /// By the readings of its machine; not saved.
    pub(super) strain: Strain,
    /// Of what it is to run unless its lease is withdrawn.
    pub(super) digest: StreamsDigest,
    pub(super) recent: RecentChanges,
}

impl InstanceSlot {
    /// What is saved about it.
    pub fn instance(&self) -> &Arc<Instance> {
        &self.instance
    }

    /// The streams it owns, ascending.
    pub fn held(&self) -> &BTreeSet<StreamId> {
        &self.held
    }

    /// The streams it owns and was never notified of, ascending.
    pub fn undelivered(&self) -> &BTreeSet<StreamId> {
        &self.undelivered
    }

    /// The streams it owns and was not notified of in its current life, ascending: the undelivered
    /// ones and those of which only an earlier life was notified. Empty for an instance that is settled,
    /// so a heartbeat that confirms what it has costs nothing.
    pub fn unconfirmed(&self) -> &BTreeSet<StreamId> {
        &self.unconfirmed
    }

    /// The streams it owns and is to release, ascending.
    pub fn releasing(&self) -> &BTreeSet<StreamId> {
        &self.releasing
    }

    /// How many streams of the catalogue it owns. A deleted stream takes room until no worker runs it,
    /// but is no stream of the catalogue any more; it is one of those that its owner is releasing.
    pub fn owned(&self) -> usize {
        self.held.len() - self.deleted_releases
    }

    /// How many of the streams it is to release go to another instance or wait for one; the others
    /// should not run any more.
    pub fn moves_away(&self) -> usize {
        self.releasing.len() - self.stopped_releases
    }

    /// The streams it runs beside their new owner until that one does, with their old epochs.
    pub fn lingering(&self) -> &BTreeMap<StreamId, Epoch> {
        &self.lingering
    }

    /// The streams it owns whose move was given up, because it did not release them, ascending.
    pub fn given_up(&self) -> &BTreeSet<StreamId> {
        &self.given_up
    }

    /// The streams that come to it once their owners have released them, ascending.
    pub fn promised(&self) -> &BTreeSet<StreamId> {
        &self.promised
    }

    /// How many of the streams it owns may run on no other instance meanwhile.
    pub fn exclusive(&self) -> usize {
        self.held.len() - self.overlap.len()
    }

    /// Whether its worker is to run a stream: the instance owns it and is not releasing it, or runs it
    /// until the new owner does. An instance whose lease is withdrawn is to run nothing.
    pub fn is_to_run(&self, id: StreamId) -> bool {
        self.instance.withdrawn.is_none() && self.is_filed_to_run(id)
    }

    fn is_filed_to_run(&self, id: StreamId) -> bool {
        self.lingering.contains_key(&id)
            || (self.held.contains(&id) && !self.releasing.contains(&id))
    }

    /// The digest of the streams its worker is to run, kept as they come and go.
    pub fn digest(&self) -> StreamsDigest {
        match self.instance.withdrawn {
            None => self.digest,
            Some(_) => StreamsDigest::default(),
        }
    }

    /// How many streams its worker is to run.
    pub fn to_run_count(&self) -> usize {
        match self.instance.withdrawn {
            None => self.occupied() - self.releasing.len(),
            Some(_) => 0,
        }
    }

    /// The streams its worker is to run, ascending.
    pub fn to_run(&self) -> Vec<StreamId> {
        if self.instance.withdrawn.is_some() {
            return Vec::new();
        }
        let mut ids: Vec<StreamId> = self.held.difference(&self.releasing).copied().collect();
        if !self.lingering.is_empty() {
            ids.extend(self.lingering.keys());
            ids.sort_unstable();
        }
        ids
    }

    /// How many streams it owns or runs a while longer.
    fn occupied(&self) -> usize {
        self.held.len() + self.lingering.len()
    }

    /// How many of the streams it owns need more than a place, by what they need.
    pub fn choosy(&self) -> &BTreeMap<Need, usize> {
        &self.choosy
    }

    /// The sum of the weights of the streams it owns or runs a while longer.
    pub fn weight(&self) -> u64 {
        self.weight
    }

    /// Counts a stream it owns.
    pub(super) fn count(&mut self, stream: &Stream) {
        self.weight += u64::from(stream.weight);
        let need = Need::of(stream);
        if !need.is_plain() {
            *self.choosy.entry(need).or_default() += 1;
        }
    }

    /// Counts a stream it does not own any more.
    pub(super) fn discount(&mut self, stream: &Stream) {
        self.weight -= u64::from(stream.weight);
        let need = Need::of(stream);
        if let Some(count) = self.choosy.get_mut(&need) {
            *count -= 1;
            if *count == 0 {
                self.choosy.remove(&need);
            }
        }
    }

    /// What it may be given. Room for what is promised to it is reserved.
    pub fn free(&self) -> Room {
        self.room_beside(
            self.occupied() + self.promised.len(),
            self.weight + self.promised_weight,
        )
    }

    /// What it could own now. Only streams without an owner may take reserved room: a planned move finds
    /// another target, a stream without an owner cannot wait.
    pub fn vacant(&self) -> Room {
        self.room_beside(self.occupied(), self.weight)
    }

    fn room_beside(&self, streams: usize, weight: u64) -> Room {
        let instance = &self.instance;
        Room::left(instance.max_streams, instance.capacity, streams, weight)
    }

    /// How many more streams it may be given.
    pub fn free_room(&self) -> usize {
        self.free().streams as usize
    }

    /// What its score is computed from: the streams promised to it count like those it owns.
    pub fn facts(&self) -> Facts {
        let count = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        Facts {
            load: Load {
                held: count(self.weight + self.promised_weight),
                max: self.instance.limit(),
            },
            streams: count((self.occupied() + self.promised.len()) as u64),
            strain: self.strain,
        }
    }

    /// What the capacity index files it by.
    pub(in crate::fleet) fn filing(&self) -> Filing<'_> {
        Filing {
            instance: &self.instance,
            facts: self.facts(),
            free: self.free(),
            vacant: self.vacant(),
        }
    }

    /// Changes where a stream is filed; the digest follows.
    pub(super) fn refile(&mut self, id: StreamId, change: impl FnOnce(&mut Self)) {
        let before = self.is_filed_to_run(id);
        change(self);
        match (before, self.is_filed_to_run(id)) {
            (false, true) => self.digest.add(id),
            (true, false) => self.digest.remove(id),
            (true, true) | (false, false) => {}
        }
    }

    /// Files an owned stream by whether its owner was notified of it, ever and in its current life, and
    /// whether the owner is releasing it: then it is not notified again.
    pub(super) fn file_delivery(&mut self, stream: &Stream, assignment: &Assignment) {
        let id = stream.id;
        match assignment.given_up_since() {
            Some(_) => self.given_up.insert(id),
            None => self.given_up.remove(&id),
        };
        if assignment.is_releasing() {
            if self.releasing.insert(id) {
                self.count_release(stream);
            }
            self.undelivered.remove(&id);
            self.unconfirmed.remove(&id);
            return;
        }
        self.unfile_release(stream);
        match assignment.delivered {
            Some(_) => self.undelivered.remove(&id),
            None => self.undelivered.insert(id),
        };
        if assignment.is_unconfirmed(self.instance.incarnation) {
            self.unconfirmed.insert(id);
        } else {
            self.unconfirmed.remove(&id);
        }
    }

    /// Removes a stream from those that it is to release.
    pub(super) fn unfile_release(&mut self, stream: &Stream) {
        if self.releasing.remove(&stream.id) {
            self.discount_release(stream);
        }
    }

    /// Counts a stream that it is to release by what the catalogue says.
    pub(super) fn count_release(&mut self, stream: &Stream) {
        self.deleted_releases += usize::from(stream.deleted);
        self.stopped_releases += usize::from(stream.deleted || !stream.enabled);
    }

    /// Takes back what [`InstanceSlot::count_release`] counted.
    pub(super) fn discount_release(&mut self, stream: &Stream) {
        self.deleted_releases -= usize::from(stream.deleted);
        self.stopped_releases -= usize::from(stream.deleted || !stream.enabled);
    }

    /// Files an owned stream by what comes first when it moves.
    pub(super) fn file_handoff(&mut self, stream: &Stream) {
        match stream.handoff {
            HandoverMode::Overlap => self.overlap.insert(stream.id),
            HandoverMode::Exclusive => self.overlap.remove(&stream.id),
        };
    }

    /// The streams that came or went after `version`; `None` if that is too long ago to know.
    pub fn changed_since(&self, version: AssignmentVersion) -> Option<BTreeSet<StreamId>> {
        self.recent.since(version)
    }
}

/// A stream and where it is.
#[derive(Debug, Clone)]
pub struct StreamSlot {
    pub(in crate::fleet) stream: Arc<Stream>,
    pub(in crate::fleet) place: Place,
}

impl StreamSlot {
    /// What the catalogue says.
    pub fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// Where it is.
    pub fn place(&self) -> &Place {
        &self.place
    }
}
