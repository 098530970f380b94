//! Whether a stream may run at this moment, and the clock that decides it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use super::stream::{Handoff, StreamAssignment};

#[cfg(any(target_os = "linux", target_os = "android"))]
const CLOCK: ClockId = ClockId::Boottime;

/// On other systems: a clock that goes on while the computer sleeps, if there is one.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const CLOCK: ClockId = ClockId::Monotonic;

/// Returns the time since the computer started, including time asleep.
pub(super) fn boot_time() -> Duration {
    let time = clock_gettime(CLOCK);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// The permit to run one stream.
///
/// Code that works on the stream checks the permit before every result: it ends at the very moment
/// the lease does, also in a process that was suspended then and whose runner has not been called
/// yet.
#[derive(Debug, Clone)]
pub struct Permit {
    stream: Arc<Standing>,
    lease: Arc<LeaseEnd>,
}

impl Permit {
    /// Returns whether the stream may still run. Once it is false it stays false for this permit,
    /// unless the orchestrator answers before the runner was called to stop.
    pub fn is_valid(&self) -> bool {
        !self.stream.is_withdrawn.load(Ordering::Acquire)
            && (!self.stream.is_exclusive.load(Ordering::Acquire) || self.lease.is_ahead())
    }
}

/// The state of one stream, shared by its permit and the keeper.
#[derive(Debug)]
struct Standing {
    is_withdrawn: AtomicBool,
    is_exclusive: AtomicBool,
}

/// The moment at which exclusive streams must have stopped, readable by all threads.
#[derive(Debug, Default)]
pub(super) struct LeaseEnd(AtomicU64);

impl LeaseEnd {
    pub(super) fn set(&self, stop_at: Duration) {
        let micros = u64::try_from(stop_at.as_micros()).unwrap_or(u64::MAX);
        self.0.store(micros, Ordering::Release);
    }

    fn is_ahead(&self) -> bool {
        boot_time() < Duration::from_micros(self.0.load(Ordering::Acquire))
    }
}

/// The keeper's end of a [`Permit`]; ends it when dropped.
#[derive(Debug)]
pub(super) struct Grant(Arc<Standing>);

impl Grant {
    pub(super) fn new(stream: &StreamAssignment, lease: &Arc<LeaseEnd>) -> (Self, Permit) {
        let standing = Arc::new(Standing {
            is_withdrawn: AtomicBool::new(false),
            is_exclusive: AtomicBool::new(stream.handoff == Handoff::Exclusive),
        });
        let permit = Permit {
            stream: standing.clone(),
            lease: lease.clone(),
        };
        (Self(standing), permit)
    }

    /// Sets whether the end of the lease ends the permit.
    pub(super) fn bind(&self, handoff: Handoff) {
        let is_exclusive = handoff == Handoff::Exclusive;
        self.0.is_exclusive.store(is_exclusive, Ordering::Release);
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        self.0.is_withdrawn.store(true, Ordering::Release);
    }
}
