//! The keys of callers, as admins handle them.

use super::facade::{Orchestrator, ask};
use crate::actors::access::{AccessRefusal, CreateKey, CreatedKey, Keyring, RevokeKey};
use crate::actors::on_behalf::OnBehalf;
use crate::domain::access::{AccessKey, KeyDraft};
use crate::domain::ids::KeyId;

impl Orchestrator {
    /// Returns the keys that requests are checked by.
    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// Makes a key.
    ///
    /// # Errors
    /// If it was not saved, with the reason.
    pub async fn create_key(&self, draft: KeyDraft) -> Result<CreatedKey, AccessRefusal> {
        ask(&self.keys, OnBehalf::of_current(CreateKey(draft))).await?
    }

    /// Revokes a key.
    ///
    /// # Errors
    /// If it was not revoked, with the reason.
    pub async fn revoke_key(&self, id: KeyId) -> Result<AccessKey, AccessRefusal> {
        ask(&self.keys, OnBehalf::of_current(RevokeKey(id))).await?
    }
}
