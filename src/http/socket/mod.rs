//! What a connection speaks: HTTP as it is, or within TLS.
//!
//! ```text
//!            first byte          ClientHello            certificate, Finished
//!   accepted ─────────▶ greeting ──────────▶ (its turn) ──────────────────▶ secured ── HTTP ──▶ closed
//!      │                   │ no TLS             │ refused                       │ not admitted any more
//!      └──── handshake ────┴─── 400, closed     └─── alert, closed              └── closed
//! ```
//!
//! TLS is between HTTP and the guarded socket (`connection`), so the limits of the socket hold for encrypted
//! bytes, too: a client that reads nothing of its answer is noticed where the kernel takes nothing more.
//!
//! | failure | what happens |
//! | --- | --- |
//! | a client says nothing, or stops in the middle of its handshake | its connection ends after [`super::ClientLimits::handshake`] |
//! | many clients come at once | each HTTP worker begins one handshake at a time, so that requests of others pass between two |
//! | a client speaks no TLS | if it speaks HTTP, it is answered 400; its connection ends |
//! | a client certificate is refused | the client gets the alert of TLS, the log a line (`refusals`) |
//! | the authorities in force change | a connection that they do not admit ends before its next byte |

mod encryption;
mod handshake;
mod refusals;
mod secured;

pub(super) use encryption::Encryption;
pub(super) use handshake::Entrance;
pub(super) use secured::{OverTls, Socket};
