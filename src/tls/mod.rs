//! Certificates and keys: read from files, judged, and put in force while the program runs.
//!
//! ```text
//!   files ──read──▶ ServerTls ──in_force──▶ Tls ◀──a handshake asks for key, chain and authorities
//!     │               ▲                     │
//!     └──fault        │ put_in_force        └─ a connection asks again after each change
//! ```
//!
//! | rule | where |
//! | --- | --- |
//! | a certificate has its key, and is valid now | `identity` |
//! | an authority may sign certificates; one that is over admits no client | `authorities` |
//! | no session is resumed, so each connection shows its certificate | `in_force` |
//! | another orchestrator shows the own certificate, or one of an authority | `members` |
//! | a connection is admitted as long as the authorities in force would admit it again | `in_force` |
//!
//! **What a change does.** A new server certificate is shown to new connections; those that are open go on. New
//! authorities judge the client certificate of each open connection once more, before the next byte in either
//! direction. A connection that they do not admit ends there. So no connection outlives its authority, and none
//! of the others is dropped.
//!
//! **Failures.** Files that cannot be used are a [`Fault`] with the setting that names them: the program does not
//! start, or goes on with what it had. A fault never repeats the content of a file, which may be a key.
//!
//! Dates of certificates are of the world's clock, so this room reads it; no deadline follows from that.

mod authorities;
mod facts;
mod files;
mod identity;
mod in_force;
mod members;
mod pem;

pub(crate) use files::{Content, TLS_CERT, TLS_CLIENT_CA, TLS_CLUSTER_CA, TLS_KEY, now};
pub use files::{Fault, ServerFiles, ServerTls};
pub(crate) use identity::{Identity, Source};
pub(crate) use in_force::Admission;
pub use in_force::Tls;
