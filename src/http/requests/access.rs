//! What callers say about keys and sessions.

use serde_json::{Value, json};

use super::listed::List;
use super::reading::required_types as required;
use super::request::request;
use super::rules::{parsed, text, word};
use super::texts::{When, moment_within, position, stored_page_limit};
use crate::domain::access::{
    MAX_KEY_LIFE, MAX_KEY_NAME, MAX_KEY_PATTERNS, MAX_PATTERN, Role, ServerIdPattern,
    check_key_name,
};
use crate::domain::ids::KeyId;

required!(Role);

fn key_name() -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": MAX_KEY_NAME})
}

fn pattern() -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": MAX_PATTERN})
}

request! {
    /// `POST /keys`.
    pub(in crate::http) struct KeyRequest {
        /// What the key is called in lists, events and the log: 1 to 64 letters, digits or `-_.:@/`. No other key that is
        /// not revoked may have it.
        name: String = parsed(key_name, |text| check_key_name(text).map(|()| text.to_owned())),
        /// `worker`, `viewer`, `operator` or `admin`.
        role: Role = word(Role::ALL, Role::as_str),
        /// For which `server_id`s a worker may call; `*` stands for any characters. Absent: for any.
        server_ids: Option<Vec<ServerIdPattern>> = List {
            rule: parsed(pattern, ServerIdPattern::parse),
            most: MAX_KEY_PATTERNS,
        },
        /// When the key is over: an RFC 3339 time, or a duration such as `90d`. Absent: never.
        expires: Option<When> = moment_within(MAX_KEY_LIFE),
    }
}

request! {
    /// `GET /keys`: a page, the oldest key first.
    pub(in crate::http) struct KeysQuery {
        /// The key the page follows: the id that the page before ended with.
        after: Option<KeyId> = position(KeyId::new),
        /// How many keys, 1 to 1,000.
        limit: Option<u32> = stored_page_limit(),
    }
}

request! {
    /// `POST /session`.
    pub(in crate::http) struct SessionRequest {
        /// The key.
        key: String = text(1..=200),
    }
}
