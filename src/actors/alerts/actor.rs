//! The actor that owns the book.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use log::{error, info, warn};
use tokio::sync::oneshot;

use crate::actors::alarm::Alarm;
use crate::actors::batch::RefusalLog;
use crate::actors::db_breaker::{BreakerChanged, StoreAccess};
use crate::actors::fatal::Vital;
use crate::actors::telemetry::{KindLabel, Telemetry};
use crate::clock::Clock;
use crate::domain::alert::{
    Alert, AlertBook, AlertFilter, AlertKind, MAX_CLOSED, News, Raised, Severity, Silence,
    SilenceBook, StoreOutages, held_by_hand,
};
use crate::domain::commands::Recorded;
use crate::domain::events::Event;
use crate::domain::ids::{AlertId, InstanceId};
use crate::domain::outbox::{Latest, Outbox};
use crate::domain::time::WallTime;
use crate::logging;
use crate::store::{Store, StoreError};

/// How many open alerts are read at the start at the most: more than a fleet has instances.
const MAX_OPEN: u32 = 100_000;

/// How many alerts are kept for the store at the most while it is out; closed ones are given up
/// first.
const MAX_UNSAVED: usize = 10_000;

/// How soon what could not be saved is tried again.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);

/// How often the sentence of an open alert is saved at the most.
pub const REWORDING_INTERVAL: Duration = Duration::from_secs(30);

/// What is kept of earlier lives.
#[derive(Debug, Default)]
pub struct KeptAlerts {
    /// Every open alert and the newest others.
    alerts: Vec<Alert>,
    /// Every silence that the store still has.
    silences: Vec<Silence>,
}

impl KeptAlerts {
    /// Reads them.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn from_store(store: &dyn Store) -> Result<Self, StoreError> {
        let open = AlertFilter {
            open: Some(true),
            ..AlertFilter::default()
        };
        let newest = u32::try_from(MAX_CLOSED).unwrap_or(u32::MAX);
        let mut alerts = store.alerts(&open, MAX_OPEN).await?;
        alerts.extend(store.alerts(&AlertFilter::default(), newest).await?);
        let silences = store.silences(WallTime::from_micros(0)).await?;
        Ok(Self { alerts, silences })
    }
}

/// Asks the fleet for the labels of instances; those that are not registered are left out.
#[derive(Debug, Clone, Message)]
#[rtype(result = "InstanceLabels")]
pub struct AskLabels(pub Vec<InstanceId>);

/// The labels of instances.
pub type InstanceLabels = BTreeMap<InstanceId, BTreeMap<String, String>>;

/// An operator gave an order about an alert, which is in force: for the audit trail.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct OrderGiven(pub Recorded);

impl OrderGiven {
    /// An event because of the order that is being carried out.
    pub(super) fn new(event: Event) -> Self {
        let origin = logging::current_origin();
        Self(Recorded { event, origin })
    }
}

/// The actors that the book needs.
#[derive(Debug)]
pub struct BookLinks {
    pub(in crate::actors) access: StoreAccess,
    pub(in crate::actors) fleet: Recipient<AskLabels>,
    pub(in crate::actors) audit: Recipient<OrderGiven>,
    pub(in crate::actors) listeners: Vec<Recipient<BookChanged>>,
}

/// Owns the book.
#[derive(Debug)]
pub struct AlertBookActor {
    pub(super) book: AlertBook,
    pub(super) silences: SilenceBook,
    pub(super) fleet: Recipient<AskLabels>,
    pub(super) audit: Recipient<OrderGiven>,
    /// Callers that wait until their acknowledgement is saved.
    pub(super) acknowledgers: Vec<(AlertId, oneshot::Sender<bool>)>,
    /// Rings when a silence ends.
    pub(super) ending: Alarm<Self>,
    pub(super) access: StoreAccess,
    pub(super) clock: Clock,
    pub(super) telemetry: Arc<Telemetry>,
    /// What the store does not know yet, as it is now.
    pub(super) outbox: Outbox<Latest<Alert>>,
    /// Open alerts whose newest sentence waits for its turn to be saved.
    pub(super) reworded: BTreeSet<AlertId>,
    rewording: Alarm<Self>,
    outages: StoreOutages,
    pub(super) refusals: RefusalLog,
    pub(super) listeners: Vec<Recipient<BookChanged>>,
    pub(super) savers: Vec<Recipient<AlertsSaved>>,
    pub(super) retry: Alarm<Self>,
    _vital: Vital,
}

impl AlertBookActor {
    /// A book that goes on where the last process left it.
    pub fn new(
        kept: KeptAlerts,
        links: BookLinks,
        clock: Clock,
        telemetry: Arc<Telemetry>,
        vital: Vital,
    ) -> Self {
        let (book, over) = AlertBook::restore(kept.alerts, clock.wall());
        for alert in &over {
            // Its condition is over, or unknown: an order of an operator has to be given again.
            let (kind, subject, detail) = (alert.kind.as_str(), &alert.subject, &alert.detail);
            warn!(alert = alert.id.get(), kind, subject = subject.as_str();
                "alert {kind} of {subject} ended with the last run of the orchestrator, and what it \
                 told of with it: {detail}");
        }
        let (silences, unusable) = SilenceBook::restore(kept.silences, clock.wall());
        for silence in unusable {
            let id = silence.id.get();
            warn!(silence = id; "silence {id} cannot be used by this version and silences nothing");
        }
        let BookLinks {
            access,
            fleet,
            audit,
            listeners,
        } = links;
        let mut actor = Self {
            book,
            silences,
            fleet,
            audit,
            acknowledgers: Vec::new(),
            ending: Alarm::of_waits(|actor| &mut actor.ending, Self::end_silences),
            access,
            clock,
            telemetry,
            outbox: Outbox::new(Latest::default(), MAX_UNSAVED, RETRY_INTERVAL),
            reworded: BTreeSet::new(),
            rewording: Alarm::of_waits(|actor| &mut actor.rewording, Self::save_sentences),
            outages: StoreOutages::default(),
            refusals: RefusalLog::default(),
            listeners,
            savers: Vec::new(),
            retry: Alarm::of_waits(|actor| &mut actor.retry, Self::save),
            _vital: vital,
        };
        for alert in over {
            actor.keep(alert);
        }
        actor.show_open();
        actor
    }

    fn update(&mut self, news: News, ctx: &mut Context<Self>) {
        let now = self.clock.wall();
        match news {
            News::Raise {
                kind,
                severity,
                subject,
                detail,
            } => {
                let raised = self.book.raise(kind, severity, &subject, &detail, now);
                self.raised(raised, ctx);
                for alert in self.book.join(kind, &subject, now) {
                    self.cleared(alert, ctx);
                }
            }
            News::Lost(facts) => {
                let (raised, closed) = self.book.lose(&facts, now);
                for raised in raised {
                    self.raised(Some(raised), ctx);
                }
                for alert in closed {
                    self.cleared(alert, ctx);
                }
            }
            News::Reword {
                kind,
                subject,
                detail,
            } => {
                let reworded = self.book.reword(kind, &subject, &detail);
                self.raised(reworded, ctx);
            }
            News::Clear { kinds, subject } => {
                for kind in kinds {
                    if let Some(alert) = self.book.clear(kind, &subject, now) {
                        self.cleared(alert, ctx);
                    }
                }
            }
            News::Forget { subject } => {
                for alert in self.book.clear_instance(&subject, now) {
                    self.cleared(alert, ctx);
                }
            }
        }
    }

    fn raised(&mut self, raised: Option<Raised>, ctx: &mut Context<Self>) {
        let alert = match &raised {
            None => return,
            Some(Raised::Reworded(alert)) => return self.save_sentence(alert.id, ctx),
            Some(Raised::Opened(alert)) => {
                let kind = alert.kind.as_str();
                self.telemetry
                    .alerts_opened
                    .get_or_create(&KindLabel { kind })
                    .inc();
                alert
            }
            Some(Raised::Escalated(alert)) => alert,
        };
        let (kind, subject) = (alert.kind.as_str(), alert.subject.as_str());
        let (id, detail) = (alert.id.get(), &alert.detail);
        match alert.severity {
            Severity::Warning => warn!(alert = id, kind, subject; "alert {kind}: {detail}"),
            Severity::Critical => error!(alert = id, kind, subject; "alert {kind}: {detail}"),
        }
        self.changed(alert.clone(), ctx);
    }

    fn cleared(&mut self, alert: Alert, ctx: &mut Context<Self>) {
        let (kind, subject) = (alert.kind.as_str(), alert.subject.as_str());
        let open_seconds = self.clock.age(alert.opened_at).as_secs();
        info!(alert = alert.id.get(), kind, subject, open_seconds;
            "alert {kind} of {subject} is over after {open_seconds} s");
        self.changed(alert, ctx);
    }

    pub(super) fn changed(&mut self, alert: Alert, ctx: &mut Context<Self>) {
        self.show_open();
        for listener in &self.listeners {
            listener.do_send(BookChanged);
        }
        self.reworded.remove(&alert.id);
        self.keep(alert);
        self.save(ctx);
    }

    /// The sentence of an open alert changed: saved together with whatever else has by the end of
    /// the interval, so that a number that moves every second is no write every second.
    fn save_sentence(&mut self, id: AlertId, ctx: &mut Context<Self>) {
        self.reworded.insert(id);
        let deadline = self.clock.awake() + REWORDING_INTERVAL;
        self.rewording.set_by(deadline, &self.clock, ctx);
    }

    fn save_sentences(&mut self, ctx: &mut Context<Self>) {
        for id in std::mem::take(&mut self.reworded) {
            let Some(alert) = self.book.get(id).filter(|alert| alert.is_open()).cloned() else {
                continue;
            };
            let (kind, subject) = (alert.kind.as_str(), alert.subject.as_str());
            info!(alert = id.get(), kind, subject; "alert {kind} now: {}", alert.detail);
            self.keep(alert);
        }
        self.save(ctx);
    }

    fn show_open(&self) {
        let counts = self.book.open_counts();
        for kind in AlertKind::ALL {
            let open = counts.get(kind).copied().unwrap_or_default();
            let kind = kind.as_str();
            self.telemetry
                .alerts_open
                .get_or_create(&KindLabel { kind })
                .set(i64::try_from(open).unwrap_or(i64::MAX));
        }
    }
}

impl Actor for AlertBookActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.save(ctx);
        self.end_silences(ctx);
    }
}

/// An alert was opened, became more urgent or was closed.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct BookChanged;

/// Alerts were saved, or a silence has ended.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct AlertsSaved;

/// Changes the book.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct UpdateAlerts(pub News);

impl Handler<UpdateAlerts> for AlertBookActor {
    type Result = ();

    fn handle(&mut self, UpdateAlerts(news): UpdateAlerts, ctx: &mut Self::Context) {
        self.update(news, ctx);
    }
}

impl Handler<BreakerChanged> for AlertBookActor {
    type Result = ();

    fn handle(&mut self, changed: BreakerChanged, ctx: &mut Self::Context) {
        let BreakerChanged {
            name,
            state,
            forced,
            reason,
            file_replaced,
        } = changed;
        let outage = self.outages.changed(&name, state, file_replaced);
        let held = forced.map(|force| (force, reason.as_deref().unwrap_or_default()));
        for news in outage.into_iter().chain(held_by_hand(&name, held)) {
            self.update(news, ctx);
        }
    }
}
