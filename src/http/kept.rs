//! What readers share: the newest figures, and the newest table of the fleet. `figures` and `fleet_table` make
//! them; the state holds them.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use actix_web::web::Bytes;
use tokio::sync::{Mutex, watch};

use crate::domain::time::Timestamp;

/// The figures that were published last, as the inner part of a JSON object.
#[derive(Debug)]
pub(super) struct Figures {
    pub(super) newest: watch::Sender<Option<Arc<str>>>,
    /// Whether a task counts them.
    pub(super) is_counting: AtomicBool,
}

impl Default for Figures {
    fn default() -> Self {
        Self {
            newest: watch::Sender::new(None),
            is_counting: AtomicBool::new(false),
        }
    }
}

/// The newest table of the fleet.
#[derive(Debug, Default)]
pub(super) struct FleetCache(pub(super) Mutex<Option<FleetText>>);

/// A table of the fleet, as it is sent.
#[derive(Debug, Clone)]
pub(super) struct FleetText {
    pub(super) made_at: Timestamp,
    pub(super) plain: Bytes,
    pub(super) gzip: Bytes,
}
