//! What a caller is told whose credential, role or scope does not do. No text repeats a key.

use super::kind::Kind;
use super::{OwnHeader, Problem};
use crate::domain::access::{Caller, Credential, Permission};
use crate::domain::ids::InstanceId;
use crate::domain::time::WallTime;

/// The challenge of a 401 (RFC 6750) to a request without a key.
const CHALLENGE: &str = "Bearer realm=\"orchestrator\"";

/// The same to a request with a bad one.
const BAD_TOKEN: &str = "Bearer realm=\"orchestrator\", error=\"invalid_token\"";

impl Problem {
    fn unauthorized(detail: impl Into<String>, challenge: &'static str) -> Self {
        let mut problem = Self::new(Kind::Unauthorized, detail);
        problem.header = Some(OwnHeader::Challenge(challenge));
        problem
    }

    /// 401: the request shows nothing.
    pub(in crate::http) fn no_credential() -> Self {
        Self::unauthorized(
            "This call needs a key. Send it in the header `Authorization: Bearer ork_…`; an admin makes one with \
             POST /keys or `orchestrator keys create`.",
            CHALLENGE,
        )
    }

    /// 401: the key has not the form of one.
    pub(in crate::http) fn malformed_key() -> Self {
        Self::unauthorized(
            "The key is malformed. A key is `ork_` and 43 letters, digits, `-` and `_`, sent in the header \
             `Authorization: Bearer ork_…`; check that it was copied whole.",
            BAD_TOKEN,
        )
    }

    /// 401: no key is this one.
    pub(in crate::http) fn unknown_key_text() -> Self {
        Self::unauthorized(
            "The key is not known here: it belongs to another orchestrator, or was deleted. Ask an admin for a new \
             one.",
            BAD_TOKEN,
        )
    }

    /// 401: the time of the key is over.
    pub(in crate::http) fn expired_key(name: &str, at: WallTime) -> Self {
        Self::unauthorized(
            format!("The key `{name}` expired at {at}. Ask an admin for a new one."),
            BAD_TOKEN,
        )
    }

    /// 401: the key was revoked.
    pub(in crate::http) fn revoked_key(name: &str, at: WallTime) -> Self {
        Self::unauthorized(
            format!("The key `{name}` was revoked at {at}. Ask an admin for a new one."),
            BAD_TOKEN,
        )
    }

    /// 401: the session is over.
    pub(in crate::http) fn no_session() -> Self {
        Self::unauthorized(
            "The session is over: its time is up, it was ended, its key is no longer good, or the orchestrator was \
             restarted. Begin another with POST /session.",
            CHALLENGE,
        )
    }

    /// 401: the caller was good when the request came.
    pub(in crate::http) fn caller_ended() -> Self {
        Self::unauthorized(
            "The key or session of this request was revoked, ended or expired while the request waited. Repeat it \
             with another key.",
            BAD_TOKEN,
        )
    }

    /// 403: a cookie is no proof that the user wants this change.
    pub(in crate::http) fn cookie_alone() -> Self {
        Self::new(
            Kind::Forbidden,
            "A change by a session needs the header `x-requested-with`, with any value, which other sites cannot \
             send. Nothing was changed.",
        )
    }

    /// 403: another role is needed.
    pub(in crate::http) fn other_role(caller: &Caller, permission: Permission) -> Self {
        let (role, needed) = (caller.role, permission.needed());
        Self::new(
            Kind::Forbidden,
            format!(
                "{} has the role `{role}`, and this call needs {needed}. Nothing was changed.",
                subject(caller)
            ),
        )
    }

    /// 403: the key is for other instances.
    pub(in crate::http) fn other_instance(
        caller: &Caller,
        id: &InstanceId,
        patterns: &str,
    ) -> Self {
        Self::new(
            Kind::Forbidden,
            format!(
                "{} may not act for instance `{id}`: it is for {patterns}. Use the key of that instance, or a key \
                 whose `server_ids` allow it. Nothing was changed.",
                subject(caller)
            ),
        )
    }

    /// 429: the address has shown bad keys again and again.
    pub(in crate::http) fn too_many_attempts(seconds: u32) -> Self {
        let mut problem = Self::new(
            Kind::TooManyAttempts,
            format!(
                "Too many requests from this address had a key that does not do. Try again in {seconds} s; a good \
                 key is accepted at once."
            ),
        );
        problem.retry_after = Some(seconds);
        problem
    }

    /// 503: the keys were not read yet.
    pub(in crate::http) fn keys_not_read() -> Self {
        Self::starting(
            "The orchestrator has not read its keys from the database yet. Try again soon; nothing was changed.",
        )
    }

    /// 409: no caller needs a session.
    pub(in crate::http) fn no_session_needed() -> Self {
        Self::conflict("AUTH is off, so no session is needed: send requests without one.")
    }
}

/// Returns who is meant, as the subject of a sentence.
fn subject(caller: &Caller) -> String {
    match (&caller.name, &caller.credential) {
        (Some(name), Credential::Certificate) => format!("The certificate of `{name}`"),
        (Some(name), _) => format!("The key `{name}`"),
        (None, Credential::Network) => "A caller without a key from a trusted network".to_owned(),
        (None, _) => "This caller".to_owned(),
    }
}
