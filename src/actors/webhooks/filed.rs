//! The targets that are written in a file: they stand in place of those of their names, from the start and
//! whenever the file was read again.

use std::sync::Arc;

use actix::prelude::*;
use log::{info, warn};

use super::actor::{WebhookActor, WebhookSettings, newest_event};
use super::chance::fresh;
use super::receiver::Receiver;
use crate::actors::store_calls::StoreOp;
use crate::domain::webhook::{Format, Source, Target, TargetDraft, TypePattern};
use crate::store::{Store, StoredWebhook};

/// The file was read again.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct ChangeWebhooks(pub WebhookSettings);

impl Handler<ChangeWebhooks> for WebhookActor {
    type Result = ();

    fn handle(&mut self, ChangeWebhooks(settings): ChangeWebhooks, ctx: &mut Self::Context) {
        self.read_file = Some(settings);
        self.go_on(ctx);
    }
}

impl WebhookActor {
    /// Begins to apply a file that was read again. A new target begins with the events to come, so the store is asked
    /// for the newest; while it is out, the file waits.
    pub(super) fn apply_file(&mut self, ctx: &mut Context<Self>) {
        if self.read_file.is_none() || self.store_retry_at.is_some() {
            return;
        }
        let Some(turn) = self.turn() else {
            return;
        };
        let newest = |store: Arc<dyn Store>| async move { newest_event(store.as_ref()).await };
        let Some(newest) = self.access.read(StoreOp::ReadEvents, newest) else {
            return self.retry_store();
        };
        ctx.spawn(newest.into_actor(self).map(move |newest, actor, ctx| {
            drop(turn);
            match (newest, actor.read_file.take()) {
                (Ok(newest), Some(settings)) => {
                    // What happened while there was no target is no news to the first one.
                    actor.skips_alerts |= actor.receivers.is_empty();
                    actor.take_file(&settings.from_file, newest);
                }
                (_, settings) => {
                    actor.read_file = settings;
                    actor.retry_store();
                }
            }
            actor.go_on(ctx);
        }));
    }

    /// Takes the targets of a file, and deletes those of an earlier one that are not in it any more.
    pub(super) fn take_file(&mut self, from_file: &[(String, TargetDraft)], newest: i64) {
        let receivers = self.receivers.values();
        let filed = receivers.filter(|receiver| receiver.target.source == Source::File);
        let names: Vec<String> = filed.map(|receiver| receiver.target.name.clone()).collect();
        for name in names {
            if !from_file.iter().any(|(known, _)| *known == name) {
                info!(webhook = name.as_str();
                    "webhook {name} is not in WEBHOOKS_FILE any more and is deleted");
                self.forget_target(&name);
                self.removed_targets.insert(name);
            }
        }
        for (name, draft) in from_file {
            self.take_from_file(name, draft.clone(), newest);
        }
    }

    fn take_from_file(&mut self, name: &str, draft: TargetDraft, newest: i64) {
        let before = self.receivers.get(name).map(|receiver| &receiver.target);
        // A field that is not in the file has its default, whatever it was in the last file.
        let secrets_only = before.map(|before| Target {
            types: TypePattern::defaults(),
            min_severity: None,
            enabled: true,
            format: Format::Generic,
            ..before.clone()
        });
        let (now, wall) = (self.clock.awake(), self.clock.wall());
        let applied = draft.apply(name, secrets_only.as_ref(), fresh(), Source::File, wall);
        let Ok((mut target, _)) = applied else {
            // It was checked when the file was read.
            warn!(webhook = name; "webhook {name} of WEBHOOKS_FILE cannot be used");
            return;
        };
        target.gone = before.is_some_and(|before| before.gone && before.url == target.url);
        if before == Some(&target) {
            return;
        }
        let url = &target.url;
        info!(webhook = name; "webhook {name} of WEBHOOKS_FILE is in force; it leads to {url}");
        self.unsaved_targets.insert(name.to_owned());
        match self.receivers.get(name) {
            Some(receiver) => {
                let begins_now = receiver.waits_for_no_event();
                let cursor = if begins_now { newest } else { 0 };
                self.change(name, target, cursor);
            }
            None => {
                let cursor = newest;
                let receiver = Receiver::new(StoredWebhook { target, cursor }, now);
                self.receivers.insert(name.to_owned(), receiver);
            }
        }
    }
}
