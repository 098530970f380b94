//! Which instance gets a stream: the hard rules, then what the stream prefers, then the score.
//!
//! A plain stream (of weight 1, without conditions, given back by no worker) takes the first instance
//! of a list. Any other stream looks at the instances in their order until one is as good as can be; it
//! looks at all of them only if none is.

use std::collections::{BTreeMap, BTreeSet};

use crate::fleet::model::{Fleet, InstanceSlot};
use crate::fleet::room::Candidate;
use crate::ids::{InstanceId, StreamId};
use crate::placement::{Crowding, Exclusion, Need, Preference, Room};
use crate::stream::Stream;

/// Which room of an instance a stream may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::fleet) enum Claim {
    /// Only room that is not reserved for streams on their way.
    Free,
    /// All of it: the stream has no owner, or the room is reserved for it.
    Vacant,
}

impl Claim {
    /// Returns the room of an instance under this claim.
    pub(in crate::fleet) fn room(self, slot: &InstanceSlot) -> Room {
        match self {
            Self::Free => slot.free(),
            Self::Vacant => slot.vacant(),
        }
    }
}

/// How an unclaimed stream suits an instance that requests streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suits {
    /// Nothing speaks against it.
    Well,
    /// The instance has a stream of its group.
    Crowded,
    /// The instance gave it back lately.
    GaveItBack,
    /// It is pinned to another instance, which can have it.
    BelongsElsewhere,
}

/// A stream that looks for an owner.
#[derive(Debug)]
pub(in crate::fleet) struct Seeker<'f> {
    fleet: &'f Fleet,
    need: Need,
    pinned: Option<&'f InstanceId>,
    gave_it_back: &'f [InstanceId],
    crowd: Option<Crowd<'f>>,
}

impl<'f> Seeker<'f> {
    /// Returns the search for an owner of a stream.
    pub(in crate::fleet) fn of(fleet: &'f Fleet, stream: &'f Stream) -> Self {
        Self {
            fleet,
            need: Need::of(stream),
            pinned: stream.pinned(),
            gave_it_back: stream.returned_by(),
            crowd: stream.group().map(|_| Crowd::of(fleet, stream)),
        }
    }

    /// Returns what the stream needs of its owner.
    pub(in crate::fleet) fn need(&self) -> &Need {
        &self.need
    }

    /// Returns whether an instance meets the hard rules besides its state.
    pub(in crate::fleet) fn fits(&self, id: &InstanceId, claim: Claim) -> bool {
        let slot = self.fleet.instance(id);
        slot.is_some_and(|slot| {
            let room = claim.room(slot);
            Exclusion::by_need(slot.instance(), room, &self.need).is_none()
        })
    }

    /// Returns how well an instance suits it.
    pub(in crate::fleet) fn preference(&self, id: &InstanceId) -> Preference {
        let place = self.gave_it_back.iter().position(|one| one == id);
        let gave_it_back = place.map_or(0, |place| place + 1);
        Preference {
            is_not_pinned: self.pinned != Some(id) || gave_it_back > 0,
            gave_it_back,
            crowding: self
                .crowd
                .as_ref()
                .map(|crowd| crowd.around(id))
                .unwrap_or_default(),
        }
    }

    /// Returns the preference of an instance that is as good as can be.
    pub(in crate::fleet) fn best(&self) -> Preference {
        let pin = self.pinned.filter(|pin| !self.gave_it_back.contains(pin));
        Preference::best(pin.is_some())
    }

    /// Returns the best instance of a list, but never `never`.
    pub(in crate::fleet) fn choose(
        &self,
        list: &'f BTreeSet<Candidate>,
        claim: Claim,
        never: Option<&InstanceId>,
    ) -> Option<&'f InstanceId> {
        let best = self.best();
        let needs_check = !self.need.is_plain();
        let mut chosen: Option<(Preference, &InstanceId)> = None;
        for Candidate { id, .. } in list {
            if Some(id) == never || (needs_check && !self.fits(id, claim)) {
                continue;
            }
            let preference = self.preference(id);
            if preference == best {
                return Some(id);
            }
            if chosen.is_none_or(|(least, _)| preference < least) {
                chosen = Some((preference, id));
            }
        }
        chosen.map(|(_, id)| id)
    }
}

/// Where the other streams of a group are.
#[derive(Debug)]
struct Crowd<'f> {
    fleet: &'f Fleet,
    by_instance: BTreeMap<&'f InstanceId, usize>,
    by_value: BTreeMap<&'f str, usize>,
}

impl<'f> Crowd<'f> {
    fn of(fleet: &'f Fleet, stream: &'f Stream) -> Self {
        let mut crowd = Self {
            fleet,
            by_instance: BTreeMap::new(),
            by_value: BTreeMap::new(),
        };
        let group = stream.group().map(AsRef::as_ref).unwrap_or_default();
        for (id, count) in fleet.owners_of_group(group) {
            let own = usize::from(crowd.counts_itself(id, stream.id));
            let count = count.saturating_sub(own);
            if count == 0 {
                continue;
            }
            crowd.by_instance.insert(id, count);
            if let Some(value) = crowd.value(id) {
                *crowd.by_value.entry(value).or_default() += count;
            }
        }
        crowd
    }

    fn counts_itself(&self, id: &InstanceId, stream: StreamId) -> bool {
        let slot = self.fleet.instance(id);
        slot.is_some_and(|slot| slot.held().contains(&stream) || slot.promised().contains(&stream))
    }

    fn value(&self, id: &InstanceId) -> Option<&'f str> {
        let slot = self.fleet.instance(id)?;
        let label = self.fleet.spread_label();
        slot.instance().labels.get(label).map(String::as_str)
    }

    fn around(&self, id: &InstanceId) -> Crowding {
        let value = self.value(id);
        Crowding {
            on_instance: self.by_instance.get(id).copied().unwrap_or_default(),
            under_label: value
                .and_then(|value| self.by_value.get(value))
                .copied()
                .unwrap_or_default(),
        }
    }
}

impl Fleet {
    fn seeker(&self, stream: StreamId) -> Option<Seeker<'_>> {
        self.stream(stream)
            .map(|slot| Seeker::of(self, slot.stream()))
    }

    /// Returns the instance that gets an orphan: the best active one, or, if none has room, the best one
    /// on probation, or else one whose room is reserved.
    pub(in crate::fleet) fn target_for_orphan(&self, stream: StreamId) -> Option<&InstanceId> {
        self.target_without_owner(self.seeker(stream)?)
    }

    /// Returns the instance that gets a quarantined stream for a trial, as if it were an orphan; those
    /// that failed with the stream before are chosen last.
    pub(in crate::fleet) fn target_for_trial<'f>(
        &'f self,
        stream: StreamId,
        failed: &'f [InstanceId],
    ) -> Option<&'f InstanceId> {
        let seeker = self.seeker(stream)?;
        self.target_without_owner(Seeker {
            gave_it_back: failed,
            ..seeker
        })
    }

    /// Returns whether an instance besides these could have a stream now that loses its owner.
    pub(in crate::fleet) fn could_go_elsewhere(
        &self,
        stream: StreamId,
        besides: &[InstanceId],
    ) -> bool {
        let Some(seeker) = self.seeker(stream) else {
            return false;
        };
        let room = self.room();
        let mut lists = [room.active(), room.recovering(), room.reserved()].into_iter();
        lists.any(|list| {
            let mut others = list.iter().filter(|one| !besides.contains(&one.id));
            others.any(|one| seeker.fits(&one.id, Claim::Vacant))
        })
    }

    fn target_without_owner<'f>(&'f self, seeker: Seeker<'f>) -> Option<&'f InstanceId> {
        let room = self.room();
        let mut lists = [
            (room.active(), Claim::Free),
            (room.recovering(), Claim::Vacant),
            (room.active(), Claim::Vacant),
            (room.reserved(), Claim::Vacant),
        ]
        .into_iter();
        lists.find_map(|(list, claim)| seeker.choose(list, claim, None))
    }

    /// Returns the instance that gets a stream which is moved away from its owner: the best active one
    /// with room; one that gave it back last.
    pub fn target_for_move(
        &self,
        stream: StreamId,
        owner: Option<&InstanceId>,
    ) -> Option<&InstanceId> {
        self.seeker(stream)?
            .choose(self.room().active(), Claim::Free, owner)
    }

    /// Returns the instance that gets an unclaimed stream without a request: the best active one with
    /// `auto_assign` that is not the one that released the stream. A stream that is pinned to an
    /// instance which can have it goes to no other.
    pub(in crate::fleet) fn target_for_unclaimed(
        &self,
        stream: StreamId,
        released_by: Option<&InstanceId>,
    ) -> Option<&InstanceId> {
        let seeker = self.seeker(stream)?;
        let target = seeker.choose(self.room().auto_assign(), Claim::Free, released_by)?;
        let belongs_here = self.open_pin(stream).is_none_or(|pin| pin == target);
        belongs_here.then_some(target)
    }

    /// Returns whether a stream that is away goes back to the instance it is pinned to now: that one is
    /// active and has room for it, and did not give it back lately.
    pub fn goes_home(&self, stream: StreamId, home: &InstanceId) -> bool {
        let is_enabled = self
            .stream(stream)
            .is_some_and(|slot| slot.stream().enabled);
        is_enabled && self.open_pin(stream) == Some(home)
    }

    /// Returns the instance that a stream is pinned to, if it takes streams, has room for this one, and
    /// did not give it back lately.
    fn open_pin(&self, stream: StreamId) -> Option<&InstanceId> {
        let stream = self.stream(stream)?.stream();
        let pin = stream.pinned()?;
        let slot = self.instance(pin)?;
        let need = Need::of(stream);
        let is_open = self.room().is_open(&slot.filing())
            && Exclusion::by_need(slot.instance(), slot.free(), &need).is_none()
            && !stream.returned_by().contains(pin);
        is_open.then(|| &slot.instance().id)
    }

    /// Returns how an unclaimed stream suits an instance that requests streams.
    pub fn suits_on_request(&self, stream: StreamId, slot: &InstanceSlot) -> Suits {
        let Some(stream) = self.stream(stream).map(|slot| slot.stream()) else {
            return Suits::BelongsElsewhere;
        };
        let id = &slot.instance().id;
        if stream.returned_by().contains(id) {
            return Suits::GaveItBack;
        }
        if self.open_pin(stream.id).is_some_and(|pin| pin != id) {
            return Suits::BelongsElsewhere;
        }
        let is_crowded = (stream.group())
            .is_some_and(|group| self.owners_of_group(group).any(|(owner, _)| owner == id));
        if is_crowded {
            Suits::Crowded
        } else {
            Suits::Well
        }
    }

    /// Returns why an instance cannot have a stream, whatever its state.
    pub fn exclusion(&self, stream: StreamId, slot: &InstanceSlot) -> Option<Exclusion> {
        let need = Need::of(self.stream(stream)?.stream());
        Exclusion::by_need(slot.instance(), slot.free(), &need)
    }

    /// Returns whether a stream that is promised to an instance can still go there.
    pub fn is_open_for(&self, stream: StreamId, id: &InstanceId) -> bool {
        let slot = self.instance(id);
        let is_open = slot.is_some_and(|slot| self.room().is_open(&slot.filing()));
        is_open
            && self
                .seeker(stream)
                .is_some_and(|seeker| seeker.fits(id, Claim::Vacant))
    }
}

#[cfg(test)]
mod tests;
