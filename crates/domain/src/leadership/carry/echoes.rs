//! Heartbeats that this process answered with an echo, and that no leader knows yet: the newest of each
//! instance. They count for silence only.

use std::collections::BTreeMap;

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
}

impl Echoes {
    /// Keeps a heartbeat, unless a newer one of the instance is kept; returns whether it or a newer one is
    /// kept. One that is not kept must not be echoed, because no leader would hear of it.
    pub fn keep(&mut self, beat: EchoedBeat) -> bool {
        if self.kept.len() >= MOST_ECHOES && !self.kept.contains_key(&beat.id) {
            return false;
        }
        let age = |beat: &EchoedBeat| (beat.incarnation, beat.came);
        match self.kept.get_mut(&beat.id) {
            Some(kept) if age(kept) >= age(&beat) => {}
            Some(kept) => *kept = beat,
            None => {
                self.kept.insert(beat.id.clone(), beat);
            }
        }
        true
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
            && let Some((_, beat)) = self.kept.pop_first()
        {
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
    fn a_heartbeat_beyond_the_limit_is_not_kept() {
        let mut echoes = Echoes::default();
        for number in 0..MOST_ECHOES {
            assert!(echoes.keep(beat(&number.to_string(), None, 1)));
        }
        assert!(!echoes.keep(beat("one more", None, 1)));
        assert!(echoes.keep(beat("7", None, 2)), "its instance is kept");
    }
}
