//! The command line: reads the arguments, loads the configuration, hands it to the program.
//!
//! Exit codes: 0 done, 1 the program could not run or had to end, 2 the command line or the
//! configuration is wrong and nothing was started. Those that ask a running orchestrator (`client`)
//! add: 1 it does not answer, is inconsistent or did not do as asked, 3 its consistency could not be
//! told. Uses `app` and
//! `config`, nothing else.

mod arguments;
mod check;
mod client;
mod escapes;
mod flags;
mod logging;

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use arguments::{Command, Invocation};
use escapes::{deceives, escaped_lines};

use crate::app;
use crate::config::{self, Config, ConfigErrors, Loaded};

const FAILED: u8 = 1;
const MISUSED: u8 = 2;

/// Does what the command line asks for.
pub fn main() -> ExitCode {
    let invocation = match arguments::parse(std::env::args_os()) {
        Ok(invocation) => invocation,
        // Also the way `--help` and `--version` end, with code 0.
        Err(message) => {
            let code = u8::try_from(message.exit_code()).unwrap_or(MISUSED);
            show(&message);
            return ExitCode::from(code);
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
) -> ExitCode {
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
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The reason for the end must be seen even by who asked for silence.
            if log::log_enabled!(log::Level::Error) {
                log::error!("{error}");
            } else {
                complain(&format!("orchestrator: {error}"));
            }
            ExitCode::from(FAILED)
        }
    }
}

fn refuse(errors: &ConfigErrors) -> ExitCode {
    let count = errors.problems().len();
    let problems = if count == 1 { "problem" } else { "problems" };
    complain(&format!(
        "orchestrator: nothing was started: {count} {problems} in the configuration.\n{errors}"
    ));
    ExitCode::from(MISUSED)
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

fn print(text: &str) -> ExitCode {
    let mut output = io::stdout().lock();
    match output
        .write_all(escaped_lines(text).as_bytes())
        .and_then(|()| output.flush())
    {
        Ok(()) => ExitCode::SUCCESS,
        // `orchestrator config sample | head` is no failure.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!(
                "orchestrator: the output could not be written: {error}"
            ));
            ExitCode::from(FAILED)
        }
    }
}
