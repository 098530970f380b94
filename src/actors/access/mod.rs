//! The keys of callers, ready at hand for every request (`domain/access` has the rules).
//!
//! ```text
//!   table access_keys ──read at the start, after a change, and again and again──▶ Keyring (a copy in memory)
//!          ▲                                                                        ▲          │ changed
//!          │ CreateKey, RevokeKey, last uses                                        │ check    ▼
//!     AccessActor ◀──────────── handlers of /keys                               every request  polls, streams
//! ```
//!
//! [`Keyring`] is shared by all threads, and no actor: a heartbeat is checked by one hash, one look into a map, and one
//! comparison in constant time. The AccessActor owns what takes time:
//!
//! | message, timer | effect |
//! | --- | --- |
//! | [`CreateKey`], [`RevokeKey`] | the store changes, then the copy; the answer comes after both |
//! | every [`LOOK_INTERVAL`] | failed attempts since the last look are judged: `auth_failures` opens or closes |
//! | every [`WRITE_INTERVAL`] | last uses are written; a copy that may be old is read again |
//!
//! Failures: while the store is out, nothing is made or revoked (503), and the copy stays good. After a change whose
//! outcome is unknown the copy is read again. Sessions are in memory only: a restart ends them.

mod actor;
mod keyring;
mod secret;
mod sessions;

pub use actor::{
    AccessActor, AccessLinks, AccessRefusal, CreateKey, CreatedKey, LOOK_INTERVAL, RevokeKey,
    WRITE_INTERVAL,
};
pub use keyring::{CredentialFault, KeyDemand, Keyring};
pub use secret::{hash_of, new_secret};
pub use sessions::SESSION_LENGTH;
