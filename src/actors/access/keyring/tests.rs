//! What the keyring lets in, and when it ends a wait.

use super::*;
use crate::clock::testing::VirtualTime;
use crate::domain::access::ServerIdPattern;

const NOW: WallTime = WallTime::from_micros(1_767_225_600_000_000);

fn ring() -> Keyring {
    Keyring::new(VirtualTime::starting_at(NOW).clock(), KeyDemand::Required)
}

fn key(id: i64, role: Role, secret: &KeySecret) -> StoredKey {
    StoredKey {
        key: AccessKey {
            id: KeyId::new(id),
            name: format!("key-{id}"),
            role,
            server_ids: vec![ServerIdPattern::parse("a-*").unwrap()],
            created_at: NOW,
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
        },
        hash: hash_of(secret),
    }
}

fn soon(seconds: u64) -> WallTime {
    NOW + Duration::from_secs(seconds)
}

#[tokio::test(start_paused = true)]
async fn a_key_is_known_by_its_secret_alone() {
    let (ring, secret) = (ring(), new_secret());
    let text = secret.expose();
    assert_eq!(ring.check(&text), Err(CredentialFault::NotRead));
    assert_eq!(ring.mark(), None);
    ring.replace(vec![
        key(1, Role::Worker, &secret),
        key(2, Role::Admin, &new_secret()),
    ]);
    let caller = ring.check(&text).unwrap();
    assert_eq!(caller.role, Role::Worker);
    assert_eq!(caller.name.as_deref(), Some("key-1"));
    assert!(caller.scope.allows("a-1") && !caller.scope.allows("b"));
    assert_eq!(
        ring.check(&new_secret().expose()),
        Err(CredentialFault::Unknown)
    );
    for text in ["", "ork_", "Bearer", &text[..46]] {
        assert_eq!(ring.check(text), Err(CredentialFault::Malformed), "{text}");
    }
    assert!(!format!("{ring:?}").contains(&text[4..]));
}

#[tokio::test(start_paused = true)]
async fn a_ring_that_follows_another_one_knows_its_keys_and_no_sessions() {
    let (before, secret) = (ring(), new_secret());
    before.replace(vec![key(1, Role::Worker, &secret)]);
    let caller = before.check(&secret.expose()).unwrap();
    let (session, _) = before.begin_session(&caller).unwrap();
    let after = ring().succeeding(&before);
    assert_eq!(after.check(&secret.expose()), Ok(caller));
    assert_eq!(after.mark(), before.mark());
    assert!(before.check_session(&session).is_ok());
    assert_eq!(
        after.check_session(&session),
        Err(CredentialFault::NoSession)
    );
    // It is a ring of its own.
    after.replace(Vec::new());
    assert!(before.check(&secret.expose()).is_ok());
    assert_eq!(after.check(&secret.expose()), Err(CredentialFault::Unknown));
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_over_is_told_so_only_to_its_holder() {
    let (ring, expired, revoked) = (ring(), new_secret(), new_secret());
    let mut keys = vec![
        key(1, Role::Viewer, &expired),
        key(2, Role::Admin, &revoked),
    ];
    keys[0].key.expires_at = Some(soon(60));
    ring.replace(keys.clone());
    assert!(ring.check(&expired.expose()).is_ok());
    assert!(ring.has_admin());
    keys[1].key.revoked_at = Some(NOW);
    ring.replace(keys);
    assert!(!ring.has_admin());
    tokio::time::sleep(Duration::from_secs(61)).await;
    let fault = ring.check(&expired.expose()).unwrap_err();
    assert!(
        matches!(fault, CredentialFault::Expired { name, at } if &*name == "key-1" && at == soon(60))
    );
    let fault = ring.check(&revoked.expose()).unwrap_err();
    assert!(
        matches!(fault, CredentialFault::Revoked { name, at } if &*name == "key-2" && at == NOW)
    );
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_when_the_key_is_revoked_or_expires() {
    let (ring, secret) = (ring(), new_secret());
    let mut stored = key(1, Role::Viewer, &secret);
    stored.key.expires_at = Some(soon(100));
    ring.replace(vec![stored.clone()]);
    let caller = ring.check(&secret.expose()).unwrap();
    let limit = Duration::from_secs(99);
    assert!(
        tokio::time::timeout(limit, ring.ended(&caller))
            .await
            .is_err()
    );
    let limit = Duration::from_secs(2);
    assert!(
        tokio::time::timeout(limit, ring.ended(&caller))
            .await
            .is_ok()
    );

    stored.key.expires_at = None;
    ring.replace(vec![stored.clone()]);
    let caller = ring.check(&secret.expose()).unwrap();
    let mut ended = std::pin::pin!(ring.ended(&caller));
    assert!(tokio::time::timeout(limit, &mut ended).await.is_err());
    ring.replace(vec![stored.clone(), key(2, Role::Viewer, &new_secret())]);
    assert!(
        tokio::time::timeout(limit, &mut ended).await.is_err(),
        "another key was made"
    );
    stored.key.revoked_at = Some(NOW);
    ring.replace(vec![stored]);
    assert!(
        tokio::time::timeout(Duration::ZERO, &mut ended)
            .await
            .is_ok()
    );
    let unrestricted = Caller::unrestricted();
    let never = ring.ended(&unrestricted);
    assert!(
        tokio::time::timeout(Duration::from_secs(9_999), never)
            .await
            .is_err()
    );
}

#[tokio::test(start_paused = true)]
async fn a_session_ends_with_its_key_or_by_order() {
    let (ring, secret) = (ring(), new_secret());
    let stored = key(1, Role::Operator, &secret);
    ring.replace(vec![stored.clone()]);
    let caller = ring.check(&secret.expose()).unwrap();
    let (first, _) = ring.begin_session(&caller).unwrap();
    let (second, ends_at) = ring.begin_session(&caller).unwrap();
    assert_eq!(ends_at, soon(12 * 3_600));
    let by_session = ring.check_session(&first).unwrap();
    assert_eq!(
        (by_session.role, by_session.expires_at),
        (Role::Operator, Some(ends_at))
    );
    assert_eq!(
        ring.begin_session(&by_session),
        None,
        "a session begins no other"
    );
    assert_eq!(
        ring.check(&first.expose()),
        Err(CredentialFault::Unknown),
        "it is no key"
    );
    let mut waiting = std::pin::pin!(ring.ended(&by_session));
    assert!(
        tokio::time::timeout(Duration::ZERO, &mut waiting)
            .await
            .is_err()
    );
    assert!(ring.end_session(&by_session));
    assert!(
        tokio::time::timeout(Duration::ZERO, &mut waiting)
            .await
            .is_ok()
    );
    assert_eq!(ring.check_session(&first), Err(CredentialFault::NoSession));
    assert!(ring.check_session(&second).is_ok());
    let mut revoked = stored;
    revoked.key.revoked_at = Some(NOW);
    ring.replace(vec![revoked]);
    assert_eq!(ring.check_session(&second), Err(CredentialFault::NoSession));
}

#[tokio::test(start_paused = true)]
async fn last_uses_are_noted_and_survive_a_new_copy() {
    let (ring, secret) = (ring(), new_secret());
    let mut stored = key(1, Role::Viewer, &secret);
    ring.replace(vec![stored.clone()]);
    assert_eq!(ring.list()[0].last_used_at, None);
    assert!(ring.unsaved_uses().is_empty());
    ring.check(&secret.expose()).unwrap();
    ring.replace(vec![stored.clone()]);
    assert_eq!(ring.unsaved_uses(), [(KeyId::new(1), NOW)]);
    stored.key.last_used_at = Some(NOW);
    ring.replace(vec![stored]);
    assert!(ring.unsaved_uses().is_empty());
    assert_eq!(ring.list()[0].last_used_at, Some(NOW));
}
