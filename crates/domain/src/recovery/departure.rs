//! Instances that leave for good and wait for the end of their lease.
//!
//! That an instance is to leave is saved with it, so a list that is lost with the process is made
//! anew by the sweep. Each is tried when its lease is over, and again a while later for as long as
//! it cannot be saved.

use std::collections::BTreeMap;

use crate::ids::InstanceId;
use crate::time::Timestamp;

/// When which instance may be removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Departures {
    due: BTreeMap<InstanceId, Timestamp>,
}

impl Departures {
    /// An instance may be removed at a moment; a second call moves it.
    pub fn wait(&mut self, id: InstanceId, until: Timestamp) {
        self.due.insert(id, until);
    }

    /// Whether an instance waits.
    pub fn is_waiting(&self, id: &InstanceId) -> bool {
        self.due.contains_key(id)
    }

    /// Its worker has let go: it need not wait any longer. Whether it waited.
    pub fn let_go(&mut self, id: &InstanceId) -> bool {
        self.due.remove(id).is_some()
    }

    /// Takes those whose time has come.
    pub fn handle_deadline(&mut self, now: Timestamp) -> Vec<InstanceId> {
        let (due, rest) = std::mem::take(&mut self.due)
            .into_iter()
            .partition(|(_, until)| *until <= now);
        self.due = rest;
        due.into_keys().collect()
    }

    /// When the next one may be removed.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.due.values().min().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_leaves_when_its_time_has_come_and_once() {
        let at = Timestamp::from_micros;
        let mut departures = Departures::default();
        departures.wait("a".into(), at(10));
        departures.wait("b".into(), at(20));
        departures.wait("c".into(), at(30));
        assert_eq!(departures.next_deadline(), Some(at(10)));
        assert!(departures.handle_deadline(at(9)).is_empty());
        assert_eq!(departures.handle_deadline(at(20)), ["a".into(), "b".into()]);
        assert!(departures.handle_deadline(at(20)).is_empty());
        assert!(departures.let_go(&"c".into()));
        assert!(!departures.let_go(&"c".into()));
        assert_eq!(departures.next_deadline(), None);
    }
}
