//! Whether heartbeats can arrive: the clock of all deadlines runs only while they can.
//!
//! ```text
//!   starting ──gate opens──▶ hears ──out of files──▶ deaf
//!                              │ ◀──files are free────┘
//!                              └──the end begins──▶ deaf for good
//! ```
//!
//! A process that has no file left to open accepts no connection. Workers that call then are not
//! silent, because no call is accepted. The lack of files is detected within a tenth of a second.

use std::fs::File;

use log::{error, info};
use rustix::io::Errno;
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::domain::running_time::READING_INTERVAL;

/// Whether the server can receive heartbeats, from the moment its gate opens.
#[derive(Debug)]
pub(super) struct Hearing {
    clock: Clock,
    watch: JoinHandle<()>,
}

impl Hearing {
    /// Notes that heartbeats can arrive from now on.
    pub(super) fn begin(clock: Clock) -> Self {
        clock.start_listening();
        let watch = actix::spawn(watch(clock.clone()));
        Self { clock, watch }
    }

    /// Notes that no heartbeat can arrive any more, so no deadline runs out.
    pub(super) fn end(&self) {
        self.watch.abort();
        self.clock.stop_listening();
    }
}

async fn watch(clock: Clock) {
    let mut was_out = false;
    loop {
        tokio::time::sleep(READING_INTERVAL).await;
        let is_out = is_out_of_files();
        match (was_out, is_out) {
            (false, true) => {
                clock.stop_listening();
                error!(
                    "no connection can be taken: no more files can be opened; no deadline \
                     runs out until one is free; raise LimitNOFILE, or find out which program holds so many"
                );
            }
            (true, false) => {
                clock.start_listening();
                info!("connections can be taken again; deadlines go on");
            }
            (true, true) | (false, false) => {}
        }
        was_out = is_out;
    }
}

/// Returns whether the process, or the whole system, cannot open one more file.
fn is_out_of_files() -> bool {
    let refusal = File::open("/dev/null").err();
    let refusal = refusal.as_ref().and_then(Errno::from_io_error);
    matches!(refusal, Some(Errno::MFILE | Errno::NFILE))
}
