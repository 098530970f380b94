//! Heartbeats that this process answered with an echo, and that no leader knows yet: the newest of each
//! instance. They count for silence only.
//!
//! They leave by one of two ways: to the leader that is reached ([`Echoes::take`]), or into the database for a
//! leader that is not ([`Echoes::unwritten`]). The second one keeps them: that leader may be reached later.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{Incarnation, InstanceId};
use crate::leadership::proof::SteadyTime;

/// How many instances are kept at most: the largest fleet.
pub const MOST_ECHOES: usize = 100_000;

/// A heartbeat that was echoed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EchoedBeat {
    /// Whose it is.
    pub id: InstanceId,
    /// The life that its worker names, if it names one.
    pub incarnation: Option<Incarnation>,
    /// When it came.
    pub came: SteadyTime,
}

/// The heartbeats that were echoed.
#[derive(Debug, Default)]
pub struct Echoes {
    kept: BTreeMap<InstanceId, EchoedBeat>,
    /// Those of them that are not in the database.
    unwritten: BTreeSet<InstanceId>,
}

impl Echoes {
    /// Keeps a heartbeat, unless a newer one of the instance is kept; returns whether it or a newer one is
    /// kept. One that is not kept must not be echoed, because no leader would hear of it.
    pub fn keep(&mut self, beat: EchoedBeat) -> bool {
        if self.kept.len() >= MOST_ECHOES && !self.kept.contains_key(&beat.id) {
            return false;
        }
        let age = |beat: &EchoedBeat| (beat.incarnation, beat.came);
        let kept = self.kept.get(&beat.id);
        if kept.is_none_or(|kept| age(kept) < age(&beat)) {
            if !self.unwritten.contains(&beat.id) {
                self.unwritten.insert(beat.id.clone());
            }
            self.kept.insert(beat.id.clone(), beat);
        }
        true
    }

    /// Returns up to `most` of those that are not in the database. They count as written from now on.
    pub fn unwritten(&mut self, most: usize) -> Vec<EchoedBeat> {
        let mut beats = Vec::new();
        while beats.len() < most
            && let Some(id) = self.unwritten.pop_first()
        {
            beats.extend(self.kept.get(&id).cloned());
        }
        beats
    }

    /// These were not written after all.
    pub fn not_written(&mut self, beats: Vec<EchoedBeat>) {
        let ids = beats.into_iter().map(|beat| beat.id);
        let kept = ids.filter(|id| self.kept.contains_key(id));
        self.unwritten.extend(kept.collect::<Vec<_>>());
    }

    /// How many instances were heard since then, and not handed on.
    pub fn heard_since(&self, since: SteadyTime) -> usize {
        let kept = self.kept.values();
        kept.filter(|beat| beat.came >= since).count()
    }

    /// How many are kept.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Returns whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Takes up to `most` of them, to hand them on.
    pub fn take(&mut self, most: usize) -> Vec<EchoedBeat> {
        let mut taken = Vec::new();
        while taken.len() < most
            && let Some((id, beat)) = self.kept.pop_first()
        {
            self.unwritten.remove(&id);
            taken.push(beat);
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn beat(id: &str, incarnation: Option<i64>, seconds: u64) -> EchoedBeat {
        EchoedBeat {
            id: id.into(),
            incarnation: incarnation.map(Incarnation::new),
            came: SteadyTime::new(Duration::from_secs(seconds)),
        }
    }

    #[test]
    fn the_newest_heartbeat_of_each_instance_is_kept() {
        let mut echoes = Echoes::default();
        for kept in [
            beat("a", Some(1), 1),
            beat("b", None, 2),
            beat("a", Some(1), 3),
            beat("a", Some(1), 2),
            beat("b", None, 9),
        ] {
            assert!(echoes.keep(kept));
        }
        assert_eq!(echoes.len(), 2);
        let since = |seconds| echoes.heard_since(SteadyTime::new(Duration::from_secs(seconds)));
        assert_eq!([3, 4, 9, 10].map(since), [2, 1, 1, 0]);
        assert!(echoes.keep(beat("a", Some(2), 1)), "of a newer life");
        assert_eq!(echoes.take(1), [beat("a", Some(2), 1)]);
        assert!(
            echoes.keep(beat("b", None, 5)),
            "a newer one is kept already"
        );
        assert_eq!(echoes.take(9), [beat("b", None, 9)]);
        assert!(echoes.is_empty());
    }

    #[test]
    fn each_heartbeat_is_written_once_and_kept_until_it_is_handed_on() {
        let mut echoes = Echoes::default();
        for kept in [beat("a", None, 1), beat("b", None, 1), beat("c", None, 1)] {
            echoes.keep(kept);
        }
        assert_eq!(
            echoes.unwritten(2),
            [beat("a", None, 1), beat("b", None, 1)]
        );
        assert_eq!(echoes.unwritten(9), [beat("c", None, 1)]);
        assert_eq!(echoes.unwritten(9), []);
        assert_eq!(echoes.len(), 3);
        // An older one is no news, a newer one is; what failed is written again as it is by then.
        echoes.keep(beat("a", None, 1));
        assert_eq!(echoes.unwritten(9), []);
        echoes.keep(beat("b", None, 5));
        echoes.not_written(vec![beat("b", None, 1), beat("c", None, 1)]);
        assert_eq!(
            echoes.unwritten(9),
            [beat("b", None, 5), beat("c", None, 1)]
        );
        // What the leader was told needs no row any more.
        echoes.keep(beat("a", None, 6));
        assert_eq!(echoes.take(9).len(), 3);
        echoes.not_written(vec![beat("b", None, 5)]);
        assert_eq!(echoes.unwritten(9), []);
    }

    #[test]
    fn a_heartbeat_beyond_the_limit_is_not_kept() {
        let mut echoes = Echoes::default();
        for number in 0..MOST_ECHOES {
            assert!(echoes.keep(beat(&number.to_string(), None, 1)));
        }
        assert!(!echoes.keep(beat("one more", None, 1)));
        assert!(echoes.keep(beat("7", None, 2)), "its instance is kept");
    }
}
