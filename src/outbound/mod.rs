//! Requests to programs outside: the receivers of webhooks, over HTTP and HTTPS.
//!
//! Each request has a thread of its own, because the client blocks; an actor has at most one request to a target
//! under way, so there are at most as many threads as targets. A request is over after ten seconds, whatever
//! the receiver does. Of the answer the status counts; of its body a few kilobytes are read so that the connection
//! can be used again, and a longer one ends the connection.
//!
//! The address of a receiver is checked after its name is resolved, for each connection, so a name
//! that leads to another address later slips through no check. Redirects are not followed, and no proxy of the
//! environment is used: both would lead around the check.

mod certificates;
mod guard;
mod http;
mod signature;

pub(crate) use certificates::{CallerIdentity, tls_as, unjudged};
pub use http::{HttpSender, SenderSettings};
pub use signature::signatures;
