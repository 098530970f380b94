//! Limits of the steps of the shutdown: ten seconds together, whatever hangs. The last lines of the log have
//! one second more (`logging::finish`).

use std::time::Duration;

/// How long connections and requests are still accepted at the shutdown, so that requests sent
/// before it are answered.
pub(super) const LAST_CALL: Duration = Duration::from_millis(250);

/// How long requests in progress may take at the shutdown.
pub(super) const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// How long a finished answer has to leave the process.
pub(super) const WRITE_GRACE: Duration = Duration::from_millis(50);

/// How long requests and transactions in progress may take at the shutdown.
pub(super) const FINISH_LIMIT: Duration = Duration::from_secs(8);

/// How long the last heartbeats may take to be saved after that.
pub(super) const FLUSH_LIMIT: Duration = Duration::from_secs(1);

/// How long the whole shutdown may take; closing the database gets the rest of it.
pub(super) const STOP_LIMIT: Duration = Duration::from_millis(9_500);
