//! Sessions of browsers: what a cookie stands for.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use crate::domain::access::KeyHash;
use crate::domain::ids::KeyId;
use crate::domain::time::WallTime;

/// How long a session lasts at the most.
pub const SESSION_LENGTH: Duration = Duration::from_secs(12 * 3_600);

/// How many sessions there are at the most; another one ends the oldest.
const MAX_SESSIONS: usize = 10_000;

/// How many sessions a key has at the most; another one ends its oldest, so that no key ends those of others.
const MAX_OF_KEY: usize = 100;

/// The sessions that are not over, by the hash of their secret.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    sessions: HashMap<KeyHash, (KeyId, WallTime)>,
    by_end: BTreeSet<(WallTime, KeyHash)>,
}

impl Sessions {
    /// Begins a session of a key; returns its end.
    pub(super) fn begin(&mut self, session: KeyHash, key: KeyId, now: WallTime) -> WallTime {
        self.expire(now);
        let is_of_key =
            |session: &KeyHash| self.sessions.get(session).is_some_and(|it| it.0 == key);
        let own: Vec<KeyHash> = self
            .by_end
            .iter()
            .map(|(_, session)| *session)
            .filter(is_of_key)
            .collect();
        let oldest = match own.first() {
            Some(oldest) if own.len() >= MAX_OF_KEY => Some(*oldest),
            Some(_) | None if self.sessions.len() >= MAX_SESSIONS => {
                self.by_end.first().map(|(_, session)| *session)
            }
            Some(_) | None => None,
        };
        if let Some(oldest) = oldest {
            self.end(&oldest);
        }
        let ends_at = now + SESSION_LENGTH;
        self.sessions.insert(session, (key, ends_at));
        self.by_end.insert((ends_at, session));
        ends_at
    }

    /// Returns the key of a session, and its end.
    pub(super) fn get(&self, session: &KeyHash, now: WallTime) -> Option<(KeyId, WallTime)> {
        let found = self.sessions.get(session).copied();
        found.filter(|(_, ends_at)| *ends_at > now)
    }

    /// Ends a session; returns whether there was one.
    pub(super) fn end(&mut self, session: &KeyHash) -> bool {
        match self.sessions.remove(session) {
            Some((_, ends_at)) => self.by_end.remove(&(ends_at, *session)),
            None => false,
        }
    }

    /// Keeps only the sessions of keys that are good.
    pub(super) fn retain(&mut self, is_good: impl Fn(KeyId) -> bool) {
        self.sessions.retain(|_, (key, _)| is_good(*key));
        let sessions = &self.sessions;
        self.by_end
            .retain(|(_, session)| sessions.contains_key(session));
    }

    fn expire(&mut self, now: WallTime) {
        while let Some((ends_at, session)) = self.by_end.first().copied()
            && ends_at <= now
        {
            self.by_end.pop_first();
            self.sessions.remove(&session);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(number: u16) -> KeyHash {
        let [high, low] = number.to_be_bytes();
        let mut hash = [0; 32];
        (hash[0], hash[1]) = (high, low);
        KeyHash::new(hash)
    }

    #[test]
    fn a_session_lasts_its_time_or_until_it_or_its_key_ends() {
        let mut sessions = Sessions::default();
        let (key, now) = (KeyId::new(7), WallTime::from_micros(0));
        let ends_at = sessions.begin(session(1), key, now);
        assert_eq!(ends_at, now + SESSION_LENGTH);
        assert_eq!(sessions.get(&session(1), now), Some((key, ends_at)));
        assert_eq!(sessions.get(&session(2), now), None);
        assert_eq!(sessions.get(&session(1), ends_at), None);
        assert!(sessions.end(&session(1)));
        assert!(!sessions.end(&session(1)));
        sessions.begin(session(2), key, now);
        sessions.retain(|id| id != key);
        assert_eq!(sessions.get(&session(2), now), None);
        assert!(sessions.by_end.is_empty());
    }

    #[test]
    fn a_key_that_begins_many_sessions_ends_its_own_alone() {
        let mut sessions = Sessions::default();
        let at = |second: u16| WallTime::from_micros(i64::from(second) * 1_000_000);
        sessions.begin(session(9_999), KeyId::new(1), at(0));
        for number in 0..500 {
            sessions.begin(session(number), KeyId::new(2), at(1 + number));
        }
        assert_eq!(sessions.sessions.len(), 1 + MAX_OF_KEY);
        assert!(sessions.get(&session(9_999), at(500)).is_some());
        assert!(sessions.get(&session(399), at(500)).is_none());
        assert!(sessions.get(&session(400), at(500)).is_some());
    }

    #[test]
    fn the_memory_is_bounded() {
        let mut sessions = Sessions::default();
        let most = u16::try_from(MAX_SESSIONS).unwrap();
        for number in 0..=most {
            let moment = WallTime::from_micros(i64::from(number));
            let key = KeyId::new(i64::from(number / 100));
            sessions.begin(session(number), key, moment);
        }
        assert_eq!(sessions.sessions.len(), MAX_SESSIONS);
        assert_eq!(sessions.by_end.len(), MAX_SESSIONS);
        let now = WallTime::from_micros(i64::from(most));
        assert_eq!(sessions.get(&session(0), now), None);
        assert!(sessions.get(&session(1), now).is_some());
        sessions.begin(session(most), KeyId::new(1), now + SESSION_LENGTH * 2);
        assert_eq!(sessions.sessions.len(), 1, "those that are over go");
    }
}
