//! The arguments of every command that calls a running orchestrator.

use std::ffi::OsString;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, value_parser};

use super::client::{Address, OutputFormat, Question, Subject};
use crate::config::{
    CLIENT_CERT, CLIENT_KEY, DEFAULT_SERVER_URL, SERVER_CA, SERVER_KEY, SERVER_URL,
};

/// The name of the argument with the file of the key.
const KEY_FILE: &str = "key-file";

/// Returns a text that the parser requires.
pub(super) fn text(asked: &ArgMatches, name: &str) -> String {
    asked.get_one::<String>(name).cloned().unwrap_or_default()
}

/// Returns the question of a subcommand.
pub(super) fn question(subject: Subject, asked: &ArgMatches) -> Question {
    let json = asked.try_get_one::<bool>("json").ok().flatten();
    let output = asked.try_get_one::<String>("output").ok().flatten();
    let output = output.and_then(|word| OutputFormat::from_word(word));
    let watch = asked.try_get_one::<Duration>("watch").ok().flatten();
    Question {
        subject,
        address: address(asked),
        output: match json {
            Some(true) => OutputFormat::Json,
            _ => output.unwrap_or(OutputFormat::Table),
        },
        watch: watch.copied(),
    }
}

/// Returns where a subcommand is to ask.
pub(super) fn address(asked: &ArgMatches) -> Address {
    Address {
        url: asked.get_one::<OsString>(SERVER_URL).cloned(),
        key_file: asked.get_one::<OsString>(KEY_FILE).cloned(),
    }
}

/// Returns a subcommand that lists, in the form that `--output` names.
pub(super) fn listing(name: &'static str) -> clap::Command {
    calling(name).arg(json().help("The same as --output json")).arg(
        Arg::new("output")
            .long("output")
            .short('o')
            .value_name("FORMAT")
            .value_parser(PossibleValuesParser::new(
                OutputFormat::WORDS.map(|(word, _)| word),
            ))
            .conflicts_with("json")
            .help(
                "table; wide: with more columns; json: one value; jsonl: an object a line [default: table]",
            ),
    )
}

/// Returns the flag that says how often a live view asks.
pub(super) fn every() -> Arg {
    Arg::new("every")
        .long("every")
        .value_name("SECONDS")
        .default_value("2")
        .value_parser(pause)
        .allow_negative_numbers(true)
        .help("How long it waits after an answer before it asks again")
}

/// Returns the flag that repeats a question.
pub(super) fn watch() -> Arg {
    Arg::new("watch")
        .long("watch")
        .value_name("SECONDS")
        .num_args(0..=1)
        .default_missing_value("2")
        .value_parser(pause)
        .allow_negative_numbers(true)
        .help("Asks again after so many seconds (2 if not given), until Ctrl-C")
}

/// Reads the pause of `--watch`: seconds, or a time with units.
fn pause(text: &str) -> Result<Duration, String> {
    const SHORTEST: Duration = Duration::from_millis(100);
    const LONGEST: Duration = Duration::from_secs(86_400);
    let seconds = text.parse().ok();
    let pause = match seconds.map(Duration::try_from_secs_f64) {
        Some(pause) => pause.ok(),
        None => humantime::parse_duration(text).ok(),
    };
    pause
        .filter(|pause| (SHORTEST..=LONGEST).contains(pause))
        .ok_or_else(|| "it must be seconds from 0.1 to 86400, such as 5, or 500ms or 1m".to_owned())
}

/// Returns a subcommand that calls a running orchestrator, and prints its answer as text or as JSON.
pub(super) fn asking(name: &'static str) -> clap::Command {
    calling(name).arg(json().help("Prints the answer as JSON"))
}

/// Returns the flag that asks for JSON.
pub(super) fn json() -> Arg {
    Arg::new("json").long("json").action(ArgAction::SetTrue)
}

/// Returns a subcommand that calls a running orchestrator.
pub(super) fn calling(name: &'static str) -> clap::Command {
    let value = |id: &'static str, flag: &'static str, value: &'static str| {
        Arg::new(id)
            .long(flag)
            .value_name(value)
            .value_parser(value_parser!(OsString))
    };
    clap::Command::new(name)
        .arg(value(SERVER_URL, "url", "URL").help(format!(
            "Where it answers; http or https, with a path prefix if a proxy has one. Several, separated by commas, \
             are asked in turn until one serves. PEM files for https come from the environment or .env: {SERVER_CA} \
             (by which it is checked), {CLIENT_CERT} and {CLIENT_KEY}\n\
             [env: {SERVER_URL}] [default: {DEFAULT_SERVER_URL}]"
        )))
        .arg(value(KEY_FILE, "key-file", "FILE").help(format!(
            "File with the key of the caller in its first line, if callers need one (AUTH)\n\
             [env: {SERVER_KEY}, which has the key itself]"
        )))
}

/// Returns the argument that names an instance.
pub(super) fn instance() -> Arg {
    Arg::new("id")
        .value_name("ID")
        .required(true)
        .help("The instance's server_id")
}

/// Returns a label as the call takes it, `key:value`. It may be given with the first of the two signs.
pub(super) fn label(given: &str) -> String {
    match given.find(['=', ':']) {
        Some(sign) if given[sign..].starts_with('=') => {
            format!("{}:{}", &given[..sign], &given[sign + 1..])
        }
        _ => given.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_may_be_given_with_either_sign() {
        for (given, sent) in [
            ("zone=north", "zone:north"),
            ("zone:north", "zone:north"),
            ("zone=a:b", "zone:a:b"),
            ("zone:a=b", "zone:a=b"),
            ("zone", "zone"),
        ] {
            assert_eq!(label(given), sent);
        }
    }

    #[test]
    fn the_pause_of_a_watch_is_seconds_or_has_a_unit() {
        for (text, milliseconds) in [("5", 5_000), ("0.5", 500), ("500ms", 500), ("1m", 60_000)] {
            assert_eq!(
                pause(text),
                Ok(Duration::from_millis(milliseconds)),
                "{text}"
            );
        }
        for wrong in ["", "0", "-1", "nan", "inf", "1e300", "2d", "soon"] {
            assert!(pause(wrong).unwrap_err().contains("such as 5"), "{wrong}");
        }
    }
}
