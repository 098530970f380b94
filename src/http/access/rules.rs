//! What callers are recognized by.

use std::sync::Arc;

use crate::actors::access::Keyring;
use crate::domain::access::Network;

/// What callers are recognized by. Clones are the same.
#[derive(Debug, Clone)]
pub struct Access(Arc<Rules>);

#[derive(Debug)]
struct Rules {
    keyring: Keyring,
    trusted_networks: Vec<Network>,
    trusted_proxies: Vec<Network>,
}

impl Access {
    /// Creates the rules: the keys, the networks whose callers are workers without a key, and the proxies whose
    /// headers count.
    pub fn new(
        keyring: Keyring,
        trusted_networks: Vec<Network>,
        trusted_proxies: Vec<Network>,
    ) -> Self {
        Self(Arc::new(Rules {
            keyring,
            trusted_networks,
            trusted_proxies,
        }))
    }

    /// Returns the keys.
    pub(in crate::http) fn keyring(&self) -> &Keyring {
        &self.0.keyring
    }

    pub(super) fn trusted_networks(&self) -> &[Network] {
        &self.0.trusted_networks
    }

    pub(super) fn trusted_proxies(&self) -> &[Network] {
        &self.0.trusted_proxies
    }
}
