//! The command line: reads the arguments, loads the configuration, hands it to the program.
//!
//! The exit codes are in `exit`. Uses `app` and `config`, nothing else.

mod arguments;
mod check;
mod client;
mod escapes;
mod exit;
mod flags;
mod logging;

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use arguments::{Command, Invocation};
use escapes::{deceives, escaped_lines};
use exit::Exit;

use crate::app;
use crate::config::{self, Config, ConfigErrors, Loaded};

pub use exit::markdown_exit_codes;

/// Does what the command line asks for.
pub fn main() -> ExitCode {
    // The panic hook has said what it was.
    std::panic::catch_unwind(obey)
        .unwrap_or(Exit::Failed)
        .into()
}

fn obey() -> Exit {
    let invocation = match arguments::parse(std::env::args_os()) {
        Ok(invocation) => invocation,
        // Also the way `--help` and `--version` end, with code 0.
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
        Command::ConfigCheck => match config::load(flags) {
            Ok(loaded) => print(&check::report(&loaded)),
            Err(errors) => refuse(&errors),
        },
        Command::Ask(question) => client::ask(question),
        Command::Serve => run(config::load(flags), app::serve),
        Command::Migrate(direction) => run(config::load(flags), |config| {
            app::migrate(config, direction)
        }),
    }
}

/// Runs `work` with the configuration, once there is a log to speak through.
fn run<E: Display>(
    loaded: Result<Loaded, ConfigErrors>,
    work: impl FnOnce(Config) -> Result<(), E>,
) -> Exit {
    let Loaded {
        config, warnings, ..
    } = match loaded {
        Ok(loaded) => loaded,
        Err(errors) => return refuse(&errors),
    };
    logging::start(&config.log);
    for warning in warnings {
        match warning.variable() {
            Some(variable) => log::warn!(variable; "{warning}"),
            None => log::warn!("{warning}"),
        }
    }
    match work(config) {
        Ok(()) => Exit::Done,
        Err(error) => {
            // The reason for the end must be seen even by who asked for silence.
            if log::log_enabled!(log::Level::Error) {
                log::error!("{error}");
            } else {
                complain(&format!("orchestrator: {error}"));
            }
            Exit::Failed
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

/// Prints what the parser of the arguments says: in colour, unless an argument that it repeats
/// deceives.
fn show(message: &clap::Error) {
    let text = message.to_string();
    if text.contains(|letter| letter != '\n' && deceives(letter)) {
        complain(text.trim_end());
    } else {
        // A terminal that went away cannot be told about it.
        let _ = message.print();
    }
}

fn complain(message: &str) {
    // Nobody is left to be told when standard error is closed.
    let _ = writeln!(io::stderr().lock(), "{}", escaped_lines(message));
}

fn print(text: &str) -> Exit {
    let mut output = io::stdout().lock();
    match output
        .write_all(escaped_lines(text).as_bytes())
        .and_then(|()| output.flush())
    {
        Ok(()) => Exit::Done,
        // `orchestrator config sample | head` is no failure.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
        Err(error) => {
            complain(&format!(
                "orchestrator: the output could not be written: {error}"
            ));
            Exit::Failed
        }
    }
}
