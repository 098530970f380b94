//! What operators say about receivers outside.

use serde_json::{Value, json};

use super::listed::List;
use super::reading::{Record, Refused};
use super::request::request;
use super::rules::{flag, parsed, text, word};
use super::texts::{Past, past, position, stored_page_limit};
use crate::domain::time::WallTime;
use crate::domain::webhook::{
    DeliveryState, Format, Secret, TargetDraft, TargetUrl, TypePattern, Urgency,
};

/// How many patterns of types a target may have.
const MAX_PATTERNS: usize = 50;

/// How many messages may be redelivered by their ids at once.
const MAX_IDS: usize = 1_000;

fn target_url() -> Value {
    json!({"type": "string", "format": "uri", "pattern": "^https?://"})
}

fn target_secret() -> Value {
    json!({"type": "string", "pattern": "^whsec_"})
}

fn type_pattern() -> Value {
    json!({"type": "string", "minLength": 1})
}

request! {
    /// `PUT /webhooks/{name}`. An absent field keeps its value, or gets its default.
    pub(in crate::http) struct WebhookRequest {
        /// Where messages go: `http://` or `https://`. A new target needs it.
        url: Option<TargetUrl> = parsed(target_url, |text| TargetUrl::parse(text, true)),
        /// `generic` (the default), `slack` or `alertmanager`.
        format: Option<Format> = word(Format::ALL, Format::as_str),
        /// `whsec_` and base64 of 24 bytes or more; one is made if there is none.
        secret: Option<Secret> = parsed(target_secret, Secret::parse),
        /// Whether a new secret is made, and the one before signs for another day.
        rotate_secret: Option<bool> = flag(),
        /// Patterns of types; the default is `alert.*` and `event.instance_*`.
        types: Option<Vec<TypePattern>> = List {
            rule: parsed(type_pattern, TypePattern::parse),
            most: MAX_PATTERNS,
        },
        /// Less urgent messages are left out.
        min_severity: Option<Urgency> = word(Urgency::ALL, Urgency::as_str),
        /// Whether anything is sent; the default is true.
        enabled: Option<bool> = flag(),
    }
    check one_secret
}

fn one_secret(draft: &<WebhookRequest as Record>::Draft) -> Refused {
    let mut refused = Refused::default();
    if draft.secret.is_some() && matches!(draft.rotate_secret, Some(Ok(true))) {
        refused.note("rotate_secret", "must not be given together with `secret`");
    }
    refused
}

impl From<WebhookRequest> for TargetDraft {
    fn from(request: WebhookRequest) -> Self {
        Self {
            url: request.url,
            format: request.format,
            secret: request.secret,
            rotate_secret: request.rotate_secret.unwrap_or_default(),
            types: request.types,
            min_severity: request.min_severity,
            enabled: request.enabled,
        }
    }
}

request! {
    /// `GET /webhooks/{name}/deliveries`: a page, newest first.
    pub(in crate::http) struct DeliveriesQuery {
        /// Only those in this state.
        state: Option<DeliveryState> = word(DeliveryState::ALL, DeliveryState::as_str),
        /// The delivery the page follows: the number that the page before ended with.
        after: Option<i64> = position(|number| number),
        /// How many deliveries, 1 to 1,000.
        limit: Option<u32> = stored_page_limit(),
    }
}

request! {
    /// `POST /webhooks/{name}/redeliver`: one of `ids` and `since`.
    pub(in crate::http) struct RedeliverRequest {
        /// These messages, by their ids.
        ids: Option<Vec<String>> = List {
            rule: text(1..=200),
            most: MAX_IDS,
        },
        /// Every message since then, delivered or not: a time, or how long ago.
        since: Option<Past> = past(),
    }
    check one_selection
}

fn one_selection(draft: &<RedeliverRequest as Record>::Draft) -> Refused {
    let mut refused = Refused::default();
    match (&draft.ids, &draft.since) {
        (None, None) => refused.note(
            "ids",
            "is missing, and so is `since`: one of them is needed",
        ),
        (Some(_), Some(_)) => refused.note("since", "must not be given together with `ids`"),
        (Some(_), None) | (None, Some(_)) => {}
    }
    refused
}

impl RedeliverRequest {
    /// Returns the moment; `now` is what durations are counted from.
    pub(in crate::http) fn since(&self, now: WallTime) -> Option<WallTime> {
        self.since.map(|since| since.until(now))
    }
}
