//! Every statement about the keys of callers, written once: `build.rs` makes the blocking ones of it.

use diesel::dsl::{count, count_star, max};
use diesel::prelude::{ExpressionMethods, OptionalExtension, QueryDsl, SelectableHelper};

use super::dialect::{Connection, RunQueryDsl};
use crate::domain::access::AccessKey;
use crate::domain::ids::KeyId;
use crate::domain::time::WallTime;
use crate::store::access::{KeyMark, KeyRow, NewKey, NewKeyRow, StoredKey};
use crate::store::error::StoreError;
use crate::store::schema::access_keys;

pub(super) async fn keys(c: &mut Connection) -> Result<Vec<StoredKey>, StoreError> {
    let rows: Vec<KeyRow> = access_keys::table
        .order(access_keys::id)
        .select(KeyRow::as_select())
        .load(c)
        .await?;
    rows.into_iter().map(StoredKey::try_from).collect()
}

pub(super) async fn key_mark(c: &mut Connection) -> Result<KeyMark, StoreError> {
    let (count, revoked, newest) = access_keys::table
        .select((
            count_star(),
            count(access_keys::revoked_at),
            max(access_keys::id),
        ))
        .get_result(c)
        .await?;
    Ok(KeyMark {
        count,
        revoked,
        newest,
    })
}

pub(super) async fn create_key(
    c: &mut Connection,
    key: &NewKey,
) -> Result<Option<KeyId>, StoreError> {
    let id: Option<i64> = diesel::insert_into(access_keys::table)
        .values(NewKeyRow::from(key))
        .on_conflict_do_nothing()
        .returning(access_keys::id)
        .get_result(c)
        .await
        .optional()?;
    Ok(id.map(KeyId::new))
}

pub(super) async fn revoke_key(
    c: &mut Connection,
    id: KeyId,
    at: WallTime,
) -> Result<Option<AccessKey>, StoreError> {
    let row = access_keys::table.find(id.get());
    diesel::update(row.filter(access_keys::revoked_at.is_null()))
        .set(access_keys::revoked_at.eq(at.as_micros()))
        .execute(c)
        .await?;
    let found: Option<KeyRow> = row.select(KeyRow::as_select()).first(c).await.optional()?;
    Ok(found
        .map(StoredKey::try_from)
        .transpose()?
        .map(|stored| stored.key))
}

pub(super) async fn save_key_uses(
    c: &mut Connection,
    uses: &[(KeyId, WallTime)],
) -> Result<(), StoreError> {
    for (id, at) in uses {
        diesel::update(access_keys::table.find(id.get()))
            .set(access_keys::last_used_at.eq(at.as_micros()))
            .execute(c)
            .await?;
    }
    Ok(())
}
