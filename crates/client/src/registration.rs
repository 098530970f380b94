//! The facts with which a worker registers.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use orchestrator_domain::masked_url::masked_url;

/// The settings of one worker.
#[derive(Clone)]
pub(super) struct Registration {
    /// The URLs of the orchestrators, separated by commas.
    pub(super) urls: String,
    pub(super) server_id: String,
    /// The address of the worker; `None`: the address it has on the way to the orchestrator.
    pub(super) address: Option<(String, u16)>,
    pub(super) max_streams: u32,
    /// `None`: only the number of its streams is limited.
    pub(super) capacity: Option<u32>,
    pub(super) labels: BTreeMap<String, String>,
    /// `None`: as the orchestrator asks.
    pub(super) heartbeat_interval: Option<Duration>,
    pub(super) auto_assign: bool,
    /// The key that each request shows; `None`: the orchestrator needs none.
    pub(super) key: Option<String>,
    /// The files for an orchestrator that speaks TLS.
    #[cfg(feature = "tls")]
    pub(super) tls: Option<super::tls::TlsFiles>,
}

impl fmt::Debug for Registration {
    /// Leaves out fields that only repeat the calls, possible passwords in the URL, and the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let masked: Vec<_> = self.urls.split(',').map(masked_url).collect();
        f.debug_struct("Registration")
            .field("urls", &masked)
            .field("server_id", &self.server_id)
            .field("max_streams", &self.max_streams)
            .finish_non_exhaustive()
    }
}
