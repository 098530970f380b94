//! Limits of the steps of the shutdown: ten seconds together, whatever hangs. The last lines of the log have
//! one second more (`logging::finish`).

use std::time::Duration;

/// How long the successor may read the fleet ahead while this process leads on, at a signal.
pub(super) const COPY_LIMIT: Duration = Duration::from_millis(2_500);

/// The same, if an operator ordered it: no service manager waits for the end.
pub(super) const ORDERED_COPY_LIMIT: Duration = Duration::from_secs(20);

/// How long transactions in progress may take at a hand-over.
pub(super) const FREEZE_LIMIT: Duration = Duration::from_secs(1);

/// How long the successor may read the fleet once no order is taken any more.
pub(super) const COPY_AGAIN_LIMIT: Duration = Duration::from_secs(2);

/// How long heartbeats that came before a leader stands by may take: as long as they wait for a proof, and a little.
pub(super) const BEATS_LIMIT: Duration = Duration::from_millis(300);

/// How long a leader that has released its term waits for the next one, to have it answer the requests that wait.
pub(super) const NEXT_LEADER_LIMIT: Duration = Duration::from_millis(1_500);

/// The same, of a process that goes on as a standby: as long as a request waits for a leader at the most.
pub(super) const LEADER_BEFORE_STANDBY_LIMIT: Duration = Duration::from_secs(3);

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

/// The part of the shutdown that is left for the last heartbeats and the database, whatever came before.
pub(super) const LAST_STEPS: Duration = Duration::from_millis(1_500);

/// How long the whole shutdown may take; closing the database gets the rest of it.
pub(super) const STOP_LIMIT: Duration = Duration::from_millis(9_500);
