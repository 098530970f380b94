//! The arguments of the command line; `flags` has those of the settings.
//!
//! Flags are taken as text and read by `config`, like variables: one way to read a value, one style
//! of message. clap's own reading of the environment is not used: it would know nothing of `.env` and
//! take an empty variable for a value.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::Duration;

use clap::{Arg, ArgAction, value_parser};
use clap_complete::Shell;

use super::alert_arguments;
use super::asking::{address, asking, calling, every, instance, json, question, text, watch};
use super::client::{Address, Question, RebalanceOrder, Subject};
use super::cluster_arguments;
use super::event_arguments;
use super::flags::{HIDDEN_FLAGS, flags, flags_of};
use super::generated::SHELLS;
use super::key_arguments::{self, KeyOrder};
use super::list_arguments;
use super::planned_arguments;
use super::stream_arguments;
use super::webhook_arguments;
use crate::app::{MigrationDirection, OfflineKey};

/// The parsed command line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Invocation {
    pub(super) command: Command,
    /// The settings given as flags, by the name of their variable.
    pub(super) flags: BTreeMap<String, OsString>,
}

/// The command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    /// Serve until a signal; the default without a subcommand.
    Serve,
    /// Migrate the schema of the database.
    Migrate(MigrationDirection),
    /// Check the configuration and print it.
    ConfigCheck,
    /// Print a commented `.env`.
    ConfigSample,
    /// Print the README's table of settings.
    ConfigTable,
    /// Print which build this is.
    Version { json: bool },
    /// Print the completions for a shell.
    Completions(Shell),
    /// Write the man pages into a folder, or print the one of the program.
    Man(Option<OsString>),
    /// Show a running orchestrator's fleet live.
    Top { address: Address, pause: Duration },
    /// Make a key in the database itself.
    CreateKey(OfflineKey),
    /// Send a question to a running orchestrator.
    Ask(Question),
}

/// Parses the arguments, program name first.
pub(super) fn parse<A, I>(arguments: A) -> Result<Invocation, clap::Error>
where
    A: IntoIterator<Item = I>,
    I: Into<OsString> + Clone,
{
    let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
    let matches = command_line()
        .try_get_matches_from(&arguments)
        .map_err(|error| without_urls(error, &arguments))?;
    let flags = flags(&matches, command_line)?;
    let command = match matches.subcommand() {
        Some(("migrate", migrate)) if migrate.get_flag("down") => {
            Command::Migrate(MigrationDirection::DownOne)
        }
        Some(("migrate", _)) => Command::Migrate(MigrationDirection::Up),
        Some(("config", config)) => match config.subcommand_name() {
            Some("sample") => Command::ConfigSample,
            Some("table") => Command::ConfigTable,
            _ => Command::ConfigCheck,
        },
        Some(("version", asked)) => Command::Version {
            json: asked.get_flag("json"),
        },
        Some(("completions", asked)) => {
            let shell = text(asked, "shell").parse();
            Command::Completions(shell.unwrap_or(Shell::Bash))
        }
        Some(("man", asked)) => Command::Man(asked.get_one::<OsString>("folder").cloned()),
        Some(("status", asked)) => {
            let judged = asked.get_flag("exit-code");
            Command::Ask(question(Subject::Status { judged }, asked))
        }
        Some(("top", asked)) => {
            let pause = asked.get_one::<Duration>("every").copied();
            Command::Top {
                address: address(asked),
                pause: pause.unwrap_or(Duration::from_secs(2)),
            }
        }
        Some(("capacity", asked)) => Command::Ask(question(Subject::Capacity, asked)),
        Some(("explain", asked)) => {
            Command::Ask(question(Subject::Explain(text(asked, "id")), asked))
        }
        Some(("consistency", asked)) => Command::Ask(question(Subject::Consistency, asked)),
        Some(("alerts", asked)) => Command::Ask(alert_arguments::order(asked)),
        Some(("events", asked)) => Command::Ask(event_arguments::events(asked)),
        Some(("story", asked)) => Command::Ask(event_arguments::story(asked)),
        Some(("cluster", cluster)) => Command::Ask(cluster_arguments::order(cluster)),
        Some(("streams", streams)) => match stream_arguments::order(streams) {
            Some((order, asked)) => Command::Ask(question(Subject::Streams(order), asked)),
            None => {
                let listed = streams.subcommand_matches("list").unwrap_or(streams);
                Command::Ask(list_arguments::stream_order(listed))
            }
        },
        Some(("rebalance", asked)) => {
            let reason = asked.get_one::<String>("reason").cloned();
            let reason = reason.map(|reason| ("reason", reason));
            let is_dry_run = asked.get_flag("dry-run");
            let dry_run = is_dry_run.then(|| ("dry_run", "true".to_owned()));
            let order = RebalanceOrder {
                parameters: reason.into_iter().chain(dry_run).collect(),
                wait: asked.get_flag("wait") && !is_dry_run,
            };
            Command::Ask(question(Subject::Rebalance(order), asked))
        }
        Some(("support-bundle", asked)) => {
            let file = asked.get_one::<OsString>("file").cloned();
            Command::Ask(question(Subject::SupportBundle { file }, asked))
        }
        Some(("keys", asked)) => match key_arguments::order(asked) {
            KeyOrder::Ask(question) => Command::Ask(question),
            KeyOrder::Create(key) => Command::CreateKey(key),
        },
        Some(("webhooks", asked)) => Command::Ask(webhook_arguments::order(asked)),
        Some(("recover", asked)) => {
            Command::Ask(question(Subject::Recover(text(asked, "id")), asked))
        }
        Some(("emergency", asked)) => {
            let (id, reason) = (text(asked, "id"), text(asked, "reason"));
            Command::Ask(question(Subject::Emergency { id, reason }, asked))
        }
        Some((name, asked)) => {
            let order = list_arguments::order(name, asked);
            let order = order.or_else(|| planned_arguments::order(name, asked));
            order.map_or(Command::Serve, Command::Ask)
        }
        None => Command::Serve,
    };
    Ok(Invocation { command, flags })
}

/// Removes URLs from an error: the parser repeats what it did not understand, and a URL may hold a
/// password.
fn without_urls(error: clap::Error, arguments: &[OsString]) -> clap::Error {
    let text = error.to_string();
    let repeats_one = arguments.iter().any(|argument| {
        let argument = argument.to_string_lossy();
        // clap repeats `--flag=URL` without the part before the sign.
        let value = argument.split_once('=').map_or("", |(_, value)| value);
        argument.contains("://")
            && (text.contains(&*argument) || (value.contains("://") && text.contains(value)))
    });
    if !error.use_stderr() || !repeats_one {
        return error;
    }
    command_line().error(
        error.kind(),
        "an argument that is a URL is not understood where it stands (it is not repeated here, as \
         it may hold a password); a database is named with --database-url or DATABASE_URL",
    )
}

/// Returns the whole command line.
pub(super) fn command_line() -> clap::Command {
    with(config(|| {
        flags_of(&["config", "check"])
            .map(|flag| flag.hide(true))
            .collect()
    }))
}

/// Returns the command line without the flags that help does not list: `config` takes every setting, and
/// a completion for each of them, at two levels, would be most of a script.
pub(super) fn shown_command_line() -> clap::Command {
    with(config(Vec::new))
}

fn with(config: clap::Command) -> clap::Command {
    clap::Command::new("orchestrator")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Keeps every stream running on exactly one healthy server.")
        .after_help(
            "Every setting can be a flag, an environment variable or a line in .env; flags win over \
             the environment, the environment wins over .env. Durations are seconds (300, 0.5) or \
             have units: 1500ms, 90s, 5m, 1h 30m, 7d.",
        )
        .args(flags_of(&[]))
        .subcommand(
            clap::Command::new("serve")
                .about("Serves; the same as without a subcommand")
                .args(flags_of(&["serve"])),
        )
        .subcommand(
            clap::Command::new("migrate")
                .about("Migrates the database to this version's schema, then ends")
                .arg(
                    Arg::new("down")
                        .long("down")
                        .action(ArgAction::SetTrue)
                        .help("Reverts the newest migration instead, and deletes the data it added"),
                )
                .args(flags_of(&["migrate"])),
        )
        .subcommand(
            asking("status")
                .about("Shows the state of the fleet of a running orchestrator")
                .arg(
                    Arg::new("exit-code")
                        .long("exit-code")
                        .action(ArgAction::SetTrue)
                        .conflicts_with("watch")
                        .help(
                            "Ends with the health as exit code: 0 healthy, 1 degraded, 2 critical or in \
                             an emergency, 3 no answer",
                        ),
                )
                .arg(watch()),
        )
        .subcommand(
            calling("top")
                .about(
                    "Shows the fleet live on a terminal: health, instances, waiting streams, moves, \
                     incidents and alerts",
                )
                .arg(every()),
        )
        .subcommands(list_arguments::commands())
        .subcommand(alert_arguments::command())
        .subcommands(event_arguments::commands())
        .subcommand(
            asking("consistency").about(
                "Has a running orchestrator check its invariants; exit code 1 if one is violated, \
                 3 if one is unknown",
            ),
        )
        .subcommand(asking("capacity").about(
            "Shows whether the loss of any one instance, or of all with one value of a label, could \
             be absorbed",
        ).arg(watch()))
        .subcommand(
            asking("explain")
                .about(
                    "Explains why a stream is where it is, and where it could go, or why an instance \
                     gets streams or does not",
                )
                .arg(
                    Arg::new("id")
                        .value_name("STREAM|INSTANCE")
                        .required(true)
                        .help("The number of a stream, or the name of an instance"),
                ),
        )
        .subcommand(cluster_arguments::command())
        .subcommand(stream_arguments::streams())
        .subcommand(
            asking("rebalance")
                .about("Has a running orchestrator balance its fleet with few moves, and shows them")
                .arg(
                    Arg::new("dry-run")
                        .long("dry-run")
                        .action(ArgAction::SetTrue)
                        .help("Only shows the moves"),
                )
                .arg(
                    Arg::new("reason")
                        .long("reason")
                        .value_name("WORD")
                        .help(
                            "Why: manual, new_instance, instance_failure, load_imbalance or \
                             performance_degradation [default: manual]",
                        ),
                )
                .arg(planned_arguments::wait()),
        )
        .subcommand(
            asking("recover")
                .about(
                    "Has a running orchestrator recover a failed instance now, or end its \
                     maintenance; exit code 1 if nothing was done",
                )
                .arg(instance()),
        )
        .subcommand(
            asking("emergency")
                .about(
                    "Has a running orchestrator take all streams from an instance, even from one that \
                     sends heartbeats, and put it into maintenance; exit code 1 if a step failed",
                )
                .arg(instance())
                .arg(
                    Arg::new("reason")
                        .long("reason")
                        .value_name("TEXT")
                        .required(true)
                        .help("Why; shown in the incident"),
                ),
        )
        .subcommands(planned_arguments::commands())
        .subcommand(key_arguments::command())
        .subcommand(webhook_arguments::command())
        .subcommand(
            calling("support-bundle")
                .about(
                    "Writes what a helper needs into one file, with passwords masked: configuration, version, \
                     and, if the orchestrator answers, its state, log and metrics",
                )
                .arg(
                    Arg::new("file")
                        .long("file")
                        .value_name("FILE")
                        .value_parser(value_parser!(OsString))
                        .help("The file, which must not exist [default: orchestrator-support-TIME.tar.gz]"),
                ),
        )
        .subcommand(
            clap::Command::new("version")
                .about("Shows which build this is: version, revision, compiler, databases")
                .arg(json().help("Prints it as JSON")),
        )
        .subcommand(
            clap::Command::new("completions")
                .about("Prints the completions for a shell, to be saved where it reads them")
                .arg(
                    Arg::new("shell")
                        .value_name("SHELL")
                        .required(true)
                        .value_parser(SHELLS)
                        .help("The shell"),
                ),
        )
        .subcommand(
            clap::Command::new("man")
                .about("Writes the man pages: all into a folder, or without one that of the program")
                .arg(
                    Arg::new("folder")
                        .value_name("DIR")
                        .value_parser(value_parser!(OsString))
                        .help("The folder, which is created; without it the page is printed"),
                ),
        )
        .subcommand(config)
}

fn config(flags: impl Fn() -> Vec<Arg>) -> clap::Command {
    clap::Command::new("config")
        .about("Checks and explains the configuration")
        .after_help(HIDDEN_FLAGS)
        .args(flags())
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(
            clap::Command::new("check")
                .about(
                    "Checks all settings, shows each value and where it comes from; starts nothing",
                )
                .after_help(HIDDEN_FLAGS)
                .args(flags()),
        )
        .subcommand(clap::Command::new("sample").about("Writes a commented .env with all defaults"))
        .subcommand(
            clap::Command::new("table")
                .about("Writes the settings as a Markdown table")
                .hide(true),
        )
}

#[cfg(test)]
mod tests;
