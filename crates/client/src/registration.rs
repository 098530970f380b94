//! What a worker says of itself when it registers.

use std::collections::BTreeMap;
use std::time::Duration;

/// The settings of one worker.
#[derive(Debug, Clone)]
pub(super) struct Registration {
    /// The orchestrator, without a slash at its end.
    pub(super) url: String,
    pub(super) server_id: String,
    /// Where the worker is reached; none: the address it has on the way to the orchestrator.
    pub(super) address: Option<(String, u16)>,
    pub(super) max_streams: u32,
    pub(super) labels: BTreeMap<String, String>,
    /// None: as the orchestrator asks.
    pub(super) heartbeat_interval: Option<Duration>,
    pub(super) auto_assign: bool,
}
