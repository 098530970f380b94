//! Serves until a signal ends the process.
//!
//! ```text
//!   start ──▶ waits, loads ──▶ leads ──a signal──▶ stops, and the process ends
//!                  ▲             ├──cannot go on──▶ stops, and the process ends with the reason
//!                  └── standby ◀─┘ another orchestrator leads, on PostgreSQL (`app/role.rs`)
//! ```

use log::{error, info, warn};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::cluster::scheme;
use super::port::Port;
use super::reloading::{ReadSettings, Reloading};
use super::role::{self, Process};
use super::server::Server;
use super::signals::Signals;
use super::start_error::StartError;
use super::starting::Starting;
use super::systemd::Notices;
use crate::config::Loaded;

/// Serves until a signal ends the process. `read` reads the settings again, as they were read for
/// `loaded`.
///
/// # Errors
///
/// Returns why it could not serve, or had to end.
pub fn serve(loaded: Loaded, read: ReadSettings) -> Result<(), StartError> {
    allow_many_connections();
    std::panic::set_hook(Box::new(|panic| error!("a bug: {panic}")));
    let runner = actix::System::new();
    let outcome = runner.block_on(serve_here(loaded, read));
    // Dropping the runtime would wait for a database call that hangs, so it is forgotten; the
    // process ends.
    std::mem::forget(runner);
    outcome
}

async fn serve_here(loaded: Loaded, read: ReadSettings) -> Result<(), StartError> {
    let signals = Signals::watch()?;
    let port = Port::bind(loaded.config.server.bind_address.as_str())?;
    let mut starting = Starting::at(&port, &loaded.config)?;
    let mut reloading = Reloading::new(loaded, read);
    reloading.show(starting.gate.clone());
    let notices = Notices::begin(starting.gate.clone(), starting.view.clone());
    let mut process = Process {
        signals,
        reloading,
        port,
        notices,
    };
    loop {
        let config = process.reloading.config().clone();
        let loaded = tokio::select! {
            loaded = starting.load(&config) => loaded?,
            name = process.asked_to_end() => {
                info!("{name}: shutting down before the fleet was loaded");
                let (_, notices) = process.without_port();
                tokio::join!(notices.stopping(), starting.stop());
                return Ok(());
            }
        };
        let mut server = Server::of(starting, loaded, process.reloading.config());
        process.reloading.serve(server.orchestrator().clone());
        let address = server.address();
        let scheme = scheme(process.reloading.config());
        info!(address:%; "ready on {scheme}://{address}");
        let fatal = tokio::select! {
            name = process.asked_to_end() => {
                info!("{name}: shutting down");
                None
            }
            fatal = server.failed() => Some(fatal),
        };
        starting = match fatal {
            Some(fatal) if role::may_change(&fatal, process.reloading.config()) => {
                let Some((went_on, standby)) = role::leave(process, server, fatal).await? else {
                    return Ok(());
                };
                process = went_on;
                standby
            }
            fatal => {
                let outcome = fatal.map_or(Ok(()), |fatal| Err(fatal.into()));
                return stop(process, server, outcome).await;
            }
        };
    }
}

/// Stops the orchestrator in order, and with it the process.
async fn stop(
    process: Process,
    server: Server,
    outcome: Result<(), StartError>,
) -> Result<(), StartError> {
    let (mut signals, notices) = process.without_port();
    // The report costs the stop no time of its own.
    let stop = async { tokio::join!(notices.stopping(), server.stop()).1 };
    tokio::select! {
        stopped = stop => {
            if outcome.is_err()
                && let Err(error) = &stopped
            {
                error!("{error}");
            }
            outcome.and(stopped)
        }
        name = signals.asked_to_end_at_once() => outcome.and(Err(StartError::EndedAtOnce(name))),
    }
}

/// Raises the limit of open files: each worker keeps a connection or two, and the usual limit of
/// 1,024 is far below the highest that the system permits.
fn allow_many_connections() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        let current = limit.current.unwrap_or(u64::MAX);
        warn!(error:%; "could not raise the open-file limit above {current} (RLIMIT_NOFILE): {error}");
    }
}
