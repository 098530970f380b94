//! The signals that the process handles.
//!
//! | signal | meaning |
//! | --- | --- |
//! | SIGTERM, SIGINT, SIGQUIT | stop in order; a second one during the stop ends the process at once |
//! | SIGHUP | the settings are read again (`app/reloading/mod.rs`); not during the stop |
//! | SIGUSR1, SIGUSR2 | logged and ignored |
//!
//! Unhandled, each of them would end the process without a log line. A write to a closed standard
//! error or a closed connection is an error of that write and no signal: Rust's runtime ignores
//! SIGPIPE.

use log::warn;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::reloading::Reloading;
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

    /// Waits for a signal that ends the process; returns its name. Settings are read again meanwhile.
    pub(super) async fn asked_to_end(&mut self, reloading: &mut Reloading) -> &'static str {
        loop {
            tokio::select! {
                received = self.received() => match received {
                    Received::End(name) => return name,
                    Received::Hangup => reloading.begin(),
                    Received::Ignored(name) => ignore(name, "it has no meaning for this program"),
                },
                () = reloading.done() => {}
            }
        }
    }

    /// Waits for a signal that ends the stop at once; returns its name.
    pub(super) async fn asked_to_end_at_once(&mut self) -> &'static str {
        loop {
            match self.received().await {
                Received::End(name) => return name,
                Received::Hangup => ignore("SIGHUP", "the program stops"),
                Received::Ignored(name) => ignore(name, "it has no meaning for this program"),
            }
        }
    }

    async fn received(&mut self) -> Received {
        tokio::select! {
            _ = self.terminate.recv() => Received::End("SIGTERM"),
            _ = self.interrupt.recv() => Received::End("SIGINT"),
            _ = self.quit.recv() => Received::End("SIGQUIT"),
            _ = self.hangup.recv() => Received::Hangup,
            _ = self.user_1.recv() => Received::Ignored("SIGUSR1"),
            _ = self.user_2.recv() => Received::Ignored("SIGUSR2"),
        }
    }
}

/// A signal that came.
enum Received {
    End(&'static str),
    Hangup,
    Ignored(&'static str),
}

fn ignore(signal: &str, reason: &str) {
    warn!(signal, reason; "{signal} is ignored: {reason}");
}
