//! Instances that leave for good and wait for the end of their lease.
//!
//! The order to leave is saved with the instance, so the sweep can rebuild a list that is lost with
//! the process. Each removal is tried when the lease is over, and again after a while for as long
//! as it cannot be saved.

use std::collections::BTreeMap;

use crate::ids::InstanceId;
use crate::time::Timestamp;

/// The moments at which instances may be removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Departures {
    due: BTreeMap<InstanceId, Timestamp>,
}

impl Departures {
    /// Notes when an instance may be removed; a second call moves the moment.
    pub fn wait(&mut self, id: InstanceId, until: Timestamp) {
        self.due.insert(id, until);
    }

    /// Returns whether an instance waits.
    pub fn is_waiting(&self, id: &InstanceId) -> bool {
        self.due.contains_key(id)
    }

    /// Ends the wait of an instance whose worker has released its streams. Returns whether it
    /// waited.
    pub fn let_go(&mut self, id: &InstanceId) -> bool {
        self.due.remove(id).is_some()
    }

    /// Takes the instances whose time has come.
    pub fn handle_deadline(&mut self, now: Timestamp) -> Vec<InstanceId> {
        let (due, rest) = std::mem::take(&mut self.due)
            .into_iter()
            .partition(|(_, until)| *until <= now);
        self.due = rest;
        due.into_keys().collect()
    }

    /// Returns when the next instance may be removed.
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
