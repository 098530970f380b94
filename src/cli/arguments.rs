//! The shape of the command line: one flag per setting, made from the list of settings.
//!
//! Flags are taken as text and read by `config`, like variables: one way to read a value, one style
//! of message. clap's own reading of the environment is not used: it would know nothing of `.env` and
//! take an empty variable for a value.
//!
//! A subcommand has the flags that have an effect on it: `serve` and `config check` all settings,
//! `migrate` those of the database and the log, the others none. A flag may stand before its
//! subcommand as well, but one without effect there is refused, as one that is given twice is.

use std::collections::BTreeMap;
use std::ffi::OsString;

use clap::{Arg, ArgAction, ArgMatches, value_parser};

use super::client::{Question, Subject};
use crate::app::MigrationDirection;
use crate::config::{DEFAULT_SERVER_URL, Group, SERVER_URL, Setting, settings};

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Invocation {
    pub(super) command: Command,
    /// The settings given as flags, by the name of their variable.
    pub(super) flags: BTreeMap<String, OsString>,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    /// Run until asked to end; what happens without a subcommand.
    Serve,
    /// Move the schema of the database.
    Migrate(MigrationDirection),
    /// Check the configuration and show it.
    ConfigCheck,
    /// Write a commented `.env`.
    ConfigSample,
    /// Write the README's table of settings.
    ConfigTable,
    /// Ask a running orchestrator.
    Ask(Question),
}

/// What restricts the incidents: parameters of the call, and flags of the same names.
const INCIDENT_FLAGS: [(&str, &str, &str); 6] = [
    (
        "limit",
        "NUMBER",
        "At most so many (1-1000); 100 if not given",
    ),
    ("after", "ID", "Only older ones than this: the next page"),
    ("instance", "ID", "Only those of this instance"),
    ("state", "STATE", "Only those that are open, or ended"),
    (
        "from",
        "TIME",
        "Only those detected then or later, such as 2026-01-31T08:00:00Z",
    ),
    ("to", "TIME", "Only those detected earlier"),
];

/// Understands the arguments, program name first.
pub(super) fn parse<A, I>(arguments: A) -> Result<Invocation, clap::Error>
where
    A: IntoIterator<Item = I>,
    I: Into<OsString> + Clone,
{
    let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
    let matches = command_line()
        .try_get_matches_from(&arguments)
        .map_err(|error| without_urls(error, &arguments))?;
    let flags = flags(&matches)?;
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
        Some(("status", asked)) => Command::Ask(question(Subject::Status, asked)),
        Some(("consistency", asked)) => Command::Ask(question(Subject::Consistency, asked)),
        Some(("incidents", asked)) if asked.contains_id("id") => {
            Command::Ask(question(Subject::Incident(text(asked, "id")), asked))
        }
        Some(("incidents", asked)) => {
            let given = INCIDENT_FLAGS
                .iter()
                .filter_map(|(name, _, _)| Some((*name, asked.get_one::<String>(name)?.clone())));
            Command::Ask(question(Subject::Incidents(given.collect()), asked))
        }
        Some(("recover", asked)) => {
            Command::Ask(question(Subject::Recover(text(asked, "id")), asked))
        }
        Some(("emergency", asked)) => {
            let (id, reason) = (text(asked, "id"), text(asked, "reason"));
            Command::Ask(question(Subject::Emergency { id, reason }, asked))
        }
        _ => Command::Serve,
    };
    Ok(Invocation { command, flags })
}

/// The parser repeats what it did not understand; a URL among that may hold a password.
fn without_urls(error: clap::Error, arguments: &[OsString]) -> clap::Error {
    let text = error.to_string();
    let repeats_one = arguments.iter().any(|argument| {
        let argument = argument.to_string_lossy();
        // `--flag=URL` is repeated without what stands before the sign.
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

/// A text that must be there.
fn text(asked: &ArgMatches, name: &str) -> String {
    asked.get_one::<String>(name).cloned().unwrap_or_default()
}

fn question(subject: Subject, asked: &ArgMatches) -> Question {
    Question {
        subject,
        url: asked.get_one::<OsString>(SERVER_URL).cloned(),
        json: asked.get_flag("json"),
    }
}

/// The settings given as flags, before the subcommand and behind it.
///
/// # Errors
/// If one is given twice, or has no effect on the subcommand.
fn flags(matches: &ArgMatches) -> Result<BTreeMap<String, OsString>, clap::Error> {
    let mut levels = vec![matches];
    let mut path = Vec::new();
    while let Some((name, inner)) = levels.last().and_then(|level| level.subcommand()) {
        path.push(name);
        levels.push(inner);
    }
    let mut flags = BTreeMap::new();
    for setting in settings() {
        let given = levels
            .iter()
            .filter_map(|level| level.try_get_one::<OsString>(setting.name).ok().flatten());
        let given: Vec<&OsString> = given.collect();
        let refused = |kind, reason: &str| {
            let flag = setting.flag;
            Err(command_line().error(kind, format!("the flag --{flag} {reason}")))
        };
        if given.len() > 1 {
            return refused(
                clap::error::ErrorKind::ArgumentConflict,
                "is given twice, before the subcommand and behind it",
            );
        }
        if let Some(value) = given.first() {
            if !has_effect(&path, setting) {
                let path = path.join(" ");
                return refused(
                    clap::error::ErrorKind::UnknownArgument,
                    &format!(
                        "has no effect on `orchestrator {path}`: it is a setting of the server"
                    ),
                );
            }
            flags.insert(setting.name.to_owned(), (*value).clone());
        }
    }
    Ok(flags)
}

/// Whether a subcommand goes by a setting.
fn has_effect(path: &[&str], setting: &Setting) -> bool {
    match path {
        [] | ["serve"] | ["config", "check"] => true,
        ["migrate"] => matches!(setting.group, Group::Database | Group::Log),
        _ => false,
    }
}

/// The flags of the settings that have an effect on a subcommand.
fn flags_of(path: &'static [&'static str]) -> impl Iterator<Item = Arg> {
    settings()
        .iter()
        .filter(|setting| has_effect(path, setting))
        .map(flag)
}

fn command_line() -> clap::Command {
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
                .about("Brings the database to this version's schema, and ends")
                .arg(
                    Arg::new("down")
                        .long("down")
                        .action(ArgAction::SetTrue)
                        .help("Reverts the newest migration instead, with the data it holds"),
                )
                .args(flags_of(&["migrate"])),
        )
        .subcommand(asking("status").about("Asks a running orchestrator how the fleet is"))
        .subcommand(
            asking("incidents")
                .about(
                    "Asks a running orchestrator for its recoveries, newest first, or for one of \
                     them with its steps",
                )
                .arg(
                    Arg::new("id")
                        .value_name("ID")
                        .conflicts_with_all(INCIDENT_FLAGS.map(|(name, _, _)| name))
                        .help("Only this recovery, with its steps"),
                )
                .args(INCIDENT_FLAGS.map(|(name, value, help)| {
                    Arg::new(name)
                        .long(name)
                        .value_name(value)
                        .allow_negative_numbers(true)
                        .help(help)
                })),
        )
        .subcommand(
            asking("consistency").about(
                "Has a running orchestrator check its invariants; exit code 1 if one is violated, \
                 3 if that could not be told",
            ),
        )
        .subcommand(
            asking("recover")
                .about(
                    "Has a running orchestrator recover a failed instance now, or end its \
                     maintenance; exit code 1 if that was not done",
                )
                .arg(instance()),
        )
        .subcommand(
            asking("emergency")
                .about(
                    "Has a running orchestrator take all streams from an instance, even one that \
                     beats, and put it into maintenance; exit code 1 if a step failed",
                )
                .arg(instance())
                .arg(
                    Arg::new("reason")
                        .long("reason")
                        .value_name("TEXT")
                        .required(true)
                        .help("Why, for the record"),
                ),
        )
        .subcommand(
            clap::Command::new("config")
                .about("Checks and explains the configuration")
                .after_help(HIDDEN_FLAGS)
                .args(flags_of(&["config", "check"]).map(|flag| flag.hide(true)))
                .subcommand_required(true)
                .arg_required_else_help(true)
                .subcommand(
                    clap::Command::new("check")
                        .about("Checks all settings, shows what holds and why; starts nothing")
                        .after_help(HIDDEN_FLAGS)
                        .args(flags_of(&["config", "check"]).map(|flag| flag.hide(true))),
                )
                .subcommand(
                    clap::Command::new("sample").about("Writes a commented .env with all defaults"),
                )
                .subcommand(
                    clap::Command::new("table")
                        .about("Writes the settings as a Markdown table")
                        .hide(true),
                ),
        )
}

/// The instance an order is about.
fn instance() -> Arg {
    Arg::new("id")
        .value_name("ID")
        .required(true)
        .help("The instance's server_id")
}

/// A subcommand that talks to a running orchestrator.
fn asking(name: &'static str) -> clap::Command {
    clap::Command::new(name)
        .arg(
            Arg::new(SERVER_URL)
                .long("url")
                .value_name("URL")
                .value_parser(value_parser!(OsString))
                .help(format!(
                    "Where it answers\n[env: {SERVER_URL}] [default: {DEFAULT_SERVER_URL}]"
                )),
        )
        .arg(
            Arg::new("json")
                .long("json")
                .action(ArgAction::SetTrue)
                .help("Prints the answer as JSON"),
        )
}

fn flag(setting: &Setting) -> Arg {
    Arg::new(setting.name)
        .long(setting.flag)
        .value_name(setting.kind.placeholder())
        .value_parser(value_parser!(OsString))
        // So that -5 is refused as a value, with the rule, and not as an unknown flag.
        .allow_negative_numbers(true)
        .help(format!(
            "{}\n[env: {}] [default: {}]",
            setting.meaning,
            setting.name,
            setting.default.describe()
        ))
        .help_heading(setting.group.title())
}

/// Said where the flags of all settings are taken and not listed.
const HIDDEN_FLAGS: &str = "`config check` takes every setting as a flag, as the server does: \
                            `orchestrator --help` lists them.";

#[cfg(test)]
mod tests {
    use super::*;

    fn invocation(arguments: &[&str]) -> Invocation {
        parse([&["orchestrator"], arguments].concat()).unwrap()
    }

    #[test]
    fn the_command_line_is_well_formed() {
        command_line().debug_assert();
    }

    #[test]
    fn subcommands() {
        for (arguments, command) in [
            (&[] as &[&str], Command::Serve),
            (&["serve"], Command::Serve),
            (&["migrate"], Command::Migrate(MigrationDirection::Up)),
            (
                &["migrate", "--down"],
                Command::Migrate(MigrationDirection::DownOne),
            ),
            (&["config", "check"], Command::ConfigCheck),
            (&["config", "sample"], Command::ConfigSample),
            (&["config", "table"], Command::ConfigTable),
        ] {
            let expected = Invocation {
                command,
                flags: BTreeMap::new(),
            };
            assert_eq!(invocation(arguments), expected, "{arguments:?}");
        }
    }

    #[test]
    fn questions_to_a_running_orchestrator() {
        let asked = |arguments: &[&str]| match invocation(arguments).command {
            Command::Ask(question) => question,
            other => panic!("{other:?}"),
        };
        let plain = |subject| Question {
            subject,
            url: None,
            json: false,
        };
        assert_eq!(asked(&["status"]), plain(Subject::Status));
        assert_eq!(asked(&["consistency"]), plain(Subject::Consistency));
        assert_eq!(asked(&["incidents"]), plain(Subject::Incidents(vec![])));
        assert_eq!(
            asked(&["incidents", "35"]),
            plain(Subject::Incident("35".to_owned()))
        );
        assert_eq!(
            asked(&["recover", "a b"]),
            plain(Subject::Recover("a b".to_owned()))
        );
        assert_eq!(
            asked(&["emergency", "a", "--reason", "-"]),
            plain(Subject::Emergency {
                id: "a".to_owned(),
                reason: "-".to_owned()
            })
        );
        for incomplete in [
            &["orchestrator", "recover"] as &[&str],
            &["orchestrator", "emergency", "a"],
            &["orchestrator", "emergency", "--reason", "x"],
            &["orchestrator", "incidents", "35", "--limit", "1"],
        ] {
            assert!(parse(incomplete).is_err(), "{incomplete:?}");
        }
        let given = [
            "incidents",
            "--json",
            "--url",
            "http://a",
            "--limit",
            "-1",
            "--instance",
            "b",
        ];
        let restricted = vec![("limit", "-1".to_owned()), ("instance", "b".to_owned())];
        assert_eq!(
            asked(&given),
            Question {
                subject: Subject::Incidents(restricted),
                url: Some("http://a".into()),
                json: true,
            }
        );
    }

    #[test]
    fn flags_count_before_and_after_a_subcommand() {
        for arguments in [
            &["--heartbeat-timeout", "3", "config", "check"],
            &["config", "--heartbeat-timeout", "3", "check"],
            &["config", "check", "--heartbeat-timeout", "3"],
        ] {
            let flags = invocation(arguments).flags;
            assert_eq!(
                flags,
                BTreeMap::from([("HEARTBEAT_TIMEOUT".into(), "3".into())])
            );
        }
    }

    #[test]
    fn a_flag_without_effect_or_given_twice_is_refused() {
        for (arguments, part) in [
            (
                &["--heartbeat-timeout", "3", "status"] as &[&str],
                "no effect on `orchestrator status`",
            ),
            (
                &["status", "--heartbeat-timeout", "3"],
                "--heartbeat-timeout",
            ),
            (&["--heartbeat-timeout", "3", "migrate"], "no effect"),
            (&["--bind-address", "a:1", "config", "sample"], "no effect"),
            (&["--database-url", "x", "recover", "a"], "no effect"),
            (
                &["--rust-log", "off", "config", "check", "--rust-log", "off"],
                "given twice",
            ),
            (
                &["--rust-log", "off", "--rust-log", "off"],
                "multiple times",
            ),
        ] {
            let error = parse([&["orchestrator"], arguments].concat()).unwrap_err();
            assert!(
                error.use_stderr() && error.exit_code() == 2,
                "{arguments:?}"
            );
            assert!(error.to_string().contains(part), "{arguments:?}: {error}");
        }
        let flags = invocation(&["--database-url", "memory:", "migrate"]).flags;
        assert_eq!(flags["DATABASE_URL"], "memory:");
    }

    #[test]
    fn the_help_of_a_subcommand_lists_its_own_options() {
        let help = |arguments: &[&str]| {
            let shown = parse([&["orchestrator"], arguments, &["--help"]].concat()).unwrap_err();
            assert_eq!(shown.exit_code(), 0);
            shown.to_string()
        };
        for (arguments, own) in [
            (&["status"] as &[&str], "--url"),
            (&["incidents"], "--instance"),
            (&["consistency"], "--json"),
            (&["recover"], "<ID>"),
            (&["emergency"], "--reason"),
            (&["config"], "check"),
            (&["config", "check"], "orchestrator --help"),
            (&["config", "sample"], "--help"),
        ] {
            let help = help(arguments);
            assert!(help.contains(own), "{own} is missing in {help}");
            for setting in settings() {
                let flag = format!("--{} ", setting.flag);
                assert!(!help.contains(&flag), "{flag} of {arguments:?} in {help}");
            }
        }
        let help = help(&["migrate"]);
        assert!(help.contains("--down") && help.contains("--database-url"));
        assert!(!help.contains("--heartbeat-timeout"), "{help}");
    }

    #[test]
    fn config_alone_shows_its_subcommands() {
        let error = parse(["orchestrator", "config"]).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        let text = error.to_string();
        assert!(text.contains("sample") && !text.contains("URL"), "{text}");
    }

    #[test]
    fn a_negative_number_is_a_value() {
        let flags = invocation(&["--retry-delay-seconds", "-5"]).flags;
        assert_eq!(flags["RETRY_DELAY_SECONDS"], "-5");
    }

    #[test]
    fn help_names_every_flag_variable_and_default() {
        let help = command_line()
            .term_width(10_000)
            .render_long_help()
            .to_string();
        for setting in settings() {
            let flag = format!("--{} <{}>", setting.flag, setting.kind.placeholder());
            let variable = format!("[env: {}]", setting.name);
            let default = format!("[default: {}]", setting.default.describe());
            for part in [flag, variable, default] {
                assert!(help.contains(&part), "{part} is missing");
            }
        }
    }
}
