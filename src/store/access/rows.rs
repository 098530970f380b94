//! Rows of `access_keys`.

use std::fmt;

use diesel::prelude::*;

use super::contract::{NewKey, StoredKey};
use crate::domain::access::{AccessKey, KeyHash, Role};
use crate::domain::ids::KeyId;
use crate::domain::time::WallTime;
use crate::store::error::StoreError;
use crate::store::schema::access_keys;

/// A new row of `access_keys`; the database numbers it.
#[derive(Clone, Insertable)]
#[diesel(table_name = access_keys, treat_none_as_default_value = false)]
pub(in crate::store) struct NewKeyRow {
    hash: String,
    name: String,
    role: &'static str,
    server_ids: String,
    created_at: i64,
    expires_at: Option<i64>,
}

impl fmt::Debug for NewKeyRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewKeyRow({})", self.name)
    }
}

impl From<&NewKey> for NewKeyRow {
    fn from(new: &NewKey) -> Self {
        Self {
            hash: new.hash.to_hex(),
            name: new.draft.name.clone(),
            role: new.draft.role.as_str(),
            // A list of texts can always be written.
            server_ids: serde_json::to_string(&new.draft.server_ids).unwrap_or_default(),
            created_at: new.created_at.as_micros(),
            expires_at: new.draft.expires_at.map(WallTime::as_micros),
        }
    }
}

/// A row of `access_keys` as it is read.
#[derive(Clone, Queryable, Selectable)]
#[diesel(table_name = access_keys)]
pub(in crate::store) struct KeyRow {
    id: i64,
    hash: String,
    name: String,
    role: String,
    server_ids: String,
    created_at: i64,
    expires_at: Option<i64>,
    revoked_at: Option<i64>,
    last_used_at: Option<i64>,
}

impl TryFrom<KeyRow> for StoredKey {
    type Error = StoreError;

    fn try_from(row: KeyRow) -> Result<Self, StoreError> {
        // The value is not shown: it may be a hash.
        let unusable = |column: &str| {
            StoreError::Unusable(format!(
                "table `access_keys`, row {}: column `{column}` is not understood",
                row.id
            ))
        };
        let hash = KeyHash::from_hex(&row.hash).ok_or_else(|| unusable("hash"))?;
        let role = Role::from_word(&row.role).ok_or_else(|| unusable("role"))?;
        let server_ids =
            serde_json::from_str(&row.server_ids).map_err(|_| unusable("server_ids"))?;
        Ok(Self {
            key: AccessKey {
                id: KeyId::new(row.id),
                name: row.name,
                role,
                server_ids,
                created_at: WallTime::from_micros(row.created_at),
                expires_at: row.expires_at.map(WallTime::from_micros),
                revoked_at: row.revoked_at.map(WallTime::from_micros),
                last_used_at: row.last_used_at.map(WallTime::from_micros),
            },
            hash,
        })
    }
}
