//! Who may call what: keys with roles, and what a caller is allowed.
//!
//! A *caller* is the sender of one request. Its *credential* is a key (or a session that a key began), a
//! certificate, its place in a trusted network, or nothing where no key is needed. A *role* says what a caller may do, a *permission* what
//! a route asks for.
//!
//! ```text
//!   request ─▶ credential ─▶ verdict ──accepted──▶ caller ─▶ permission of the route ──▶ handler ─▶ scope
//!                  │            │                                    │                             │
//!                  none, bad    unknown, expired, revoked            another role                  another server_id
//!                  401          401, too often: 429                  403                           403
//! ```
//!
//! | question | file |
//! | --- | --- |
//! | what may a role do | `role`, `permission` |
//! | what is a key, and which `server_id`s does it allow | `key`, `pattern` |
//! | is a key good now | `verdict` |
//! | which `server_id`s does a certificate name | `peer_names` |
//! | who calls | `caller` |
//! | from where | `network` (a range of addresses), `forwarded` (the address behind trusted proxies) |
//! | how often may an address be wrong | `throttle`; when does that deserve an alert: `attempts` |
//!
//! # A key
//!
//! `ork_` and 256 random bits. The program keeps only their SHA-256: such a hash needs no salt and no slow
//! function, because no caller can guess 256 bits. A key is never changed; it is good until it expires or is revoked.
//!
//! ```text
//!   made ──▶ good ──expires_at──▶ expired
//!              └──── revoked ───▶ revoked ──retention──▶ deleted
//! ```
//!
//! # Failures
//!
//! - The database is out: keys that were read before are still good, and none can be made or revoked (503).
//! - A key of another orchestrator's making is known after the next look at the table, within a second.
//! - Last uses are written seldom; a crash loses those of the last minute.

mod attempts;
mod caller;
mod forwarded;
mod key;
mod network;
mod pattern;
mod peer_names;
mod permission;
mod role;
mod throttle;
mod verdict;

pub use attempts::{AttemptWatch, Attempts};
pub use caller::{Caller, Credential, Scope};
pub use forwarded::{ForwardedHeaders, Via, caller_address};
pub use key::{
    AccessKey, KEY_PREFIX, KeyDraft, KeyHash, KeySecret, MAX_KEY_LIFE, MAX_KEY_NAME,
    MAX_KEY_PATTERNS, MAX_KEYS, check_key_name,
};
pub use network::Network;
pub use pattern::{MAX_PATTERN, ServerIdPattern};
pub use peer_names::{CertificateName, PeerNames};
pub use permission::Permission;
pub use role::Role;
pub use throttle::{MAX_ADDRESSES, Throttle};
pub use verdict::{KeyRefusal, judge_key};
