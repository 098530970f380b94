//! The actor that owns the targets.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::receiver::Receiver;
use super::sender::WebhookSender;
use crate::actors::alarm::Alarm;
use crate::actors::alerts::{Alerts, AlertsSaved, BookChanged, FollowSaves};
use crate::actors::db_breaker::StoreAccess;
use crate::actors::fatal::Vital;
use crate::actors::fleet::Committed;
use crate::actors::telemetry::Telemetry;
use crate::clock::Clock;
use crate::domain::event_filter::{EventFilter, EventOrder};
use crate::domain::ids::AlertId;
use crate::domain::time::{Timestamp, WallTime};
use crate::domain::webhook::{Announced, Delivery, DeliveryFilter, DeliveryState, TargetDraft};
use crate::store::{Store, StoreError, StoredWebhook};

/// How soon what the store did not do is tried again.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// The shortest wait for what is due, so that a moment at which nothing can begin costs nothing.
const SHORTEST_WAIT: Duration = Duration::from_millis(50);

/// How often cursors are written if nothing else is: after a crash, what was sent since the last time is sent again,
/// under the same ids.
pub(super) const CURSOR_INTERVAL: Duration = Duration::from_secs(1);

/// How many deliveries of a target are read at the start at the most.
const MAX_PENDING: u32 = 10_000;

/// What the settings say about webhooks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WebhookSettings {
    /// The targets from the file, with their names.
    pub from_file: Vec<(String, TargetDraft)>,
}

/// What is kept of earlier lives.
#[derive(Debug, Default)]
pub struct KeptWebhooks {
    targets: Vec<StoredWebhook>,
    /// Those that wait, newest first.
    pending: Vec<Delivery>,
    newest_event: i64,
}

impl KeptWebhooks {
    /// Reads them.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn from_store(store: &dyn Store) -> Result<Self, StoreError> {
        let mut kept = Self {
            targets: store.webhooks().await?,
            ..Self::default()
        };
        for webhook in &kept.targets {
            let filter = DeliveryFilter {
                state: Some(DeliveryState::Pending),
                ..DeliveryFilter::of(&webhook.target.name)
            };
            let pending = store.deliveries(&filter, MAX_PENDING).await?;
            kept.pending.extend(pending);
        }
        kept.newest_event = newest_event(store).await?;
        Ok(kept)
    }
}

/// Returns the number of the newest event; 0 if there is none.
pub(super) async fn newest_event(store: &dyn Store) -> Result<i64, StoreError> {
    let newest = EventFilter {
        order: EventOrder::Descending,
        ..EventFilter::default()
    };
    let found = store.find_events(&newest, 1).await?;
    Ok(found.first().map_or(0, |event| event.sequence))
}

/// Those it talks to.
#[derive(Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct WebhookLinks {
    pub access: StoreAccess,
    pub alerts: Alerts,
    pub sender: Arc<dyn WebhookSender>,
    /// The address of this orchestrator for people.
    pub public_url: String,
}

/// Owns the targets.
#[derive(Debug)]
pub struct WebhookActor {
    pub(super) receivers: BTreeMap<String, Receiver>,
    pub(super) access: StoreAccess,
    pub(super) alerts: Alerts,
    pub(super) sender: Arc<dyn WebhookSender>,
    pub(super) generator: String,
    pub(super) clock: Clock,
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) chance: fastrand::Rng,
    pub(super) started_at: WallTime,
    /// The greatest number of a delivery.
    newest: i64,
    /// Whether alerts are to be announced.
    pub(super) announce_due: bool,
    /// Alerts after this one are to be looked at next.
    pub(super) announced_to: AlertId,
    /// Whether there may be more among those before.
    pub(super) has_more_alerts: bool,
    /// What of an alert was announced in this life, from the store or from memory.
    pub(super) marks: BTreeMap<AlertId, Announced>,
    /// Deliveries of alerts that were announced from memory, as they are now.
    pub(super) unwritten: BTreeMap<(String, String), Delivery>,
    /// Deliveries that the store does not know as they are now.
    pub(super) dirty: BTreeMap<(String, String), Delivery>,
    /// Targets whose cursor has moved.
    pub(super) moved: BTreeSet<String>,
    /// Before this moment no cursor is written alone.
    pub(super) cursors_due_at: Option<Timestamp>,
    /// Targets from the file that are not in the store as they are now, and whether alerts are skipped.
    pub(super) unsaved_targets: BTreeSet<String>,
    pub(super) skips_alerts: bool,
    pub(super) removed_targets: BTreeSet<String>,
    /// A file that was read again and is not applied yet.
    pub(super) read_file: Option<WebhookSettings>,
    /// Whose turn it is to write: one write at a time, in the order in which they were wanted.
    pub(super) turns: Arc<Mutex<()>>,
    /// No call to the store before.
    pub(super) store_retry_at: Option<Timestamp>,
    alarm: Alarm<Self>,
    _vital: Vital,
}

impl WebhookActor {
    /// Creates the actor with what was kept, and the targets of the file in place of those of their names.
    pub fn new(
        kept: KeptWebhooks,
        settings: &WebhookSettings,
        links: WebhookLinks,
        clock: Clock,
        telemetry: Arc<Telemetry>,
        seed: u64,
        vital: Vital,
    ) -> Self {
        let now = clock.awake();
        let mut actor = Self {
            receivers: BTreeMap::new(),
            access: links.access,
            alerts: links.alerts,
            sender: links.sender,
            generator: format!("{}/resilience/alerts", links.public_url),
            started_at: clock.wall(),
            clock,
            telemetry,
            chance: fastrand::Rng::with_seed(seed),
            newest: 0,
            announce_due: true,
            announced_to: AlertId::new(0),
            has_more_alerts: false,
            marks: BTreeMap::new(),
            unwritten: BTreeMap::new(),
            dirty: BTreeMap::new(),
            moved: BTreeSet::new(),
            cursors_due_at: None,
            unsaved_targets: BTreeSet::new(),
            skips_alerts: kept.targets.is_empty(),
            removed_targets: BTreeSet::new(),
            read_file: None,
            turns: Arc::default(),
            store_retry_at: None,
            alarm: Alarm::of_waits(|actor| &mut actor.alarm, Self::go_on),
            _vital: vital,
        };
        for webhook in kept.targets {
            let name = webhook.target.name.clone();
            actor.receivers.insert(name, Receiver::new(webhook, now));
        }
        actor.take_file(&settings.from_file, kept.newest_event);
        let wall = actor.clock.wall();
        for delivery in kept.pending.into_iter().rev() {
            actor.newest = actor.newest.max(delivery.number);
            if let Some(receiver) = actor.receivers.get_mut(&delivery.target) {
                let dropped = receiver.lane.put([delivery], now, wall);
                dropped
                    .into_iter()
                    .for_each(|delivery| actor.keep(delivery));
            }
        }
        actor
    }

    /// Returns a number for a new delivery, greater than any before.
    pub(super) fn next_number(&mut self) -> i64 {
        self.newest = (self.newest + 1).max(self.clock.wall().as_micros());
        self.newest
    }

    /// Does whatever is due, and arms the timer for the rest.
    pub(super) fn go_on(&mut self, ctx: &mut Context<Self>) {
        let now = self.clock.awake();
        if self.store_retry_at.is_some_and(|at| at <= now) {
            self.store_retry_at = None;
        }
        self.give_up_old();
        let names: Vec<String> = self.receivers.keys().cloned().collect();
        for name in &names {
            self.read_events(name, ctx);
            self.send_next(name, ctx);
        }
        self.apply_file(ctx);
        self.announce(ctx);
        self.write(ctx);
        self.show();
        let active = self.receivers.values();
        let active = active.filter(|receiver| receiver.target.is_active());
        let deadlines = active.filter_map(|receiver| receiver.next_deadline(&self.clock));
        // What is due and could not begin waits for the store.
        let earliest = self.store_retry_at.unwrap_or(now + SHORTEST_WAIT);
        let due = deadlines.min().map(|due| due.max(earliest));
        let cursors = self
            .cursors_due_at
            .filter(|at| !self.moved.is_empty() && *at > now);
        let next = due
            .into_iter()
            .chain(self.store_retry_at)
            .chain(cursors)
            .min();
        self.alarm.set(next, &self.clock, ctx);
    }

    /// Returns the turn to write; none while another write is under way or wanted.
    pub(super) fn turn(&self) -> Option<OwnedMutexGuard<()>> {
        Arc::clone(&self.turns).try_lock_owned().ok()
    }

    /// Has calls to the store wait for a moment.
    pub(super) fn retry_store(&mut self) {
        self.store_retry_at = Some(self.clock.awake() + RETRY_INTERVAL);
    }
}

impl Actor for WebhookActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.alerts.book().do_send(FollowSaves(ctx.address()));
        let gone = self.receivers.values().filter(|it| it.target.gone);
        let gone: Vec<String> = gone.map(|it| it.target.name.clone()).collect();
        for name in &gone {
            self.raise_gone(name);
        }
        self.go_on(ctx);
    }
}

impl Handler<AlertsSaved> for WebhookActor {
    type Result = ();

    fn handle(&mut self, _: AlertsSaved, ctx: &mut Self::Context) {
        self.announce_due = true;
        self.has_more_alerts = true;
        self.go_on(ctx);
    }
}

impl Handler<BookChanged> for WebhookActor {
    type Result = ();

    fn handle(&mut self, _: BookChanged, ctx: &mut Self::Context) {
        self.announce_from_memory(ctx);
    }
}

impl Handler<Committed> for WebhookActor {
    type Result = ();

    fn handle(&mut self, committed: Committed, ctx: &mut Self::Context) {
        let mut has_news = false;
        for receiver in self.receivers.values_mut() {
            let mut events = committed.events.iter();
            if events.any(|dated| receiver.kinds.contains(&dated.event.kind())) {
                receiver.has_news = true;
                has_news = true;
            }
        }
        if has_news {
            self.go_on(ctx);
        }
    }
}
