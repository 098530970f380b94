//! An import that is interrupted ends between two requests, and says how far it came.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tokio::signal::unix::{SignalKind, signal};

/// Whether SIGINT or SIGTERM was received. A second one ends the process at once.
#[derive(Debug, Clone, Default)]
pub(super) struct Interruption(Arc<AtomicBool>);

impl Interruption {
    /// Watches the signals from now on. If they cannot be watched, they end the process as they do by
    /// default, which is safe at any time.
    pub(super) fn watch() -> Self {
        let interruption = Self::default();
        let flag = interruption.clone();
        let (ready, is_ready) = std::sync::mpsc::channel();
        let watching = thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_io()
                    .build();
                if let Ok(runtime) = runtime {
                    runtime.block_on(async {
                        let signals = (
                            signal(SignalKind::interrupt()),
                            signal(SignalKind::terminate()),
                        );
                        let _ = ready.send(());
                        if let (Ok(mut interrupt), Ok(mut terminate)) = signals {
                            for _ in 0..2 {
                                tokio::select! {
                                    _ = interrupt.recv() => {}
                                    _ = terminate.recv() => {}
                                }
                                if flag.0.swap(true, Ordering::Relaxed) {
                                    std::process::exit(1);
                                }
                            }
                        }
                    });
                }
            });
        if watching.is_ok() {
            // Fails at once if the thread could not set itself up.
            let _ = is_ready.recv();
        }
        interruption
    }

    /// Returns whether the import is to end.
    pub(super) fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
