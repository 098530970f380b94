//! The waits of commands that ask a running orchestrator again and again.

use std::thread;
use std::time::Duration;

/// Waits before the next request.
#[expect(
    clippy::disallowed_methods,
    reason = "the command waits for another process, which announces nothing"
)]
pub(super) fn pause(wait: Duration) {
    thread::sleep(wait);
}
