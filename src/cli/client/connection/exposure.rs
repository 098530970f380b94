//! The warning about a key that is sent without encryption.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::config::{SERVER_KEY, SERVER_URL, ServerUrl};

/// Whether requests show a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyUse {
    Shown,
    None,
}

/// Says once per command that the key can be read on the way. The connections of one command share it.
#[derive(Debug, Clone)]
pub(super) struct Exposure {
    key: KeyUse,
    is_said: Arc<AtomicBool>,
}

impl Exposure {
    pub(super) fn new(key: KeyUse) -> Self {
        Self {
            key,
            is_said: Arc::new(AtomicBool::new(false)),
        }
    }

    /// Returns the warning, if the request to this address is the first one that shows the key without encryption.
    pub(super) fn warning(&self, url: &ServerUrl) -> Option<String> {
        let is_exposed = self.key == KeyUse::Shown && url.is_cleartext();
        let is_news = is_exposed && !self.is_said.swap(true, Ordering::Relaxed);
        is_news.then(|| {
            format!(
                "the key (--key-file or {SERVER_KEY}) is sent to {url} without encryption: a listener on the way can \
                 read it and act with it. Name the orchestrator by https:// in --url or {SERVER_URL}."
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    fn url(text: &str) -> ServerUrl {
        config::server_url(text).unwrap()
    }

    #[test]
    fn a_key_that_leaves_the_machine_unencrypted_is_said_once() {
        let exposure = Exposure::new(KeyUse::Shown);
        assert_eq!(exposure.warning(&url("http://localhost:8001")), None);
        assert_eq!(exposure.warning(&url("https://fleet.example")), None);
        let warning = exposure
            .warning(&url("http://me:geheim@fleet.example"))
            .unwrap();
        for part in ["ORCHESTRATOR_KEY", "http://fleet.example/…", "https://"] {
            assert!(warning.contains(part), "{part} is missing in {warning}");
        }
        assert!(!warning.contains("geheim"), "{warning}");
        assert_eq!(exposure.clone().warning(&url("http://fleet.example")), None);
    }

    #[test]
    fn a_request_without_a_key_is_not_warned_of() {
        let exposure = Exposure::new(KeyUse::None);
        assert_eq!(exposure.warning(&url("http://fleet.example")), None);
    }
}
