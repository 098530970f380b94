//! Keys of callers in memory.

use async_trait::async_trait;

use super::adapter::MemoryStore;
use crate::domain::access::AccessKey;
use crate::domain::ids::KeyId;
use crate::domain::time::WallTime;
use crate::store::access::{AccessStore, KeyMark, NewKey, StoredKey};
use crate::store::error::StoreError;

#[async_trait]
impl AccessStore for MemoryStore {
    async fn keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        Ok(self.tables().keys.values().cloned().collect())
    }

    async fn key_mark(&self) -> Result<KeyMark, StoreError> {
        let keys: Vec<StoredKey> = self.tables().keys.values().cloned().collect();
        Ok(KeyMark::of(&keys))
    }

    async fn create_key(&self, new: &NewKey) -> Result<Option<KeyId>, StoreError> {
        let tables = &mut *self.tables();
        let is_taken = tables.keys.values().any(|stored| {
            stored.hash == new.hash
                || (stored.key.name == new.draft.name && stored.key.revoked_at.is_none())
        });
        if is_taken {
            return Ok(None);
        }
        tables.last_key = tables.last_key.next();
        let id = tables.last_key;
        let draft = new.draft.clone();
        let key = AccessKey {
            id,
            name: draft.name,
            role: draft.role,
            server_ids: draft.server_ids,
            created_at: new.created_at,
            expires_at: draft.expires_at,
            revoked_at: None,
            last_used_at: None,
        };
        let hash = new.hash;
        tables.keys.insert(id, StoredKey { key, hash });
        Ok(Some(id))
    }

    async fn revoke_key(&self, id: KeyId, at: WallTime) -> Result<Option<AccessKey>, StoreError> {
        let tables = &mut *self.tables();
        let Some(stored) = tables.keys.get_mut(&id) else {
            return Ok(None);
        };
        stored.key.revoked_at.get_or_insert(at);
        Ok(Some(stored.key.clone()))
    }

    async fn save_key_uses(&self, uses: &[(KeyId, WallTime)]) -> Result<(), StoreError> {
        let tables = &mut *self.tables();
        for (id, at) in uses {
            if let Some(stored) = tables.keys.get_mut(id) {
                stored.key.last_used_at = Some(*at);
            }
        }
        Ok(())
    }
}
