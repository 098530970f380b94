//! The copy of all keys that requests are checked by.
//!
//! The copy is replaced as a whole. What waits on behalf of a caller (a long poll, a stream of events) hears of each
//! replacement and looks whether its caller is still good, so a revoked key ends them at once.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use subtle::ConstantTimeEq;
use tokio::sync::watch;

use super::secret::{hash_of, new_secret};
use super::sessions::Sessions;
use crate::clock::Clock;
use crate::domain::access::{
    AccessKey, Attempts, Caller, Credential, KeyHash, KeyRefusal, KeySecret, Role, Scope, Throttle,
    judge_key,
};
use crate::domain::ids::KeyId;
use crate::domain::time::{Timestamp, WallTime};
use crate::store::{KeyMark, StoredKey};

/// Why a credential does not do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum CredentialFault {
    /// The keys were not read yet.
    NotRead,
    /// It is no key at all.
    Malformed,
    /// No key is this one.
    Unknown,
    /// The key is known, and its time is over.
    Expired { name: Arc<str>, at: WallTime },
    /// The key is known, and was revoked.
    Revoked { name: Arc<str>, at: WallTime },
    /// The session is over, or there never was one.
    NoSession,
}

/// A key in the copy.
#[derive(Debug)]
struct Held {
    key: AccessKey,
    hash: KeyHash,
    name: Arc<str>,
    scope: Scope,
    /// Whether it was used since its last use was noted.
    is_used: AtomicBool,
    /// The last use, in microseconds; 0: never.
    last_used: AtomicI64,
}

impl Held {
    fn caller(&self, credential: Credential, expires_at: Option<WallTime>) -> Caller {
        Caller {
            role: self.key.role,
            credential,
            name: Some(self.name.clone()),
            scope: self.scope.clone(),
            expires_at,
        }
    }

    fn judged(&self, now: WallTime) -> Result<(), CredentialFault> {
        let name = || self.name.clone();
        judge_key(&self.key, now).map_err(|refusal| match refusal {
            KeyRefusal::Expired(at) => CredentialFault::Expired { name: name(), at },
            KeyRefusal::Revoked(at) => CredentialFault::Revoked { name: name(), at },
        })
    }

    /// Notes a use. Nearly all requests only look: a write would have the processors exchange memory.
    fn note_use(&self) {
        if !self.is_used.load(Ordering::Relaxed) {
            self.is_used.store(true, Ordering::Relaxed);
        }
    }
}

/// All keys at one moment.
#[derive(Debug, Default)]
struct KeyCopy {
    mark: Option<KeyMark>,
    by_shelf: HashMap<u64, Vec<Arc<Held>>>,
    by_id: BTreeMap<KeyId, Arc<Held>>,
}

impl KeyCopy {
    fn find(&self, hash: &KeyHash) -> Option<&Arc<Held>> {
        let shelf = self.by_shelf.get(&hash.shelf())?;
        let is_it = |held: &&Arc<Held>| bool::from(held.hash.bytes().ct_eq(hash.bytes()));
        shelf.iter().find(is_it)
    }
}

/// Whether callers need a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum KeyDemand {
    Required,
    NotRequired,
}

impl KeyDemand {
    /// Returns the demand of the setting `AUTH`.
    pub const fn of_setting(is_required: bool) -> Self {
        match is_required {
            true => Self::Required,
            false => Self::NotRequired,
        }
    }
}

struct Shared {
    clock: Clock,
    demand: KeyDemand,
    copy: RwLock<Arc<KeyCopy>>,
    changed: watch::Sender<u64>,
    sessions: Mutex<Sessions>,
    throttle: Mutex<Throttle>,
    attempts: Mutex<Attempts>,
    may_be_old: AtomicBool,
}

/// The keys, sessions and failed attempts. Clones are the same.
#[derive(Clone)]
pub struct Keyring(Arc<Shared>);

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyring({} keys)", self.copy().by_id.len())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Keyring {
    /// Creates a ring whose keys were not read yet.
    pub fn new(clock: Clock, demand: KeyDemand) -> Self {
        Self(Arc::new(Shared {
            clock,
            demand,
            copy: RwLock::default(),
            changed: watch::Sender::new(0),
            sessions: Mutex::default(),
            throttle: Mutex::default(),
            attempts: Mutex::default(),
            may_be_old: AtomicBool::new(false),
        }))
    }

    /// Begins with the keys that another ring has, until they are read again. It has no sessions.
    #[must_use]
    pub fn succeeding(self, before: &Self) -> Self {
        *self.0.copy.write().unwrap_or_else(PoisonError::into_inner) = before.copy();
        self
    }

    fn copy(&self) -> Arc<KeyCopy> {
        let copy = self.0.copy.read();
        copy.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces the copy by what the store has. A key that is known to be revoked stays so: what was read before the
    /// revocation may arrive after it.
    pub fn replace(&self, keys: Vec<StoredKey>) {
        let before = self.copy();
        let mut copy = KeyCopy {
            mark: Some(KeyMark::of(&keys)),
            ..KeyCopy::default()
        };
        for StoredKey { mut key, hash } in keys {
            let known = before.by_id.get(&key.id);
            key.revoked_at = key
                .revoked_at
                .or(known.and_then(|held| held.key.revoked_at));
            let noted = known.map_or(0, |held| held.last_used.load(Ordering::Relaxed));
            let stored = key.last_used_at.map_or(0, WallTime::as_micros);
            let is_used = known.is_some_and(|held| held.is_used.load(Ordering::Relaxed));
            let held = Arc::new(Held {
                name: key.name.as_str().into(),
                scope: Scope::of(&key.server_ids),
                hash,
                is_used: AtomicBool::new(is_used),
                last_used: AtomicI64::new(noted.max(stored)),
                key,
            });
            copy.by_id.insert(held.key.id, held.clone());
            copy.by_shelf.entry(hash.shelf()).or_default().push(held);
        }
        let copy = Arc::new(copy);
        let now = self.0.clock.wall();
        lock(&self.0.sessions).retain(|id| {
            let held = copy.by_id.get(&id);
            held.is_some_and(|held| held.judged(now).is_ok())
        });
        *self.0.copy.write().unwrap_or_else(PoisonError::into_inner) = copy;
        self.0.changed.send_modify(|version| *version += 1);
    }

    /// Returns the mark of the copy; `None` before the keys are read.
    pub fn mark(&self) -> Option<KeyMark> {
        self.copy().mark
    }

    /// Returns whether callers need a key.
    pub fn is_in_force(&self) -> bool {
        self.0.demand == KeyDemand::Required
    }

    /// Returns whether an admin has a good key: without one, no caller can make keys over HTTP.
    pub fn has_admin(&self) -> bool {
        let now = self.0.clock.wall();
        let copy = self.copy();
        let mut keys = copy.by_id.values();
        keys.any(|held| held.key.role == Role::Admin && held.judged(now).is_ok())
    }

    /// Returns whether a key is known to be revoked.
    pub(super) fn is_revoked(&self, id: KeyId) -> bool {
        let copy = self.copy();
        let held = copy.by_id.get(&id);
        held.is_some_and(|held| held.key.revoked_at.is_some())
    }

    /// Returns the caller that has this key.
    ///
    /// # Errors
    /// Returns why the key does not do.
    pub fn check(&self, text: &str) -> Result<Caller, CredentialFault> {
        let secret = KeySecret::parse(text).ok_or(CredentialFault::Malformed)?;
        let copy = self.copy();
        if copy.mark.is_none() {
            return Err(CredentialFault::NotRead);
        }
        let held = copy
            .find(&hash_of(&secret))
            .ok_or(CredentialFault::Unknown)?;
        if held.key.expires_at.is_some() || held.key.revoked_at.is_some() {
            held.judged(self.0.clock.wall())?;
        }
        held.note_use();
        Ok(held.caller(Credential::Key(held.key.id), held.key.expires_at))
    }

    /// Begins a session of a caller; returns its secret and its end. `None` if the caller has no key.
    pub fn begin_session(&self, caller: &Caller) -> Option<(KeySecret, WallTime)> {
        let Credential::Key(key) = caller.credential else {
            return None;
        };
        let secret = new_secret();
        let now = self.0.clock.wall();
        let ends_at = lock(&self.0.sessions).begin(hash_of(&secret), key, now);
        Some((
            secret,
            caller.expires_at.map_or(ends_at, |at| at.min(ends_at)),
        ))
    }

    /// Returns the caller of a session.
    ///
    /// # Errors
    /// Returns why the session does not do.
    pub fn check_session(&self, secret: &KeySecret) -> Result<Caller, CredentialFault> {
        let (session, now) = (hash_of(secret), self.0.clock.wall());
        let found = lock(&self.0.sessions).get(&session, now);
        let copy = self.copy();
        if copy.mark.is_none() {
            return Err(CredentialFault::NotRead);
        }
        let (key, ends_at) = found.ok_or(CredentialFault::NoSession)?;
        let held = copy.by_id.get(&key).ok_or(CredentialFault::NoSession)?;
        held.judged(now)?;
        held.note_use();
        let ends_at = held.key.expires_at.map_or(ends_at, |at| at.min(ends_at));
        Ok(held.caller(Credential::Session { key, session }, Some(ends_at)))
    }

    /// Ends the session of a caller; returns whether it had one.
    pub fn end_session(&self, caller: &Caller) -> bool {
        let Credential::Session { session, .. } = &caller.credential else {
            return false;
        };
        let has_ended = lock(&self.0.sessions).end(session);
        self.0.changed.send_modify(|version| *version += 1);
        has_ended
    }

    /// Returns once a caller is not good any more: its key was revoked or has expired, or its session was ended.
    pub async fn ended(&self, caller: &Caller) {
        let mut changed = self.0.changed.subscribe();
        while self.is_good(caller) {
            let now = self.0.clock.wall();
            let left = caller.expires_at.map(|at| at.since(now));
            // A wall clock may be set back, so the end is looked at again.
            let left = left.map(|left| left.max(Duration::from_millis(10)));
            tokio::select! {
                biased;
                heard = changed.changed() => if heard.is_err() {
                    return;
                },
                () = sleep_for(left) => {}
            }
        }
    }

    fn is_good(&self, caller: &Caller) -> bool {
        let now = self.0.clock.wall();
        let is_key_good = |id: &KeyId| {
            let copy = self.copy();
            let held = copy.by_id.get(id);
            held.is_some_and(|held| held.judged(now).is_ok())
        };
        match &caller.credential {
            // A certificate is judged by its connection, which ends with it.
            Credential::NotNeeded | Credential::Certificate | Credential::Network => true,
            Credential::Key(key) => is_key_good(key),
            Credential::Session { key, session } => {
                lock(&self.0.sessions).get(session, now).is_some() && is_key_good(key)
            }
        }
    }

    /// Notes a failed attempt. Returns how long the caller is to wait if it had none left.
    pub fn failed(&self, address: IpAddr) -> Option<Duration> {
        {
            let mut attempts = lock(&self.0.attempts);
            attempts.count = attempts.count.saturating_add(1);
            attempts.last = Some(address);
        }
        let now: Timestamp = self.0.clock.awake();
        lock(&self.0.throttle).failed(address, now)
    }

    /// Returns the failed attempts since the last call.
    pub(super) fn take_attempts(&self) -> Attempts {
        std::mem::take(&mut *lock(&self.0.attempts))
    }

    /// Notes that the copy may be older than the store.
    pub(super) fn doubt(&self) {
        self.0.may_be_old.store(true, Ordering::Relaxed);
    }

    /// Returns whether the copy may be older than the store, and forgets it.
    pub(super) fn take_doubt(&self) -> bool {
        self.0.may_be_old.swap(false, Ordering::Relaxed)
    }

    /// Returns all keys, in the order in which they were made, with their last uses.
    pub fn list(&self) -> Vec<AccessKey> {
        self.note_uses();
        let copy = self.copy();
        let keys = copy.by_id.values().map(|held| {
            let last_used = held.last_used.load(Ordering::Relaxed);
            AccessKey {
                last_used_at: (last_used > 0).then(|| WallTime::from_micros(last_used)),
                ..held.key.clone()
            }
        });
        keys.collect()
    }

    fn note_uses(&self) {
        let now = self.0.clock.wall().as_micros();
        for held in self.copy().by_id.values() {
            if held.is_used.swap(false, Ordering::Relaxed) {
                held.last_used.store(now, Ordering::Relaxed);
            }
        }
    }

    /// Returns the last uses that the store does not have.
    pub(super) fn unsaved_uses(&self) -> Vec<(KeyId, WallTime)> {
        let keys = self.list();
        let copy = self.copy();
        let stored = |id: &KeyId| copy.by_id.get(id).and_then(|held| held.key.last_used_at);
        let uses = keys
            .iter()
            .filter_map(|key| Some((key.id, key.last_used_at?)));
        uses.filter(|(id, at)| stored(id).is_none_or(|stored| stored < *at))
            .collect()
    }
}

async fn sleep_for(left: Option<Duration>) {
    match left {
        Some(left) => tokio::time::sleep(left).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
