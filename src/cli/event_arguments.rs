//! The commands about events: `events` and `story`.

use clap::{Arg, ArgAction, ArgMatches};

use super::asking::{listing, question, text, watch};
use super::client::{EventsOrder, Question, StoryOrder, Subject};

/// The conditions on events: the flags, and the parameters of the call.
const CONDITIONS: [(&str, &str, &str, &str); 7] = [
    (
        "since",
        "from",
        "TIME",
        "Only those of then or later: how long ago, such as 2h, or a time",
    ),
    ("until", "to", "TIME", "Only earlier ones"),
    ("instance", "instance", "ID", "Only those of this instance"),
    ("stream", "stream", "NUMBER", "Only those of this stream"),
    (
        "incident",
        "incident",
        "NUMBER",
        "Only those that belong to this incident",
    ),
    (
        "actor",
        "actor",
        "WORD",
        "Only those caused by: operator, worker, roll or program",
    ),
    (
        "kind",
        "kind",
        "KIND,KIND",
        "Only those of these kinds, such as instance_failed,stream_orphaned",
    ),
];

/// Returns the commands about events.
pub(super) fn commands() -> [clap::Command; 2] {
    [
        listing("events")
            .about("Lists what happened, oldest first, one sentence each; without --since the newest")
            .args(CONDITIONS.map(condition))
            .arg(
                Arg::new("limit")
                    .long("limit")
                    .value_name("NUMBER")
                    .allow_negative_numbers(true)
                    .help("At most so many (1-1000); without --since 100 if not given"),
            )
            .arg(
                Arg::new("follow")
                    .long("follow")
                    .short('f')
                    .action(ArgAction::SetTrue)
                    .conflicts_with_all(["limit", "watch", "until"])
                    .help("Goes on with what happens, until it is interrupted; --json prints an object a line"),
            )
            .arg(watch()),
        listing("story")
            .about("Tells what happened to an instance or a stream, oldest first, one sentence each")
            .arg(
                Arg::new("id")
                    .value_name("INSTANCE|STREAM")
                    .required(true)
                    .help("The name of an instance, or the number of a stream"),
            )
            .arg(
                Arg::new("stream")
                    .long("stream")
                    .action(ArgAction::SetTrue)
                    .conflicts_with("instance")
                    .help("It is a stream, whatever it looks like"),
            )
            .arg(
                Arg::new("instance")
                    .long("instance")
                    .action(ArgAction::SetTrue)
                    .help("It is an instance, although it looks like a number"),
            )
            .args([CONDITIONS[0], CONDITIONS[1]].map(condition)),
    ]
}

fn condition((flag, _, value, help): (&'static str, &str, &'static str, &'static str)) -> Arg {
    Arg::new(flag)
        .long(flag)
        .value_name(value)
        .allow_negative_numbers(true)
        .help(help)
}

/// Returns the parameters that the flags stand for.
fn parameters(asked: &ArgMatches) -> Vec<(&'static str, String)> {
    let given = CONDITIONS.iter().filter_map(|(flag, parameter, _, _)| {
        let value = asked.try_get_one::<String>(flag).ok().flatten()?;
        Some((*parameter, value.clone()))
    });
    given.collect()
}

/// Returns the question of `events`.
pub(super) fn events(asked: &ArgMatches) -> Question {
    let order = EventsOrder {
        parameters: parameters(asked),
        limit: asked.get_one::<String>("limit").cloned(),
        follow: asked.get_flag("follow"),
    };
    question(Subject::Events(order), asked)
}

/// Returns the question of `story`.
pub(super) fn story(asked: &ArgMatches) -> Question {
    let id = text(asked, "id");
    let is_number = id.bytes().all(|byte| byte.is_ascii_digit());
    let is_stream = asked.get_flag("stream") || (is_number && !asked.get_flag("instance"));
    let given = CONDITIONS[..2]
        .iter()
        .filter_map(|(flag, parameter, _, _)| {
            Some((*parameter, asked.get_one::<String>(flag)?.clone()))
        });
    let parameters = given.collect();
    let order = StoryOrder {
        id,
        is_stream,
        parameters,
    };
    question(Subject::Story(order), asked)
}
