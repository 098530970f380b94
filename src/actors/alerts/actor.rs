//! The actor that owns the book.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use log::{error, info, warn};

use super::saving::{MAX_UNSAVED, RETRY_INTERVAL};
use crate::actors::alarm::Alarm;
use crate::actors::batch::RefusalLog;
use crate::actors::db_breaker::{BreakerChanged, StoreAccess};
use crate::actors::fatal::Vital;
use crate::actors::telemetry::{KindLabel, Telemetry};
use crate::clock::Clock;
use crate::domain::alert::{
    Alert, AlertBook, AlertFilter, AlertKind, DATABASE, MAX_CLOSED, News, Raised, Severity, news,
};
use crate::domain::breaker::{BreakerName, BreakerState};
use crate::domain::events::DatedEvent;
use crate::domain::ids::AlertId;
use crate::domain::outbox::{Latest, Outbox};
use crate::domain::time::WallTime;
use crate::store::{Store, StoreError};

/// How many open alerts are read at the start at the most: more than a fleet has instances.
const MAX_OPEN: u32 = 100_000;

/// What is said of a database whose file is not where it was opened.
const FILE_REPLACED: &str = "The database file was moved, deleted or replaced while the \
     orchestrator had it open: changes are refused, heartbeats are answered from memory. Put the \
     file back, or restart the orchestrator to go on with what is there.";

/// How often the sentence of an open alert is saved at the most.
pub const REWORDING_INTERVAL: Duration = Duration::from_secs(30);

/// What a breaker of the store says is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outage {
    NoAnswer,
    FileReplaced,
}

/// Where alerts are raised and cleared. Clones lead to the same book.
#[derive(Debug, Clone)]
pub struct Alerts(Addr<AlertBookActor>);

impl Alerts {
    /// Leads to `book`.
    pub fn new(book: Addr<AlertBookActor>) -> Self {
        Self(book)
    }

    /// Somebody should look at `subject`.
    pub fn raise(
        &self,
        kind: AlertKind,
        severity: Severity,
        subject: impl Into<String>,
        detail: impl Into<String>,
    ) {
        self.0.do_send(Raise {
            kind,
            severity,
            subject: subject.into(),
            detail: detail.into(),
        });
    }

    /// If an alert about `subject` is open, this is how it is now.
    pub fn reword(&self, kind: AlertKind, subject: impl Into<String>, detail: impl Into<String>) {
        self.0.do_send(Reword {
            kind,
            subject: subject.into(),
            detail: detail.into(),
        });
    }

    /// It is over.
    pub fn clear(&self, kind: AlertKind, subject: impl Into<String>) {
        let subject = subject.into();
        self.0.do_send(Clear { kind, subject });
    }

    /// The actor itself, for questions.
    pub(in crate::actors) fn book(&self) -> &Addr<AlertBookActor> {
        &self.0
    }
}

/// What is kept of earlier lives.
#[derive(Debug, Default)]
pub struct KeptAlerts {
    /// Every open alert and the newest others.
    alerts: Vec<Alert>,
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
        Ok(Self { alerts })
    }
}

/// Owns the book.
#[derive(Debug)]
pub struct AlertBookActor {
    pub(super) book: AlertBook,
    pub(super) access: StoreAccess,
    pub(super) clock: Clock,
    pub(super) telemetry: Arc<Telemetry>,
    /// What the store does not know yet, as it is now.
    pub(super) outbox: Outbox<Latest<Alert>>,
    /// Open alerts whose newest sentence waits for its turn to be saved.
    pub(super) reworded: BTreeSet<AlertId>,
    rewording: Alarm<Self>,
    /// The breakers of the database that are open.
    store_out: BTreeMap<BreakerName, Outage>,
    pub(super) refusals: RefusalLog,
    pub(super) listeners: Vec<Recipient<BookChanged>>,
    pub(super) retry: Alarm<Self>,
    _vital: Vital,
}

impl AlertBookActor {
    /// A book that goes on where the last process left it.
    pub fn new(
        kept: KeptAlerts,
        access: StoreAccess,
        clock: Clock,
        telemetry: Arc<Telemetry>,
        listeners: Vec<Recipient<BookChanged>>,
        vital: Vital,
    ) -> Self {
        let (book, over) = AlertBook::restore(kept.alerts, clock.wall());
        for alert in &over {
            // What it told of is not so any more, or nobody knows: what somebody ordered is to be
            // ordered again.
            let (kind, subject, detail) = (alert.kind.as_str(), &alert.subject, &alert.detail);
            warn!(alert = alert.id.get(), kind, subject = subject.as_str();
                "alert {kind} of {subject} ended with the last run of the orchestrator, and what it \
                 told of with it: {detail}");
        }
        let mut actor = Self {
            book,
            access,
            clock,
            telemetry,
            outbox: Outbox::new(Latest::default(), MAX_UNSAVED, RETRY_INTERVAL),
            reworded: BTreeSet::new(),
            rewording: Alarm::of_waits(|actor| &mut actor.rewording, Self::save_sentences),
            store_out: BTreeMap::new(),
            refusals: RefusalLog::default(),
            listeners,
            retry: Alarm::of_waits(|actor| &mut actor.retry, Self::save),
            _vital: vital,
        };
        for alert in over {
            actor.keep(alert);
        }
        actor.show_open();
        actor
    }

    fn raise(
        &mut self,
        kind: AlertKind,
        severity: Severity,
        subject: &str,
        detail: &str,
        ctx: &mut Context<Self>,
    ) {
        let now = self.clock.wall();
        let raised = self.book.raise(kind, severity, subject, detail, now);
        self.raised(raised, ctx);
        for alert in self.book.join(kind, subject, now) {
            self.cleared(alert, ctx);
        }
    }

    fn reword(&mut self, kind: AlertKind, subject: &str, detail: &str, ctx: &mut Context<Self>) {
        let reworded = self.book.reword(kind, subject, detail);
        self.raised(reworded, ctx);
    }

    fn clear(&mut self, kind: AlertKind, subject: &str, ctx: &mut Context<Self>) {
        if let Some(alert) = self.book.clear(kind, subject, self.clock.wall()) {
            self.cleared(alert, ctx);
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

    fn changed(&mut self, alert: Alert, ctx: &mut Context<Self>) {
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
    }
}

/// An alert was opened, became more urgent or was closed.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct BookChanged;

/// Somebody should look at something.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct Raise {
    /// What it is about.
    pub kind: AlertKind,
    /// How urgent it is.
    pub severity: Severity,
    /// Whom it is about.
    pub subject: String,
    /// What happened, in a sentence.
    pub detail: String,
}

impl Handler<Raise> for AlertBookActor {
    type Result = ();

    fn handle(&mut self, raise: Raise, ctx: &mut Self::Context) {
        let Raise {
            kind,
            severity,
            subject,
            detail,
        } = raise;
        self.raise(kind, severity, &subject, &detail, ctx);
    }
}

/// If an alert is open, this is how it is now.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct Reword {
    /// What it is about.
    pub kind: AlertKind,
    /// Whom it is about.
    pub subject: String,
    /// How it is, in a sentence.
    pub detail: String,
}

impl Handler<Reword> for AlertBookActor {
    type Result = ();

    fn handle(&mut self, reword: Reword, ctx: &mut Self::Context) {
        let Reword {
            kind,
            subject,
            detail,
        } = reword;
        self.reword(kind, &subject, &detail, ctx);
    }
}

/// Something is over.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct Clear {
    /// What it was about.
    pub kind: AlertKind,
    /// Whom it was about.
    pub subject: String,
}

impl Handler<Clear> for AlertBookActor {
    type Result = ();

    fn handle(&mut self, Clear { kind, subject }: Clear, ctx: &mut Self::Context) {
        self.clear(kind, &subject, ctx);
    }
}

/// Things happened and are saved; some of them open or close alerts.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct HearEvents(pub Arc<[DatedEvent]>);

impl HearEvents {
    /// Whether there is anything to hear: most events are about single streams.
    pub fn matter(events: &[DatedEvent]) -> bool {
        events.iter().any(|dated| news(&dated.event).is_some())
    }
}

impl Handler<HearEvents> for AlertBookActor {
    type Result = ();

    fn handle(&mut self, HearEvents(events): HearEvents, ctx: &mut Self::Context) {
        for dated in events.iter() {
            match news(&dated.event) {
                None => {}
                Some(News::Raise {
                    kind,
                    severity,
                    subject,
                    detail,
                }) => self.raise(kind, severity, &subject, &detail, ctx),
                Some(News::Reword {
                    kind,
                    subject,
                    detail,
                }) => self.reword(kind, &subject, &detail, ctx),
                Some(News::Clear { kinds, subject }) => {
                    for kind in kinds {
                        self.clear(*kind, &subject, ctx);
                    }
                }
                Some(News::Forget { subject }) => {
                    let now = self.clock.wall();
                    for alert in self.book.clear_instance(&subject, now) {
                        self.cleared(alert, ctx);
                    }
                }
            }
        }
    }
}

impl AlertBookActor {
    /// One outage is one alert, whichever of the breakers found it.
    fn tell_of_store(&mut self, ctx: &mut Context<Self>) {
        let kind = AlertKind::StoreUnavailable;
        if self
            .store_out
            .values()
            .any(|outage| *outage == Outage::FileReplaced)
        {
            return self.raise(kind, Severity::Critical, DATABASE, FILE_REPLACED, ctx);
        }
        let is_out = |name: BreakerName| self.store_out.contains_key(&name);
        let reads = is_out(BreakerName::STORE_READS);
        let writes = is_out(BreakerName::STORE_WRITES);
        let what = match (reads, writes) {
            (false, false) => return self.clear(kind, DATABASE, ctx),
            (true, true) => "does not answer: changes are refused, what is read comes from memory",
            (false, true) => "takes no changes: they are refused, reads are answered",
            (true, false) => "answers no reads: they come from memory, changes are saved",
        };
        let detail = format!(
            "The database {what}, and the system is critical. It is probed until it is back."
        );
        self.raise(kind, Severity::Critical, DATABASE, &detail, ctx);
    }
}

impl Handler<BreakerChanged> for AlertBookActor {
    type Result = ();

    fn handle(&mut self, changed: BreakerChanged, ctx: &mut Self::Context) {
        let name = changed.name.as_str();
        let of_store = [BreakerName::STORE_READS, BreakerName::STORE_WRITES];
        if of_store.contains(&changed.name) {
            match changed.state {
                BreakerState::Open if changed.file_replaced => {
                    self.store_out
                        .insert(changed.name.clone(), Outage::FileReplaced);
                }
                BreakerState::Open => {
                    self.store_out
                        .insert(changed.name.clone(), Outage::NoAnswer);
                }
                // A probe is under way: nothing is known yet.
                BreakerState::HalfOpen => {}
                BreakerState::Closed => {
                    self.store_out.remove(&changed.name);
                }
            }
            self.tell_of_store(ctx);
        }
        // Forced the other way is another alert.
        self.clear(AlertKind::BreakerForced, name, ctx);
        if let Some(force) = changed.forced {
            let reason = changed.reason.unwrap_or_default();
            let detail = format!(
                "Breaker {name} is held {} by hand: {reason}",
                force.as_str()
            );
            let kind = AlertKind::BreakerForced;
            self.raise(kind, Severity::Warning, name, &detail, ctx);
        }
    }
}

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
pub struct AskAlerts {
    /// Which ones.
    pub filter: AlertFilter,
    /// How many at the most.
    pub limit: u32,
}

/// A page of alerts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertPage {
    /// Newest first.
    pub alerts: Vec<Alert>,
    /// Since when the store does not answer, if it does not: then older closed ones are missing.
    pub stale_since: Option<WallTime>,
}
