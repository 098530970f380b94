//! The part of every store that keeps the keys of callers.
//!
//! The program keeps a copy of all keys in memory, so no request waits for the store. Another process may make or
//! revoke a key in the same database; a [`KeyMark`] shows whether the copy is still the newest.

use async_trait::async_trait;

use crate::domain::access::{AccessKey, KeyDraft, KeyHash};
use crate::domain::ids::KeyId;
use crate::domain::time::WallTime;
use crate::store::error::StoreError;

/// A key, and the hash of its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct StoredKey {
    pub key: AccessKey,
    pub hash: KeyHash,
}

/// A key that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct NewKey {
    pub draft: KeyDraft,
    pub hash: KeyHash,
    pub created_at: WallTime,
}

/// Differs whenever a key was made, revoked or deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct KeyMark {
    pub count: i64,
    pub revoked: i64,
    pub newest: Option<i64>,
}

impl KeyMark {
    /// Returns the mark of keys that were read.
    pub fn of(keys: &[StoredKey]) -> Self {
        let length = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let revoked = keys.iter().filter(|stored| stored.key.revoked_at.is_some());
        Self {
            count: length(keys.len()),
            revoked: length(revoked.count()),
            newest: keys.iter().map(|stored| stored.key.id.get()).max(),
        }
    }
}

/// Keeps the keys of callers.
#[async_trait]
pub trait AccessStore: Send + Sync {
    /// Returns every key, in the order in which they were made.
    ///
    /// # Errors
    /// If the store cannot be reached.
    async fn keys(&self) -> Result<Vec<StoredKey>, StoreError>;

    /// Returns whether the keys are still those that were read: their mark now.
    ///
    /// # Errors
    /// If the store cannot be reached.
    async fn key_mark(&self) -> Result<KeyMark, StoreError>;

    /// Saves a new key; returns its id, or `None` if a key of that name is there and not revoked.
    ///
    /// # Errors
    /// If the store cannot be reached.
    async fn create_key(&self, key: &NewKey) -> Result<Option<KeyId>, StoreError>;

    /// Marks a key as revoked, unless it is already; returns it as it is now, `None` if there is no such key.
    ///
    /// # Errors
    /// If the store cannot be reached. Repeating is harmless.
    async fn revoke_key(&self, id: KeyId, at: WallTime) -> Result<Option<AccessKey>, StoreError>;

    /// Saves when keys were used last.
    ///
    /// # Errors
    /// If the store cannot be reached. Repeating is harmless.
    async fn save_key_uses(&self, uses: &[(KeyId, WallTime)]) -> Result<(), StoreError>;
}
