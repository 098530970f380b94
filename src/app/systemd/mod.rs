//! Notifications to systemd: readiness, status, life and the stop.
//!
//! ```text
//!   starting ──serves, or waits as a standby──▶ READY=1 ──a signal──▶ STOPPING=1
//!      │ STATUS, EXTEND_TIMEOUT_USEC               │ STATUS, WATCHDOG=1
//! ```
//!
//! A process that leads and goes on as a standby is one service all the while: its status changes, and nothing else.
//!
//! An answer of the FleetActor, which decides everything, is the proof for the watchdog: a timer would beat
//! it for a program that only has a thread left. One question is asked at a time and stays asked until it
//! is answered: a new one would stand behind all messages that came since, so an actor that is busy and
//! lives could not answer in time. A start and a standby have no FleetActor, and a leader that becomes a
//! standby soon has none; then this task itself is the proof, because it is on the thread that waits for the term.
//!
//! Without systemd (`NOTIFY_SOCKET`) no task runs. A manager that takes no message holds up no other part:
//! messages are sent on another thread, one at a time and in their order. After a message that could not be
//! sent everything counts as not announced, so readiness is reported again.

mod announced;
mod notices;
mod question;
mod reporter;

pub(super) use notices::Notices;
