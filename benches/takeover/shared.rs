//! What the threads of all clients share.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::time::{Duration, Instant};

/// The patience of a worker.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// The longest time of a request.
    pub(super) request: Duration,
    /// The first wait after a failure, and the longest.
    pub(super) waits: (Duration, Duration),
}

impl Patience {
    /// That of workers of several orchestrators with this timeout, of which a tenth is the interval of heartbeats.
    pub(super) fn of(timeout: Duration) -> Self {
        let interval = timeout / 10;
        let seconds = Duration::from_secs;
        let first = (interval / 8).clamp(Duration::from_millis(50), seconds(1));
        Self {
            request: (interval / 2).clamp(Duration::from_millis(200), seconds(4)),
            waits: (first, interval.max(first)),
        }
    }
}

/// A 200: when its heartbeat was sent and when it came, and what it says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answered {
    pub(super) sent: Instant,
    pub(super) came: Instant,
    /// The term of the leader that answered; an echo has none.
    pub(super) term: Option<i64>,
    pub(super) has_lease: bool,
    /// Whether a worker stays with the member that answered.
    pub(super) serves: bool,
}

/// What the threads share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) urls: Vec<String>,
    pub(super) patience: Patience,
    /// How many streams an instance may run.
    pub(super) room: u32,
    pub(super) is_over: AtomicBool,
    /// How often all clients were sent home.
    pub(super) homes: AtomicUsize,
    /// The client that has ended.
    pub(super) ended: AtomicUsize,
    /// The answers of each client in this round, the last one before it included.
    pub(super) answers: Vec<Mutex<Vec<Answered>>>,
    /// The answers at one member, and which one.
    pub(super) probed: Mutex<Vec<Answered>>,
    pub(super) probes: AtomicUsize,
    pub(super) stopped: AtomicUsize,
    pub(super) refused: AtomicUsize,
}
