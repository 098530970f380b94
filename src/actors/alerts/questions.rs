//! What the book is asked.

use std::collections::{BTreeMap, BTreeSet};

use actix::prelude::*;

use super::actor::AlertBookActor;
use crate::actors::store_calls::StoreOp;
use crate::domain::alert::{Alert, AlertFilter, AlertKind};
use crate::domain::ids::{AlertId, SilenceId};
use crate::domain::time::WallTime;

/// What is open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpenAlerts {
    /// How many of each kind; kinds without any are left out.
    pub counts: BTreeMap<AlertKind, usize>,
    /// The subjects of those that say an emergency is not over, each once, in order.
    pub emergencies: Vec<String>,
    /// The instances with moves that were given up.
    pub abandoned: Vec<String>,
}

/// Asks what is open.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "OpenAlerts")]
pub struct AskOpen;

impl Handler<AskOpen> for AlertBookActor {
    type Result = MessageResult<AskOpen>;

    fn handle(&mut self, _: AskOpen, _: &mut Self::Context) -> Self::Result {
        let kinds = [AlertKind::RecoveryExhausted, AlertKind::EmergencyRecovery];
        let open = kinds.iter().flat_map(|kind| self.book.open_of(*kind));
        let emergencies: BTreeSet<String> = open.map(|alert| alert.subject.clone()).collect();
        MessageResult(OpenAlerts {
            counts: self.book.open_counts(),
            emergencies: emergencies.into_iter().collect(),
            abandoned: self
                .book
                .open_of(AlertKind::HandoverAbandoned)
                .map(|alert| alert.subject.clone())
                .collect(),
        })
    }
}

/// Asks for a page of alerts, newest first.
#[derive(Debug, Clone, Message)]
#[rtype(result = "AlertPage")]
#[expect(missing_docs, reason = "the names say it")]
pub struct AskAlerts {
    pub filter: AlertFilter,
    /// How many at the most.
    pub limit: u32,
}

/// A page of alerts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertPage {
    /// Newest first.
    pub alerts: Vec<Alert>,
    /// The silences that apply to each, if any does.
    pub silenced_by: BTreeMap<AlertId, Vec<SilenceId>>,
    /// Since when the store does not answer, if it does not: then older closed ones are missing.
    pub stale_since: Option<WallTime>,
}

impl Handler<AskAlerts> for AlertBookActor {
    type Result = ResponseActFuture<Self, AlertPage>;

    fn handle(&mut self, ask: AskAlerts, ctx: &mut Self::Context) -> Self::Result {
        self.end_silences(ctx);
        let AskAlerts { filter, limit } = ask;
        // Those that are wanted by what the store believes and not by what is known here make room.
        let unsaved = u32::try_from(self.outbox.len()).unwrap_or(u32::MAX);
        let (most, wanted) = (limit.saturating_add(unsaved), filter.clone());
        let read = self
            .access
            .read(StoreOp::ReadAlerts, move |store| async move {
                store.alerts(&wanted, most).await
            });
        let read = async move { read?.await.ok() };
        let page = read.into_actor(self).map(
            move |stored: Option<Vec<Alert>>, actor: &mut Self, _: &mut Context<Self>| {
                let stale_since = match stored {
                    Some(_) => None,
                    // The first failure has opened nothing yet.
                    None => Some(
                        (actor.access.gate().stale_since()).unwrap_or_else(|| actor.clock.wall()),
                    ),
                };
                let alerts = actor.page(&filter, stored.unwrap_or_default(), limit as usize);
                (alerts, stale_since)
            },
        );
        Box::pin(page.then(|(alerts, stale_since), actor, _| {
            let silencing = actor.silencing(alerts);
            let page = async move {
                let (alerts, silenced_by) = silencing.await;
                AlertPage {
                    alerts,
                    silenced_by,
                    stale_since,
                }
            };
            page.into_actor(actor)
        }))
    }
}

impl AlertBookActor {
    /// What memory knows is newer than what the store says.
    fn page(&self, filter: &AlertFilter, stored: Vec<Alert>, limit: usize) -> Vec<Alert> {
        let older = stored
            .into_iter()
            .filter(|alert| self.book.get(alert.id).is_none());
        let mut alerts: Vec<Alert> = self.book.wanted(filter).cloned().chain(older).collect();
        alerts.sort_by_key(|alert| std::cmp::Reverse(alert.id));
        alerts.truncate(limit);
        alerts
    }
}
