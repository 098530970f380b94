//! Runs the command that the command line names.

use std::fmt::Display;
use std::process::ExitCode;
use std::sync::Arc;

use super::arguments::{self, Command, Invocation};
use super::exit::Exit;
use super::output::{complain, print, show};
use super::{check, client, generated, version};
use crate::app::{self, OfflineKeyError, ReadSettings};
use crate::config::{self, ConfigErrors, Loaded};
use crate::logging;

/// Runs the command that the command line names.
pub fn main() -> ExitCode {
    // The panic hook has reported the panic.
    let exit = std::panic::catch_unwind(obey).unwrap_or(Exit::Failed);
    logging::finish();
    exit.into()
}

fn obey() -> Exit {
    let invocation = match arguments::parse(std::env::args_os()) {
        Ok(invocation) => invocation,
        // `--help` and `--version` end here too, with code 0.
        Err(message) => {
            let code = message.exit_code();
            show(&message);
            return match code {
                0 => Exit::Done,
                _ => Exit::Misused,
            };
        }
    };
    let Invocation { command, flags } = invocation;
    match command {
        Command::ConfigSample => print(&config::sample()),
        Command::ConfigTable => print(&config::markdown_table()),
        Command::ConfigCheck => match config::load_for_server(flags) {
            Ok(loaded) => print(&check::report(&loaded)),
            Err(errors) => refuse(&errors),
        },
        Command::Version { json } => print(&version::text(json)),
        Command::Completions(shell) => {
            generated::completions(arguments::shown_command_line(), shell)
        }
        Command::Man(folder) => generated::man(arguments::command_line(), folder.as_deref()),
        Command::Ask(question) => client::ask(question),
        Command::Top { address, pause } => client::look(address, pause),
        Command::Serve => {
            let read: ReadSettings = Arc::new(move || config::load_for_server(flags.clone()));
            run(
                read(),
                |loaded| app::serve(loaded, read),
                |error| {
                    if error.is_deposed() {
                        Exit::Deposed
                    } else {
                        Exit::Failed
                    }
                },
            )
        }
        Command::CreateKey(key) => run(
            config::load(flags),
            |loaded| {
                let text = app::create_key_offline(&loaded.config, &key)?;
                print(&format!("{text}\n"));
                Ok(())
            },
            |error: &OfflineKeyError| match error.is_misuse() {
                true => Exit::Misused,
                false => Exit::Failed,
            },
        ),
        Command::Migrate(direction) => run(
            config::load(flags),
            |loaded| app::migrate(loaded.config, direction),
            |_| Exit::Failed,
        ),
    }
}

/// Runs `work` with the configuration, once the log is set up.
fn run<E: Display>(
    loaded: Result<Loaded, ConfigErrors>,
    work: impl FnOnce(Loaded) -> Result<(), E>,
    exit_of: impl FnOnce(&E) -> Exit,
) -> Exit {
    let loaded = match loaded {
        Ok(loaded) => loaded,
        Err(errors) => return refuse(&errors),
    };
    if let Err(error) = logging::start(&loaded.config.log) {
        complain(&format!(
            "orchestrator: the log could not be started: {error}"
        ));
        return Exit::Failed;
    }
    for warning in &loaded.warnings {
        match warning.variable() {
            Some(variable) => log::warn!(variable; "{warning}"),
            None => log::warn!("{warning}"),
        }
    }
    match work(loaded) {
        Ok(()) => Exit::Done,
        Err(error) => {
            // The reason for the end must be seen even if the log is switched off.
            if log::log_enabled!(log::Level::Error) {
                log::error!("{error}");
            } else {
                complain(&format!("orchestrator: {error}"));
            }
            exit_of(&error)
        }
    }
}

fn refuse(errors: &ConfigErrors) -> Exit {
    let count = errors.problems().len();
    let problems = if count == 1 { "problem" } else { "problems" };
    complain(&format!(
        "orchestrator: nothing was started: {count} {problems} in the configuration.\n{errors}"
    ));
    Exit::Misused
}
