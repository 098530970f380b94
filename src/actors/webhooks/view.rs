//! A target as operators see it: without its secrets.

use super::receiver::Receiver;
use crate::domain::breaker::BreakerState;
use crate::domain::time::{Timestamp, WallTime};
use crate::domain::webhook::{Format, Source, TypePattern, Urgency, shown};

/// A target and how it is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct WebhookView {
    pub name: String,
    /// The URL without password and query.
    pub url: String,
    pub format: Format,
    pub types: Vec<TypePattern>,
    pub min_severity: Option<Urgency>,
    pub enabled: bool,
    /// Whether the receiver answered 410.
    pub gone: bool,
    pub source: Source,
    /// Until when the secret before signs too.
    pub previous_secret_until: Option<WallTime>,
    pub breaker: BreakerState,
    /// How many deliveries wait in memory.
    pub waiting: usize,
    pub failing_since: Option<WallTime>,
    pub last_success_at: Option<WallTime>,
    pub last_failure: Option<(WallTime, String)>,
    /// How many messages were given up since the start of the process.
    pub given_up: u64,
}

impl Receiver {
    pub(super) fn view(&self, now: Timestamp, wall: WallTime) -> WebhookView {
        let (target, state) = (&self.target, self.lane.state(now));
        let previous = target.previous.as_ref().map(|previous| previous.until);
        WebhookView {
            name: target.name.clone(),
            url: shown(&target.url, target.format),
            format: target.format,
            types: target.types.clone(),
            min_severity: target.min_severity,
            enabled: target.enabled,
            gone: target.gone,
            source: target.source,
            previous_secret_until: previous.filter(|until| *until > wall),
            breaker: state.breaker,
            waiting: state.waiting,
            failing_since: self.failing_since,
            last_success_at: self.last_success_at,
            last_failure: self.last_failure.clone(),
            given_up: self.given_up,
        }
    }
}
