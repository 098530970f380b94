//! Every error a client sees, as RFC 9457 `application/problem+json`. No other file turns
//! rejections of the actors into HTTP.
//!
//! `detail` is a sentence that a person can act on; clients in the field read nothing else. The
//! texts here are for the client: no panic message, no SQL, nothing of the machine. Bad input is
//! the client's fault and is not logged.

mod access;
mod kind;

use std::fmt;
use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

use self::kind::Kind;
use crate::actors::access::AccessRefusal;
use crate::actors::balance::BalanceRefusal;
use crate::actors::refusal::Refusal;
use crate::actors::webhooks::WebhookRefusal;
use crate::domain::access::MAX_KEYS;
use crate::domain::brake::OrderRefused;
use crate::domain::breaker::BreakerName;
use crate::domain::commands::Rejection;
use crate::domain::ids::{AlertId, Incarnation, IncidentId, SilenceId, StreamId};
use crate::domain::webhook::MAX_TARGETS;

/// How many bad fields one answer names at most; `detail` has their number.
pub(super) const MAX_NAMED_FIELDS: usize = 1_000;

/// How many bad fields `detail` spells out.
const FIELDS_IN_DETAIL: usize = 5;

/// A field that was refused, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// Its place: `port`, `streams[3].name`, `labels.zone`; for a query its parameter.
    pub field: String,
    /// The fault, to be read after the field's name.
    pub reason: String,
}

/// A header that only one status has.
#[derive(Debug, Clone, PartialEq, Eq)]
enum OwnHeader {
    /// `Allow` of a 405.
    Allow(Box<str>),
    /// `WWW-Authenticate` of a 401.
    Challenge(&'static str),
}

/// An error as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    kind: Kind,
    detail: String,
    errors: Vec<FieldError>,
    /// What the answer says in a header of its own.
    header: Option<OwnHeader>,
    /// Seconds after which the request is worth repeating, if that is known better than by the kind.
    retry_after: Option<u32>,
    current_incarnation: Option<Incarnation>,
    would_not_fit: Option<Box<[StreamId]>>,
}

impl Problem {
    fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            errors: Vec::new(),
            header: None,
            retry_after: None,
            current_incarnation: None,
            would_not_fit: None,
        }
    }

    /// 400: the request came without TLS, where TLS is spoken.
    pub(super) fn no_tls() -> Self {
        let detail = "This port speaks TLS only: write https:// instead of http:// in the address.";
        Self::new(Kind::NoTls, detail)
    }

    /// 400: the request could not be read at all.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(Kind::MalformedRequest, detail)
    }

    /// 404: nothing is served under that path.
    pub fn unknown_route() -> Self {
        Self::new(
            Kind::UnknownRoute,
            "There is no such route. Check the path; the README lists every route.",
        )
    }

    /// 404: there is no incident of that id.
    pub fn unknown_incident(id: IncidentId) -> Self {
        Self::new(
            Kind::UnknownIncident,
            format!("There is no incident {id}. GET /resilience/incidents lists them."),
        )
    }

    /// 404: there is no circuit breaker of that name.
    pub fn unknown_breaker(name: &BreakerName) -> Self {
        Self::new(
            Kind::UnknownBreaker,
            format!("There is no circuit breaker `{name}`. GET /resilience/breakers lists them."),
        )
    }

    /// Returns the body of its answer.
    pub(super) fn document(&self) -> Document<'_> {
        Document {
            r#type: self.kind.uri(),
            title: self.kind.title(),
            status: self.kind.status().as_u16(),
            detail: &self.detail,
            errors: &self.errors,
            current_incarnation: self.current_incarnation,
            would_not_fit: self.would_not_fit.as_deref(),
        }
    }

    /// 404: there is no alert of that id.
    pub fn unknown_alert(id: AlertId) -> Self {
        Self::new(
            Kind::UnknownAlert,
            format!("There is no alert {id}. GET /resilience/alerts lists them."),
        )
    }

    /// 404: there is no active silence of that id.
    pub fn unknown_silence(id: SilenceId) -> Self {
        Self::new(
            Kind::UnknownSilence,
            format!("There is no active silence {id}. GET /resilience/silences lists them."),
        )
    }

    /// 404: no orchestrator has that name.
    pub(super) fn unknown_member(detail: impl Into<String>) -> Self {
        Self::new(Kind::UnknownMember, detail)
    }

    /// Returns whether the cause is that the database does not answer.
    pub(super) fn is_about_the_store(&self) -> bool {
        self.kind == Kind::StoreUnavailable
    }

    /// 405: the path is served, with other methods.
    pub fn method_not_allowed(allowed: &[Method]) -> Self {
        let allow = allowed
            .iter()
            .map(Method::as_str)
            .collect::<Vec<_>>()
            .join(", ");
        let mut problem = Self::new(
            Kind::MethodNotAllowed,
            format!("This route takes only: {allow}."),
        );
        problem.header = Some(OwnHeader::Allow(allow.into()));
        problem
    }

    /// 404: the page has no such file.
    pub(super) fn unknown_file() -> Self {
        Self::new(
            Kind::UnknownRoute,
            "There is no such file. GET /docs is the page, GET /openapi.json the description itself.",
        )
    }

    /// 404: the console has no such file.
    pub(super) fn unknown_console_file() -> Self {
        Self::new(
            Kind::UnknownRoute,
            "The console has no such file. GET / is the console; load it again if it was open during an update.",
        )
    }

    /// 406: the client does not take gzip.
    pub(super) fn not_acceptable() -> Self {
        Self::new(
            Kind::NotAcceptable,
            "This file is stored compressed; send it the header `Accept-Encoding: gzip`.",
        )
    }

    /// 408: the body did not arrive in time.
    pub fn too_slow() -> Self {
        Self::new(
            Kind::RequestTimeout,
            "The body of the request did not arrive in time. Send it again; the connection is closed.",
        )
    }

    /// 413: the body is over the limit.
    pub fn too_large(limit: usize) -> Self {
        Self::new(
            Kind::BodyTooLarge,
            format!("The body is larger than {limit} bytes. Send it in several requests."),
        )
    }

    /// 415: the body is compressed, or encoded in a way that is not known.
    pub fn unsupported_encoding() -> Self {
        Self::new(
            Kind::UnsupportedEncoding,
            "The body has a Content-Encoding, such as gzip, and is not decoded here. Send it as \
             plain JSON, without that header.",
        )
    }

    /// 422: the request was read, and these fields are bad. At most 1,000 are listed; `total` is
    /// their number.
    pub fn invalid(mut errors: Vec<FieldError>, total: usize) -> Self {
        errors.truncate(MAX_NAMED_FIELDS);
        let named: Vec<String> = errors
            .iter()
            .take(FIELDS_IN_DETAIL)
            .map(|error| format!("`{}` {}", error.field, error.reason))
            .collect();
        let more = match total.saturating_sub(named.len()) {
            0 => String::new(),
            1 => "; and one more".to_owned(),
            more => format!("; and {more} more"),
        };
        let mut problem = Self::new(Kind::InvalidField, format!("{}{more}.", named.join("; ")));
        problem.errors = errors;
        problem
    }

    /// 422: this one field is bad.
    pub fn invalid_field(field: impl Into<String>, reason: impl Into<String>) -> Self {
        let error = FieldError {
            field: field.into(),
            reason: reason.into(),
        };
        Self::invalid(vec![error], 1)
    }

    /// 503: too many requests are under way.
    pub fn overloaded() -> Self {
        Self::from(Refusal::Overloaded)
    }

    /// 503: the fleet is not loaded yet. `Retry-After` has the seconds until the next try.
    pub(super) fn starting(detail: impl Into<String>) -> Self {
        Self::new(Kind::Starting, detail)
    }

    /// 503: another orchestrator leads. Nothing was changed.
    pub(super) fn standby(detail: impl Into<String>) -> Self {
        Self::new(Kind::Standby, detail)
    }

    /// 503: the leader was lost while it had the request.
    pub(super) fn outcome_unknown(detail: impl Into<String>) -> Self {
        Self::new(Kind::OutcomeUnknown, detail)
    }

    /// 503: the database has not confirmed in time that this orchestrator leads.
    pub(super) fn not_proven() -> Self {
        Self::new(
            Kind::NotProven,
            "The database has not confirmed in time that this orchestrator leads, so it does not answer \
             this. Nothing is known to have changed; try again soon, at another orchestrator if there is \
             one. GET /leader says who leads.",
        )
    }

    /// 503: no stream is started after a loss of the database.
    pub(super) fn starts_nothing(left: Duration) -> Self {
        let seconds = left.as_secs() + 1;
        Self::new(
            Kind::NotProven,
            format!(
                "The database lost changes that were acknowledged, or may have, so no stream is started for \
                 another {seconds} s: until then every lease from before is over. Nothing has changed; repeat \
                 this request. Heartbeats are answered as always."
            ),
        )
    }

    /// 409: the state does not allow it.
    pub(super) fn conflict(detail: impl Into<String>) -> Self {
        Self::new(Kind::Conflict, detail)
    }

    /// 503: no more requests are taken.
    pub(super) fn shutting_down() -> Self {
        Self::from(Refusal::ShuttingDown)
    }

    /// 500: a fault of this program; the log has the cause.
    pub fn internal() -> Self {
        Self::new(
            Kind::Internal,
            "Internal error. The request may or may not have been applied; repeating it is safe. \
             The orchestrator's log has the cause.",
        )
    }
}

/// Returns the bad field of an entry of a list; `None` if the rejection is about something else.
fn entry_error(rejection: &Rejection) -> Option<FieldError> {
    let (index, field, reason) = match rejection {
        Rejection::NameMissing { index } => (
            index,
            "name",
            "is missing; a new stream needs one".to_owned(),
        ),
        Rejection::IdsExhausted { index } => (
            index,
            "id",
            "is missing, and cannot be chosen: the highest possible one is taken".to_owned(),
        ),
        Rejection::NameTaken {
            index,
            owner,
            is_deleted: false,
            ..
        } => (
            index,
            "name",
            format!(
                "belongs to stream {owner}; choose another name, or update that stream by its id"
            ),
        ),
        Rejection::NameTaken { index, owner, .. } => (
            index,
            "name",
            format!(
                "belongs to stream {owner}, which was deleted and may still be run by its last \
                 worker; create it again under that id, or try again in a while"
            ),
        ),
        _ => return None,
    };
    Some(FieldError {
        field: format!("streams[{index}].{field}"),
        reason,
    })
}

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        let mut errors: Vec<FieldError> = match &rejection {
            Rejection::SeveralEntries(entries) => entries.iter().filter_map(entry_error).collect(),
            one => entry_error(one).into_iter().collect(),
        };
        let kind = match &rejection {
            Rejection::UnknownInstance(_) => Kind::UnknownInstance,
            Rejection::UnknownStream(_) => Kind::UnknownStream,
            Rejection::NoDrain(_) => Kind::UnknownDrain,
            Rejection::UnknownRoll(_) => Kind::UnknownRoll,
            Rejection::EmptySelection => Kind::InvalidField,
            Rejection::OtherIncarnation { .. }
            | Rejection::WrongStatus { .. }
            | Rejection::LeaseRuns(_)
            | Rejection::Cordoned(_)
            | Rejection::NotDrainable { .. }
            | Rejection::WouldNotFit { .. }
            | Rejection::DrainOver { .. }
            | Rejection::RollOver { .. }
            | Rejection::StreamDisabled(_)
            | Rejection::StreamQuarantined(_)
            | Rejection::NotQuarantined { .. }
            | Rejection::NoRoom(_)
            | Rejection::DoesNotFit { .. }
            | Rejection::NameTaken { .. } => Kind::Conflict,
            Rejection::SeveralEntries(entries)
                if entries
                    .iter()
                    .any(|entry| matches!(entry, Rejection::NameTaken { .. })) =>
            {
                Kind::Conflict
            }
            Rejection::NameMissing { .. }
            | Rejection::IdsExhausted { .. }
            | Rejection::SeveralEntries(_) => {
                let total = errors.len();
                return Self::invalid(errors, total);
            }
        };
        errors.truncate(MAX_NAMED_FIELDS);
        let would_not_fit = match &rejection {
            Rejection::WouldNotFit { streams, .. } => Some(streams.clone().into()),
            _ => None,
        };
        let current_incarnation = match &rejection {
            Rejection::OtherIncarnation { current, .. } => Some(*current),
            _ => None,
        };
        Self {
            errors,
            current_incarnation,
            would_not_fit,
            ..Self::new(kind, rejection.to_string())
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let kind = match refusal {
            Refusal::Rejected(rejection) => return rejection.into(),
            Refusal::RefusedByStore => Kind::InvalidField,
            Refusal::StoreUnavailable | Refusal::DatabaseReplaced | Refusal::OutcomeUnknown => {
                Kind::StoreUnavailable
            }
            Refusal::Overloaded => Kind::Overloaded,
            Refusal::ShuttingDown => Kind::ShuttingDown,
        };
        Self::new(kind, refusal.to_string())
    }
}

impl From<BalanceRefusal> for Problem {
    fn from(refusal: BalanceRefusal) -> Self {
        match refusal {
            BalanceRefusal::Blocked(blocked) => Self::conflict(blocked.to_string()),
            BalanceRefusal::Refused(refusal) => refusal.into(),
        }
    }
}

impl From<WebhookRefusal> for Problem {
    fn from(refusal: WebhookRefusal) -> Self {
        match refusal {
            WebhookRefusal::Unknown(name) => Self::new(
                Kind::UnknownWebhook,
                format!("There is no webhook `{name}`. GET /webhooks lists them."),
            ),
            WebhookRefusal::FromFile(name) => Self::conflict(format!(
                "Webhook `{name}` is written in the file that WEBHOOKS_FILE names, so it is changed \
                 there; the file is read at the start."
            )),
            WebhookRefusal::Inactive(name) => Self::conflict(format!(
                "Webhook `{name}` is off, or was stopped by an answer 410, so nothing is sent to it. \
                 PUT /webhooks/{name} with `\"enabled\": true` starts it again."
            )),
            WebhookRefusal::TooMany => Self::conflict(format!(
                "There are {MAX_TARGETS} webhooks, and no more are possible. DELETE \
                 /webhooks/{{name}} makes room."
            )),
            WebhookRefusal::Invalid((field, reason)) => Self::invalid_field(field, reason),
            WebhookRefusal::NoSuchMessage(id) => Self::new(
                Kind::UnknownWebhook,
                format!(
                    "No message of this webhook has the id `{id}`. GET \
                     /webhooks/{{name}}/deliveries lists those about alerts, and those that failed."
                ),
            ),
            WebhookRefusal::Other(refusal) => refusal.into(),
        }
    }
}

impl From<AccessRefusal> for Problem {
    fn from(refusal: AccessRefusal) -> Self {
        match refusal {
            AccessRefusal::Unknown(id) => Self::new(
                Kind::UnknownKey,
                format!("There is no key {id}. GET /keys lists them."),
            ),
            AccessRefusal::NameTaken(name) => Self::conflict(format!(
                "A key of the name `{name}` is there and not revoked. Choose another name, or revoke that key \
                 first: DELETE /keys/{{id}}."
            )),
            AccessRefusal::TooMany => Self::conflict(format!(
                "There are {MAX_KEYS} keys that are not revoked, and no more are possible. DELETE /keys/{{id}} \
                 makes room."
            )),
            AccessRefusal::Invalid(field, reason) => Self::invalid_field(field, reason),
            AccessRefusal::Other(refusal) => refusal.into(),
        }
    }
}

impl From<OrderRefused> for Problem {
    fn from(refused: OrderRefused) -> Self {
        let detail = match refused {
            OrderRefused::NothingHeld => {
                "No mass failure is held: there is no hold to release or to prolong."
            }
            OrderRefused::AlreadyReleased => {
                "The hold is over already: the instances that stayed silent are being recovered."
            }
        };
        Self::new(Kind::Conflict, detail)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for Problem {}

/// An error (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct Document<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
    /// From this a worker learns whether it was replaced, or forgotten by a database of an earlier
    /// day.
    #[serde(skip_serializing_if = "Option::is_none")]
    current_incarnation: Option<Incarnation>,
    /// The streams for which no instance has room.
    #[serde(skip_serializing_if = "Option::is_none")]
    would_not_fit: Option<&'a [StreamId]>,
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.kind.status()
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        let mut response = HttpResponse::build(self.kind.status());
        response.content_type("application/problem+json");
        let usual = self.kind.retry_after();
        if let Some(seconds) = self.retry_after.or(usual) {
            response.insert_header((header::RETRY_AFTER, HeaderValue::from(seconds)));
        }
        match self.kind {
            // Whatever still arrives of the body belongs to no request any more.
            Kind::RequestTimeout => {
                response.force_close();
            }
            Kind::UnsupportedEncoding => {
                response.insert_header((header::ACCEPT_ENCODING, "identity"));
            }
            _ => {}
        }
        match &self.header {
            Some(OwnHeader::Allow(methods)) => {
                response.insert_header((header::ALLOW, &**methods));
            }
            Some(OwnHeader::Challenge(challenge)) => {
                response.insert_header((header::WWW_AUTHENTICATE, *challenge));
            }
            None => {}
        }
        // `json` keeps a content type that is set already.
        response.json(self.document())
    }
}

#[cfg(test)]
mod tests;
