//! The shape of the command line: one flag per setting, made from the list of settings.
//!
//! Flags are taken as text and read by `config`, like variables: one way to read a value, one style
//! of message. clap's own reading of the environment is not used: it would know nothing of `.env` and
//! take an empty variable for a value.

use std::collections::BTreeMap;
use std::ffi::OsString;

use clap::{Arg, ArgAction, ArgMatches, value_parser};

use crate::app::MigrationDirection;
use crate::config::{Setting, settings};

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Invocation {
    pub(super) command: Command,
    /// The settings given as flags, by the name of their variable.
    pub(super) flags: BTreeMap<String, OsString>,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
}

/// Understands the arguments, program name first.
pub(super) fn parse<A, I>(arguments: A) -> Result<Invocation, clap::Error>
where
    A: IntoIterator<Item = I>,
    I: Into<OsString> + Clone,
{
    let matches = command_line().try_get_matches_from(arguments)?;
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
        _ => Command::Serve,
    };
    Ok(Invocation {
        command,
        flags: flags(&matches),
    })
}

/// Global flags are seen from the deepest subcommand, wherever they were written.
fn flags(matches: &ArgMatches) -> BTreeMap<String, OsString> {
    let mut deepest = matches;
    while let Some((_, inner)) = deepest.subcommand() {
        deepest = inner;
    }
    let given = settings().iter().filter_map(|setting| {
        let value = deepest.get_one::<OsString>(setting.name)?;
        Some((setting.name.to_owned(), value.clone()))
    });
    given.collect()
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
        .args(settings().iter().map(flag))
        .subcommand(clap::Command::new("serve").about("Serves; the same as without a subcommand"))
        .subcommand(
            clap::Command::new("migrate")
                .about("Brings the database to this version's schema, and ends")
                .arg(
                    Arg::new("down")
                        .long("down")
                        .action(ArgAction::SetTrue)
                        .help("Reverts the newest migration instead, with the data it holds"),
                ),
        )
        .subcommand(
            clap::Command::new("config")
                .about("Checks and explains the configuration")
                .subcommand_required(true)
                .arg_required_else_help(true)
                .subcommand(
                    clap::Command::new("check")
                        .about("Checks all settings, shows what holds and why; starts nothing"),
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
        .global(true)
}

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
