//! The flags of the settings: one per setting, made from the list of settings.
//!
//! A subcommand has the flags that have an effect on it: `serve` and `config check` all settings,
//! `migrate` and `keys create` those of the database and the log, the others none. A flag may stand before its
//! subcommand as well. A flag without effect there is refused, and so is one that is given twice.

use std::collections::BTreeMap;
use std::ffi::OsString;

use clap::{Arg, ArgMatches, value_parser};

use crate::config::{Group, Setting, settings};

/// Returns the settings given as flags, before the subcommand and behind it. `command_line` is for
/// the error.
///
/// # Errors
/// Returns an error if a flag is given twice, or has no effect on the subcommand.
pub(super) fn flags(
    matches: &ArgMatches,
    command_line: fn() -> clap::Command,
) -> Result<BTreeMap<String, OsString>, clap::Error> {
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

/// Returns whether a setting has an effect on a subcommand.
fn has_effect(path: &[&str], setting: &Setting) -> bool {
    match path {
        [] | ["serve"] | ["config", "check"] => true,
        ["migrate"] | ["keys", "create"] => matches!(setting.group, Group::Database | Group::Log),
        _ => false,
    }
}

/// Returns the flags of the settings that have an effect on a subcommand.
pub(super) fn flags_of(path: &'static [&'static str]) -> impl Iterator<Item = Arg> {
    settings()
        .iter()
        .filter(|setting| has_effect(path, setting))
        .map(flag)
}

fn flag(setting: &Setting) -> Arg {
    Arg::new(setting.name)
        .long(setting.flag)
        .value_name(setting.kind.placeholder())
        .value_parser(value_parser!(OsString))
        // With this, -5 is refused as a value, with the rule, and not as an unknown flag.
        .allow_negative_numbers(true)
        .help(format!(
            "{}\n[env: {}] [default: {}]",
            setting.explained(),
            setting.name,
            setting.default.describe()
        ))
        .help_heading(setting.group.title())
}

/// Shown where the flags of all settings are accepted and not listed.
pub(super) const HIDDEN_FLAGS: &str = "`config check` takes every setting as a flag, as the server does: \
                            `orchestrator --help` lists them.";
