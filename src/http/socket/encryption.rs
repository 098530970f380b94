//! What all connections of a server share.

use std::sync::OnceLock;

use super::refusals::Refusals;
use crate::clock::Clock;
use crate::tls::Tls;

/// Whether TLS is spoken, with what, and what became of handshakes.
#[derive(Debug)]
pub(in crate::http) struct Encryption {
    tls: OnceLock<Tls>,
    pub(super) refusals: Refusals,
}

impl Encryption {
    /// Creates it without TLS.
    pub(in crate::http) fn new(clock: Clock) -> Self {
        Self {
            tls: OnceLock::new(),
            refusals: Refusals::new(clock),
        }
    }

    /// From here on TLS is spoken; a second call changes nothing.
    pub(in crate::http) fn begin(&self, tls: Tls) {
        let _ = self.tls.set(tls);
    }

    /// Returns what is in force; `None` if HTTP is spoken without TLS.
    pub(in crate::http) fn tls(&self) -> Option<&Tls> {
        self.tls.get()
    }

    /// Returns the results of handshakes with their counts.
    pub(in crate::http) fn handshakes(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.refusals.counts()
    }
}
