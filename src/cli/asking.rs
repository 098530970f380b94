//! The arguments of every command that calls a running orchestrator.

use std::ffi::OsString;

use clap::{Arg, ArgAction, ArgMatches, value_parser};

use super::client::{Question, Subject};
use crate::config::{DEFAULT_SERVER_URL, SERVER_URL};

/// Returns a text that the parser requires.
pub(super) fn text(asked: &ArgMatches, name: &str) -> String {
    asked.get_one::<String>(name).cloned().unwrap_or_default()
}

/// Returns the question of a subcommand.
pub(super) fn question(subject: Subject, asked: &ArgMatches) -> Question {
    let json = asked.try_get_one::<bool>("json").ok().flatten();
    Question {
        subject,
        url: asked.get_one::<OsString>(SERVER_URL).cloned(),
        json: json.copied().unwrap_or(false),
    }
}

/// Returns a subcommand that calls a running orchestrator, and prints its answer as text or as JSON.
pub(super) fn asking(name: &'static str) -> clap::Command {
    calling(name).arg(
        Arg::new("json")
            .long("json")
            .action(ArgAction::SetTrue)
            .help("Prints the answer as JSON"),
    )
}

/// Returns a subcommand that calls a running orchestrator.
pub(super) fn calling(name: &'static str) -> clap::Command {
    clap::Command::new(name).arg(
        Arg::new(SERVER_URL)
            .long("url")
            .value_name("URL")
            .value_parser(value_parser!(OsString))
            .help(format!(
                "Where it answers\n[env: {SERVER_URL}] [default: {DEFAULT_SERVER_URL}]"
            )),
    )
}

/// Returns the argument that names an instance.
pub(super) fn instance() -> Arg {
    Arg::new("id")
        .value_name("ID")
        .required(true)
        .help("The instance's server_id")
}
