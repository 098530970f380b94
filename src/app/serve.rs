//! Serves until a signal ends the process.

use log::{error, info, warn};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::cluster::scheme;
use super::reloading::{ReadSettings, Reloading};
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
    let outcome = runner.block_on(async {
        let mut signals = Signals::watch()?;
        let config = loaded.config.clone();
        let mut reloading = Reloading::new(loaded, read);
        let starting = Starting::bind(&config)?;
        reloading.show(starting.gate.clone());
        let notices = Notices::begin(starting.gate.clone(), starting.view.clone());
        let loaded = tokio::select! {
            loaded = starting.load(&config) => loaded?,
            name = signals.asked_to_end(&mut reloading) => {
                info!("{name}: shutting down before the fleet was loaded");
                tokio::join!(notices.stopping(), starting.stop());
                return Ok(());
            }
        };
        let mut server = Server::of(starting, loaded, reloading.config());
        reloading.serve(server.orchestrator().clone());
        let address = server.address();
        let scheme = scheme(reloading.config());
        info!(address:%; "ready on {scheme}://{address}");
        let outcome = tokio::select! {
            name = signals.asked_to_end(&mut reloading) => {
                info!("{name}: shutting down");
                Ok(())
            }
            fatal = server.failed() => Err(fatal.into()),
        };
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
    });
    // Dropping the runtime would wait for a database call that hangs, so it is forgotten; the
    // process ends.
    std::mem::forget(runner);
    outcome
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
