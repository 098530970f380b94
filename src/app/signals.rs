//! The signals that the process handles.
//!
//! | signal | meaning |
//! | --- | --- |
//! | SIGTERM, SIGINT, SIGQUIT | stop in order; a second one during the stop ends the process at once |
//! | SIGHUP, SIGUSR1, SIGUSR2 | logged and ignored: nothing is read again before the next start |
//!
//! Unhandled, each of them would end the process without a log line. A write to a closed standard
//! error or a closed connection is an error of that write and no signal: Rust's runtime ignores
//! SIGPIPE.

use log::warn;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::start_error::StartError;

/// The signals of the process, from the moment they are handled.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
    hangup: Signal,
    user_1: Signal,
    user_2: Signal,
}

impl Signals {
    pub(super) fn watch() -> Result<Self, StartError> {
        let watch = |kind| {
            signal(kind).map_err(|reason| StartError::System {
                what: "watch signals",
                reason,
            })
        };
        Ok(Self {
            terminate: watch(SignalKind::terminate())?,
            interrupt: watch(SignalKind::interrupt())?,
            quit: watch(SignalKind::quit())?,
            hangup: watch(SignalKind::hangup())?,
            user_1: watch(SignalKind::user_defined1())?,
            user_2: watch(SignalKind::user_defined2())?,
        })
    }

    /// Waits for a signal that ends the process; returns its name.
    pub(super) async fn asked_to_end(&mut self) -> &'static str {
        loop {
            let ignored = tokio::select! {
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.quit.recv() => return "SIGQUIT",
                _ = self.hangup.recv() => "SIGHUP",
                _ = self.user_1.recv() => "SIGUSR1",
                _ = self.user_2.recv() => "SIGUSR2",
            };
            warn!(signal = ignored;
                "{ignored} is ignored: settings are read at the start; restart to apply them");
        }
    }
}
