//! The errors that many routes answer, each described once.

use serde_json::{Value, json};
use utoipa::ToSchema;

use super::super::body::MAX_BODY;
use super::super::problem::{Document, Problem};
use super::answers::{Named, of};

/// The content type of every error.
pub(super) const PROBLEM: &str = "application/problem+json";

/// An error that belongs to a kind of route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Refusal {
    Malformed,
    Unauthorized,
    Forbidden,
    TooSlow,
    TooLarge,
    Encoded,
    Invalid,
    TooManyAttempts,
    Fault,
    Unavailable,
}

impl Refusal {
    const ALL: [Self; 10] = [
        Self::Malformed,
        Self::Unauthorized,
        Self::Forbidden,
        Self::TooSlow,
        Self::TooLarge,
        Self::Encoded,
        Self::Invalid,
        Self::TooManyAttempts,
        Self::Fault,
        Self::Unavailable,
    ];

    pub(super) const fn status(self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::Unauthorized => 401,
            Self::Forbidden => 403,
            Self::TooSlow => 408,
            Self::TooLarge => 413,
            Self::Encoded => 415,
            Self::Invalid => 422,
            Self::TooManyAttempts => 429,
            Self::Fault => 500,
            Self::Unavailable => 503,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "Malformed",
            Self::Unauthorized => "Unauthorized",
            Self::Forbidden => "Forbidden",
            Self::TooSlow => "TooSlow",
            Self::TooLarge => "TooLarge",
            Self::Encoded => "Encoded",
            Self::Invalid => "Invalid",
            Self::TooManyAttempts => "TooManyAttempts",
            Self::Fault => "Fault",
            Self::Unavailable => "Unavailable",
        }
    }

    const fn about(self) -> &'static str {
        match self {
            Self::Malformed => "The body is not JSON. Nothing was changed.",
            Self::Unauthorized => {
                "Callers need a key (AUTH), and this one has none, or one that is malformed, unknown, expired or \
                 revoked. Nothing was changed."
            }
            Self::Forbidden => {
                "The caller's role or `server_ids` do not allow this, or a change by cookie has no header \
                 `x-requested-with`. Nothing was changed."
            }
            Self::TooManyAttempts => {
                "This address has sent keys that do not do again and again. A good key is accepted at once."
            }
            Self::TooSlow => "The body did not arrive in time. Nothing was changed.",
            Self::TooLarge => "The body is larger than 16 MiB. Nothing was changed.",
            Self::Encoded => "The body has a Content-Encoding. Nothing was changed.",
            Self::Invalid => {
                "A field of the body, a parameter of the query or a part of the path is bad; `errors` names \
                 each one. Nothing was changed."
            }
            Self::Fault => {
                "A fault of the orchestrator; its log has the cause. The request may have been applied, and \
                 repeating it is safe."
            }
            Self::Unavailable => {
                "Not now: the database does not answer, too many requests are under way, the process starts, \
                 stops or is a standby, or it cannot prove that it leads. `type` says which."
            }
        }
    }

    /// Returns such an error.
    fn example(self) -> Problem {
        match self {
            Self::Malformed => Problem::malformed("The body is empty; a JSON object is expected."),
            Self::Unauthorized => Problem::no_credential(),
            Self::Forbidden => Problem::cookie_alone(),
            Self::TooManyAttempts => Problem::too_many_attempts(6),
            Self::TooSlow => Problem::too_slow(),
            Self::TooLarge => Problem::too_large(MAX_BODY),
            Self::Encoded => Problem::unsupported_encoding(),
            Self::Invalid => Problem::invalid_field("port", "must be from 1 to 65535"),
            Self::Fault => Problem::internal(),
            Self::Unavailable => Problem::overloaded(),
        }
    }

    /// Returns a reference to its description.
    pub(super) fn reference(self) -> Value {
        json!({"$ref": format!("#/components/responses/{}", self.name())})
    }
}

/// Returns the descriptions by name.
pub(super) fn responses() -> Value {
    let described = Refusal::ALL.map(|refusal| {
        let mut response = problem(refusal.about());
        response["content"][PROBLEM]["example"] = json!(refusal.example().document());
        if [Refusal::Unavailable, Refusal::TooManyAttempts].contains(&refusal) {
            response["headers"] = retry_after();
        }
        if refusal == Refusal::Unauthorized {
            response["headers"] = json!({"WWW-Authenticate": {
                "description": "The scheme of a key (RFC 6750).",
                "schema": {"type": "string"},
            }});
        }
        (refusal.name().to_owned(), response)
    });
    Value::Object(described.into_iter().collect())
}

/// Returns how a caller shows who it is.
pub(super) fn security_schemes() -> Value {
    json!({
        "key": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "ork_ and base64url of 256 bits",
            "description": "A key, which POST /keys or `orchestrator keys create` made.",
        },
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": "orchestrator_session",
            "description": "The session that POST /session began; `__Host-orchestrator` over TLS. A change needs the \
                            header `x-requested-with` besides.",
        },
    })
}

/// Returns the description of an error.
pub(super) fn problem(about: &str) -> Value {
    let schema = of::<Document<'_>>().shown;
    json!({"description": about, "content": {PROBLEM: {"schema": schema}}})
}

/// Returns the header of an answer that passes by itself.
pub(super) fn retry_after() -> Value {
    json!({"Retry-After": {
        "description": "Seconds after which the request is worth repeating.",
        "schema": {"type": "integer", "minimum": 1},
    }})
}

/// Returns the schema of errors, and those that it refers to.
pub(super) fn schemas() -> Named {
    debug_assert_eq!(Document::name(), "Problem");
    of::<Document<'_>>().named
}
