//! The keys of callers, on all three stores.

#![expect(
    clippy::unwrap_used,
    reason = "the cases are tests, though the attribute is on what the macro makes of them"
)]

use std::sync::Arc;

use resilient_orchestrator::domain::access::{KeyDraft, KeyHash, Role, ServerIdPattern};
use resilient_orchestrator::domain::ids::KeyId;
use resilient_orchestrator::domain::timeline::Recent;
use resilient_orchestrator::store::{Expiry, KeyMark, NewKey, Store};

use crate::conformance::conformance;
use crate::support::fleets::at;

type AnyStore = Arc<dyn Store>;

conformance! {
    a_key_is_kept_as_it_was_made,
    a_name_belongs_to_one_key_until_it_is_revoked,
    a_revocation_is_kept_with_its_first_moment,
    the_mark_differs_after_each_change,
    last_uses_are_kept,
    revoked_keys_go_when_they_are_old,
}

fn key(name: &str, hash: u8) -> NewKey {
    NewKey {
        draft: KeyDraft {
            name: name.to_owned(),
            role: Role::Worker,
            server_ids: vec![
                ServerIdPattern::parse("a-*").unwrap(),
                ServerIdPattern::parse("b \"'").unwrap(),
            ],
            expires_at: Some(at(100)),
        },
        hash: KeyHash::new([hash; 32]),
        created_at: at(7),
    }
}

async fn create(store: &AnyStore, name: &str, hash: u8) -> KeyId {
    store.create_key(&key(name, hash)).await.unwrap().unwrap()
}

async fn mark(store: &AnyStore) -> KeyMark {
    let mark = store.key_mark().await.unwrap();
    let keys = store.keys().await.unwrap();
    assert_eq!(mark, KeyMark::of(&keys));
    mark
}

async fn a_key_is_kept_as_it_was_made(store: AnyStore) {
    assert_eq!(store.keys().await.unwrap(), []);
    let id = create(&store, "rack", 1).await;
    let other = NewKey {
        draft: KeyDraft {
            role: Role::Admin,
            server_ids: Vec::new(),
            expires_at: None,
            ..key("ops", 2).draft
        },
        ..key("ops", 2)
    };
    let second = store.create_key(&other).await.unwrap().unwrap();
    assert!(second > id);
    let keys = store.keys().await.unwrap();
    assert_eq!(keys.len(), 2);
    let (stored, made) = (&keys[0], key("rack", 1));
    assert_eq!((stored.key.id, stored.hash), (id, made.hash));
    assert_eq!(stored.key.name, "rack");
    assert_eq!(stored.key.role, Role::Worker);
    assert_eq!(stored.key.server_ids, made.draft.server_ids);
    assert_eq!(
        (stored.key.created_at, stored.key.expires_at),
        (at(7), Some(at(100)))
    );
    assert_eq!(
        (stored.key.revoked_at, stored.key.last_used_at),
        (None, None)
    );
    assert_eq!(
        (keys[1].key.role, keys[1].key.expires_at),
        (Role::Admin, None)
    );
    assert!(keys[1].key.server_ids.is_empty());
}

async fn a_name_belongs_to_one_key_until_it_is_revoked(store: AnyStore) {
    let id = create(&store, "rack", 1).await;
    assert_eq!(store.create_key(&key("rack", 2)).await.unwrap(), None);
    assert_eq!(
        store.create_key(&key("other", 1)).await.unwrap(),
        None,
        "the hash is taken"
    );
    store.revoke_key(id, at(8)).await.unwrap();
    let next = create(&store, "rack", 2).await;
    assert!(next > id, "ids are not used again");
}

async fn a_revocation_is_kept_with_its_first_moment(store: AnyStore) {
    let id = create(&store, "rack", 1).await;
    assert_eq!(store.revoke_key(KeyId::new(99), at(8)).await.unwrap(), None);
    for moment in [8, 9] {
        let revoked = store.revoke_key(id, at(moment)).await.unwrap().unwrap();
        assert_eq!((revoked.id, revoked.revoked_at), (id, Some(at(8))));
    }
    assert_eq!(store.keys().await.unwrap()[0].key.revoked_at, Some(at(8)));
}

async fn the_mark_differs_after_each_change(store: AnyStore) {
    let empty = mark(&store).await;
    let id = create(&store, "a", 1).await;
    let one = mark(&store).await;
    create(&store, "b", 2).await;
    let two = mark(&store).await;
    store.revoke_key(id, at(8)).await.unwrap();
    let revoked = mark(&store).await;
    let marks = [empty, one, two, revoked];
    for (place, mark) in marks.iter().enumerate() {
        assert!(!marks[place + 1..].contains(mark), "{marks:?}");
    }
}

async fn last_uses_are_kept(store: AnyStore) {
    let (first, second) = (create(&store, "a", 1).await, create(&store, "b", 2).await);
    let uses = [(first, at(20)), (KeyId::new(99), at(20))];
    store.save_key_uses(&uses).await.unwrap();
    store.save_key_uses(&[(first, at(30))]).await.unwrap();
    store.save_key_uses(&[]).await.unwrap();
    let keys = store.keys().await.unwrap();
    assert_eq!(keys[0].key.last_used_at, Some(at(30)));
    assert_eq!((keys[1].key.id, keys[1].key.last_used_at), (second, None));
}

async fn revoked_keys_go_when_they_are_old(store: AnyStore) {
    let old = create(&store, "old", 1).await;
    let recent = create(&store, "recent", 2).await;
    let good = create(&store, "good", 3).await;
    store.revoke_key(old, at(50)).await.unwrap();
    store.revoke_key(recent, at(100)).await.unwrap();
    let everything = || Recent::since(at(0));
    let expiry = Expiry {
        metrics: everything(),
        events: Recent::since(at(100)),
        alerts: everything(),
        incidents: everything(),
        health: everything(),
        most_health_rows: 1_000,
    };
    while store.prune(&expiry).await.unwrap() > 0 {}
    let left: Vec<KeyId> = store
        .keys()
        .await
        .unwrap()
        .iter()
        .map(|stored| stored.key.id)
        .collect();
    assert_eq!(left, [recent, good]);
}
