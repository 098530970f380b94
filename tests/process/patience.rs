//! Waiting for what real processes do.

use std::time::{Duration, Instant};

/// Nothing here takes longer unless something is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// The moment, for what real processes do in real time.
#[expect(
    clippy::disallowed_methods,
    reason = "real processes live in real time"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Looks until something is found. The limit ends a test that would never end.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(
            now().duration_since(began) < PATIENCE,
            "{what} takes too long"
        );
        // The next look is a request to a process that shares the processor.
        std::thread::park_timeout(Duration::from_millis(5));
    }
}
