//! The kinds of errors, each with its status, title and `type`.

use actix_web::http::StatusCode;

/// Seconds after which a request that met an overload or a shutdown is worth repeating.
const RETRY_SOON: u32 = 1;

/// Seconds after which a request that found the database out is worth repeating, if the next
/// probe of the breaker (`retry.rs`) does not say more.
const RETRY_LATER: u32 = 5;

/// What can go wrong, each with its status, title and `type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    MalformedRequest,
    NoTls,
    UnknownRoute,
    UnknownInstance,
    UnknownStream,
    UnknownIncident,
    UnknownBreaker,
    UnknownDrain,
    UnknownRoll,
    UnknownAlert,
    UnknownSilence,
    UnknownWebhook,
    UnknownKey,
    Unauthorized,
    Forbidden,
    TooManyAttempts,
    UnknownMember,
    MethodNotAllowed,
    NotAcceptable,
    RequestTimeout,
    Conflict,
    BodyTooLarge,
    UnsupportedEncoding,
    InvalidField,
    StoreUnavailable,
    Overloaded,
    Starting,
    Standby,
    OutcomeUnknown,
    NotProven,
    ShuttingDown,
    Internal,
}

impl Kind {
    pub(super) const fn status(self) -> StatusCode {
        match self {
            Self::MalformedRequest | Self::NoTls => StatusCode::BAD_REQUEST,
            Self::UnknownRoute
            | Self::UnknownInstance
            | Self::UnknownStream
            | Self::UnknownIncident
            | Self::UnknownBreaker
            | Self::UnknownDrain
            | Self::UnknownRoll
            | Self::UnknownAlert
            | Self::UnknownSilence
            | Self::UnknownWebhook
            | Self::UnknownKey
            | Self::UnknownMember => StatusCode::NOT_FOUND,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::TooManyAttempts => StatusCode::TOO_MANY_REQUESTS,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::Conflict => StatusCode::CONFLICT,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedEncoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::InvalidField => StatusCode::UNPROCESSABLE_ENTITY,
            Self::StoreUnavailable
            | Self::Overloaded
            | Self::Starting
            | Self::Standby
            | Self::OutcomeUnknown
            | Self::NotProven
            | Self::ShuttingDown => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Tells problems of one status apart; stable, so that a program may compare it.
    pub(super) const fn uri(self) -> &'static str {
        match self {
            Self::MalformedRequest => "/problems/malformed-request",
            Self::NoTls => "/problems/no-tls",
            Self::UnknownRoute => "/problems/unknown-route",
            Self::UnknownInstance => "/problems/unknown-instance",
            Self::UnknownStream => "/problems/unknown-stream",
            Self::UnknownIncident => "/problems/unknown-incident",
            Self::UnknownBreaker => "/problems/unknown-breaker",
            Self::UnknownDrain => "/problems/unknown-drain",
            Self::UnknownRoll => "/problems/unknown-roll",
            Self::UnknownAlert => "/problems/unknown-alert",
            Self::UnknownSilence => "/problems/unknown-silence",
            Self::UnknownWebhook => "/problems/unknown-webhook",
            Self::UnknownKey => "/problems/unknown-key",
            Self::Unauthorized => "/problems/unauthorized",
            Self::Forbidden => "/problems/forbidden",
            Self::TooManyAttempts => "/problems/too-many-attempts",
            Self::UnknownMember => "/problems/unknown-orchestrator",
            Self::MethodNotAllowed => "/problems/method-not-allowed",
            Self::NotAcceptable => "/problems/not-acceptable",
            Self::RequestTimeout => "/problems/request-timeout",
            Self::Conflict => "/problems/conflict",
            Self::BodyTooLarge => "/problems/body-too-large",
            Self::UnsupportedEncoding => "/problems/unsupported-encoding",
            Self::InvalidField => "/problems/invalid-field",
            Self::StoreUnavailable => "/problems/database-unavailable",
            Self::Overloaded => "/problems/overloaded",
            Self::Starting => "/problems/starting",
            Self::Standby => "/problems/standby",
            Self::OutcomeUnknown => "/problems/outcome-unknown",
            Self::NotProven => "/problems/leadership-unproven",
            Self::ShuttingDown => "/problems/shutting-down",
            Self::Internal => "/problems/internal-error",
        }
    }

    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::MalformedRequest => "Malformed request",
            Self::NoTls => "TLS is spoken here",
            Self::UnknownRoute => "Unknown route",
            Self::UnknownInstance => "Unknown instance",
            Self::UnknownStream => "Unknown stream",
            Self::UnknownIncident => "Unknown incident",
            Self::UnknownBreaker => "Unknown circuit breaker",
            Self::UnknownDrain => "Unknown drain",
            Self::UnknownRoll => "Unknown roll",
            Self::UnknownAlert => "Unknown alert",
            Self::UnknownSilence => "Unknown silence",
            Self::UnknownWebhook => "Unknown webhook",
            Self::UnknownKey => "Unknown key",
            Self::Unauthorized => "Unauthorized",
            Self::Forbidden => "Forbidden",
            Self::TooManyAttempts => "Too many attempts",
            Self::UnknownMember => "Unknown orchestrator",
            Self::MethodNotAllowed => "Method not allowed",
            Self::NotAcceptable => "Not acceptable",
            Self::RequestTimeout => "Request timed out",
            Self::Conflict => "Conflict with the current state",
            Self::BodyTooLarge => "Body too large",
            Self::UnsupportedEncoding => "Unsupported content encoding",
            Self::InvalidField => "Invalid field",
            Self::StoreUnavailable => "Database unavailable",
            Self::Overloaded => "Overloaded",
            Self::Starting => "Starting",
            Self::Standby => "Standby",
            Self::OutcomeUnknown => "Outcome unknown",
            Self::NotProven => "Leadership not proven",
            Self::ShuttingDown => "Shutting down",
            Self::Internal => "Internal error",
        }
    }

    pub(super) const fn retry_after(self) -> Option<u32> {
        match self {
            Self::StoreUnavailable => Some(RETRY_LATER),
            Self::Overloaded
            | Self::Starting
            | Self::Standby
            | Self::OutcomeUnknown
            | Self::NotProven
            | Self::ShuttingDown => Some(RETRY_SOON),
            Self::MalformedRequest
            | Self::NoTls
            | Self::UnknownRoute
            | Self::UnknownInstance
            | Self::UnknownStream
            | Self::UnknownIncident
            | Self::UnknownBreaker
            | Self::UnknownDrain
            | Self::UnknownRoll
            | Self::UnknownAlert
            | Self::UnknownSilence
            | Self::UnknownWebhook
            | Self::UnknownKey
            | Self::Unauthorized
            | Self::Forbidden
            | Self::TooManyAttempts
            | Self::UnknownMember
            | Self::MethodNotAllowed
            | Self::NotAcceptable
            | Self::RequestTimeout
            | Self::Conflict
            | Self::BodyTooLarge
            | Self::UnsupportedEncoding
            | Self::InvalidField
            | Self::Internal => None,
        }
    }
}
