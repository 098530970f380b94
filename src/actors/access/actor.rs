//! The actor that changes keys, and looks after what the keyring collects.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use log::{debug, info, warn};

use super::keyring::Keyring;
use super::secret::{hash_of, new_secret};
use crate::actors::alarm::Alarm;
use crate::actors::alerts::Alerts;
use crate::actors::db_breaker::StoreAccess;
use crate::actors::event_outbox::{EventOutbox, Note};
use crate::actors::fatal::Vital;
use crate::actors::refusal::Refusal;
use crate::actors::store_calls::StoreOp;
use crate::clock::Clock;
use crate::domain::access::{AccessKey, AttemptWatch, KeyDraft, KeySecret, MAX_KEYS};
use crate::domain::alert::{AlertKind, FLEET};
use crate::domain::events::Event;
use crate::domain::ids::KeyId;
use crate::domain::time::Timestamp;
use crate::logging;
use crate::store::{NewKey, Store, StoreError, StoredKey};

/// How often failed attempts are looked at.
pub const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// How often last uses are written.
pub const WRITE_INTERVAL: Duration = Duration::from_secs(60);

/// Those it talks to.
#[derive(Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct AccessLinks {
    pub access: StoreAccess,
    pub alerts: Alerts,
    pub audit: Addr<EventOutbox>,
}

/// Changes keys, writes last uses, and judges failed attempts.
#[derive(Debug)]
pub struct AccessActor {
    keyring: Keyring,
    links: AccessLinks,
    clock: Clock,
    attempts: AttemptWatch,
    is_alert_open: bool,
    write_due: Timestamp,
    alarm: Alarm<Self>,
    _vital: Vital,
}

impl AccessActor {
    /// Creates the actor of a keyring.
    pub fn new(keyring: Keyring, links: AccessLinks, clock: Clock, vital: Vital) -> Self {
        Self {
            keyring,
            links,
            write_due: clock.awake() + WRITE_INTERVAL,
            clock,
            attempts: AttemptWatch::default(),
            // An earlier process may have opened it.
            is_alert_open: true,
            alarm: Alarm::of_waits(|actor| &mut actor.alarm, Self::look),
            _vital: vital,
        }
    }

    fn look(&mut self, ctx: &mut Context<Self>) {
        let now = self.clock.awake();
        let sentence = self.attempts.note(self.keyring.take_attempts(), now);
        let is_open = sentence.is_some();
        match sentence {
            Some(sentence) => self
                .links
                .alerts
                .raise(AlertKind::AuthFailures, FLEET, sentence),
            None if self.is_alert_open => self.links.alerts.clear(AlertKind::AuthFailures, FLEET),
            None => {}
        }
        self.is_alert_open = is_open;
        if now >= self.write_due {
            self.write_due = now + WRITE_INTERVAL;
            self.write_uses(ctx);
        }
        self.alarm.set(Some(now + LOOK_INTERVAL), &self.clock, ctx);
    }

    /// Writes last uses, and reads the keys if the copy may be old. What fails is done a minute later.
    fn write_uses(&self, ctx: &mut Context<Self>) {
        let uses = self.keyring.unsaved_uses();
        let is_doubted = self.keyring.take_doubt();
        if uses.is_empty() && !is_doubted {
            return;
        }
        let save = move |store: Arc<dyn Store>| async move {
            store.save_key_uses(&uses).await?;
            store.keys().await
        };
        let Some(saved) = self.links.access.write(StoreOp::SaveKeys, save) else {
            return self.keyring.doubt();
        };
        ctx.spawn(saved.into_actor(self).map(|saved, actor, _| match saved {
            Ok(keys) => actor.keyring.replace(keys),
            Err(error) => {
                debug!("the last uses of keys wait to be written: {error}");
                actor.keyring.doubt();
            }
        }));
    }
}

impl Actor for AccessActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        // Without it no key is used.
        if self.keyring.is_in_force() {
            self.look(ctx);
        }
    }
}

/// Why an order about keys was not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessRefusal {
    /// There is no key of that id.
    Unknown(KeyId),
    /// A key of that name is there and not revoked.
    NameTaken(String),
    /// There are as many keys as there may be.
    TooMany,
    /// A field contradicts another.
    Invalid(&'static str, String),
    /// As any other order.
    Other(Refusal),
}

impl From<Refusal> for AccessRefusal {
    fn from(refusal: Refusal) -> Self {
        Self::Other(refusal)
    }
}

impl From<StoreError> for AccessRefusal {
    fn from(error: StoreError) -> Self {
        Self::Other(error.into())
    }
}

/// Makes a key.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<CreatedKey, AccessRefusal>")]
pub struct CreateKey(pub KeyDraft);

/// A key that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct CreatedKey {
    pub id: KeyId,
    /// It is shown this once.
    pub secret: KeySecret,
}

impl Handler<CreateKey> for AccessActor {
    type Result = ResponseActFuture<Self, Result<CreatedKey, AccessRefusal>>;

    fn handle(&mut self, CreateKey(draft): CreateKey, _: &mut Self::Context) -> Self::Result {
        let now = self.clock.wall();
        if let Some((field, reason)) = draft.fault(now) {
            return refused(AccessRefusal::Invalid(field, reason));
        }
        let keys = self.keyring.list();
        if keys.iter().filter(|key| key.revoked_at.is_none()).count() >= MAX_KEYS {
            return refused(AccessRefusal::TooMany);
        }
        let secret = new_secret();
        let (name, role) = (draft.name.clone(), draft.role);
        let new = NewKey {
            hash: hash_of(&secret),
            draft,
            created_at: now,
        };
        let create = move |store: Arc<dyn Store>| async move {
            let id = store.create_key(&new).await?;
            Ok::<_, StoreError>((id, store.keys().await.ok()))
        };
        let Some(create) = self.links.access.write(StoreOp::SaveKeys, create) else {
            return refused(Refusal::StoreUnavailable.into());
        };
        let request = logging::current();
        Box::pin(create.into_actor(self).map(move |made, actor, _| {
            let id = actor.take_over(made)?;
            let id = id.ok_or_else(|| AccessRefusal::NameTaken(name.clone()))?;
            logging::sync_within(request.as_ref(), || {
                info!(key = name.as_str(), id = id.get(), role = role.as_str();
                    "key `{name}` ({id}) was made, with the role `{role}`");
                actor.note(Event::KeyCreated {
                    key: id,
                    name,
                    role,
                });
            });
            Ok(CreatedKey { id, secret })
        }))
    }
}

/// Revokes a key.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<AccessKey, AccessRefusal>")]
pub struct RevokeKey(pub KeyId);

impl Handler<RevokeKey> for AccessActor {
    type Result = ResponseActFuture<Self, Result<AccessKey, AccessRefusal>>;

    fn handle(&mut self, RevokeKey(id): RevokeKey, _: &mut Self::Context) -> Self::Result {
        let now = self.clock.wall();
        let was_revoked = self.keyring.is_revoked(id);
        let revoke = move |store: Arc<dyn Store>| async move {
            let key = store.revoke_key(id, now).await?;
            Ok::<_, StoreError>((key, store.keys().await.ok()))
        };
        let Some(revoke) = self.links.access.write(StoreOp::SaveKeys, revoke) else {
            return refused(Refusal::StoreUnavailable.into());
        };
        let request = logging::current();
        Box::pin(revoke.into_actor(self).map(move |revoked, actor, _| {
            let key = actor.take_over(revoked)?;
            let key = key.ok_or(AccessRefusal::Unknown(id))?;
            if !was_revoked {
                let name = key.name.clone();
                logging::sync_within(request.as_ref(), || {
                    info!(key = name.as_str(), id = id.get(); "key `{name}` ({id}) was revoked");
                    actor.note(Event::KeyRevoked { key: id, name });
                });
                actor.warn_without_admin();
            }
            Ok(key)
        }))
    }
}

impl AccessActor {
    /// Replaces the copy by what the store had after a change; if that is not known, it is read soon.
    fn take_over<T>(
        &mut self,
        changed: Result<(T, Option<Vec<StoredKey>>), StoreError>,
    ) -> Result<T, AccessRefusal> {
        let (value, keys) = match changed {
            Ok((value, keys)) => (Ok(value), keys),
            Err(error) => (Err(error.into()), None),
        };
        match keys {
            Some(keys) => self.keyring.replace(keys),
            None => {
                self.keyring.doubt();
                self.write_due = self.clock.awake();
            }
        }
        value
    }

    /// Says how the next admin comes in.
    fn warn_without_admin(&self) {
        if self.keyring.is_in_force() && !self.keyring.has_admin() {
            warn!(
                "no key of the role `admin` is left: `orchestrator keys create --role admin --name NAME \
                 --offline` makes one, on the machine with the database"
            );
        }
    }

    fn note(&self, event: Event) {
        self.links.audit.do_send(Note::new(event));
    }
}

/// An answer that is there at once.
fn refused<T: 'static>(
    refusal: AccessRefusal,
) -> ResponseActFuture<AccessActor, Result<T, AccessRefusal>> {
    Box::pin(fut::ready(Err(refusal)))
}
