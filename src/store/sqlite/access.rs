//! Keys of callers in a SQLite file.

use async_trait::async_trait;

use super::adapter::SqliteStore;
use super::keeping_keys;
use crate::domain::access::AccessKey;
use crate::domain::ids::KeyId;
use crate::domain::time::WallTime;
use crate::store::access::{AccessStore, KeyMark, NewKey, StoredKey};
use crate::store::error::StoreError;

#[async_trait]
impl AccessStore for SqliteStore {
    async fn keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        self.read(keeping_keys::keys).await
    }

    async fn key_mark(&self) -> Result<KeyMark, StoreError> {
        self.read(keeping_keys::key_mark).await
    }

    async fn create_key(&self, key: &NewKey) -> Result<Option<KeyId>, StoreError> {
        let key = key.clone();
        self.write(move |c| keeping_keys::create_key(c, &key)).await
    }

    async fn revoke_key(&self, id: KeyId, at: WallTime) -> Result<Option<AccessKey>, StoreError> {
        self.write(move |c| keeping_keys::revoke_key(c, id, at))
            .await
    }

    async fn save_key_uses(&self, uses: &[(KeyId, WallTime)]) -> Result<(), StoreError> {
        let uses = uses.to_vec();
        self.write(move |c| keeping_keys::save_key_uses(c, &uses))
            .await
    }
}
