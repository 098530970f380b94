//! Acknowledgements of operators.

use actix::prelude::*;
use log::info;
use tokio::sync::oneshot;

use super::actor::{AlertBookActor, OrderGiven};
use crate::domain::alert::{Acknowledgement, Alert};
use crate::domain::events::Event;
use crate::domain::ids::AlertId;
use crate::domain::outbox::Keyed;
use crate::domain::planned::Requester;

/// An operator has seen an alert. Repeating it replaces the note.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Acknowledged, NotAcknowledged>")]
#[expect(missing_docs, reason = "the names say it")]
pub struct Acknowledge {
    pub id: AlertId,
    pub by: Requester,
    pub note: Option<String>,
}

/// The acknowledgement is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledged {
    /// The alert as it is now.
    pub alert: Alert,
    /// Whether the store has it; otherwise it is saved when the store responds.
    pub is_saved: bool,
}

/// The reason why an alert is not acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotAcknowledged {
    /// No such alert is known.
    Unknown,
    /// It is closed.
    Closed(Alert),
}

impl Handler<Acknowledge> for AlertBookActor {
    type Result = ResponseFuture<Result<Acknowledged, NotAcknowledged>>;

    fn handle(&mut self, order: Acknowledge, ctx: &mut Self::Context) -> Self::Result {
        let Acknowledge { id, by, note } = order;
        let at = self.clock.wall();
        let note_text = note.clone();
        let Some(alert) = self.book.acknowledge(id, Acknowledgement { at, by, note }) else {
            let refused = match self.book.get(id) {
                None => NotAcknowledged::Unknown,
                Some(alert) => NotAcknowledged::Closed(alert.clone()),
            };
            return Box::pin(std::future::ready(Err(refused)));
        };
        let (kind, subject) = (alert.kind.as_str(), alert.subject.as_str());
        info!(alert = id.get(), kind, subject, by = by.as_str();
            "alert {kind} of {subject} is acknowledged by {}", by.noun());
        self.audit
            .do_send(OrderGiven::new(Event::AlertAcknowledged {
                alert: id,
                alert_kind: alert.kind.as_str().to_owned(),
                subject: alert.subject.clone(),
                by,
                note: note_text,
                ordered_at: at,
            }));
        let (saved, is_saved) = oneshot::channel();
        self.acknowledgers.push((id, saved));
        self.changed(alert.clone(), ctx);
        if !self.outbox.is_saving() {
            self.answer_acknowledgers(false);
        }
        Box::pin(async move {
            let is_saved = is_saved.await.unwrap_or(false);
            Ok(Acknowledged { alert, is_saved })
        })
    }
}

impl AlertBookActor {
    /// Answers those whose acknowledgement is saved, and all of them if the store does not respond.
    pub(super) fn answer_acknowledgers(&mut self, responded: bool) {
        if self.acknowledgers.is_empty() {
            return;
        }
        let unsaved: Vec<AlertId> = self.outbox.rows().map(Keyed::key).collect();
        let waiting = std::mem::take(&mut self.acknowledgers);
        for (id, caller) in waiting {
            let is_saved = !unsaved.contains(&id);
            if is_saved || !responded {
                // A caller that has gone needs no answer.
                let _ = caller.send(is_saved);
            } else {
                self.acknowledgers.push((id, caller));
            }
        }
    }
}
