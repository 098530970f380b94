//! The commands about receivers outside.

use clap::{Arg, ArgAction, ArgMatches};
use serde_json::{Map, Value};

use super::asking::{asking, question, text};
use super::client::{Question, Subject, WebhookCall, WebhookOrder};

/// Returns the command with its subcommands.
pub(super) fn command() -> clap::Command {
    asking("webhooks")
        .about("Lists the receivers that are notified of alerts and events, and how each is")
        .args_conflicts_with_subcommands(true)
        .subcommand(asking("list").about("Lists the receivers; the same as without a subcommand"))
        .subcommand(set())
        .subcommand(
            asking("delete")
                .about("Deletes a receiver with its deliveries")
                .arg(name()),
        )
        .subcommand(
            asking("test")
                .about("Sends a test to a receiver now; exit code 1 if it does not accept it")
                .arg(name()),
        )
        .subcommand(
            asking("deliveries")
                .about("Lists messages on their way to a receiver, newest first")
                .arg(name())
                .arg(
                    value("state", "STATE", "Only those in this state").value_parser([
                        "pending",
                        "delivered",
                        "failed",
                    ]),
                )
                .arg(value(
                    "limit",
                    "NUMBER",
                    "How many, 1 to 1,000; 100 if not given",
                ))
                .arg(value(
                    "after",
                    "NUMBER",
                    "The number that the page before ended with",
                )),
        )
        .subcommand(
            asking("redeliver")
                .about("Sends messages again")
                .arg(name())
                .arg(
                    Arg::new("ids")
                        .value_name("ID")
                        .num_args(1..)
                        .required_unless_present("since")
                        .help("These messages"),
                )
                .arg(
                    value(
                        "since",
                        "TIME",
                        "Every message since then: a time, or such as 2h",
                    )
                    .conflicts_with("ids"),
                ),
        )
}

fn set() -> clap::Command {
    asking("set")
        .about(
            "Creates or changes a receiver; what is not given keeps its value. A secret that is made is \
             printed this once",
        )
        .arg(name())
        .arg(
            Arg::new("receiver")
                .value_name("RECEIVER")
                .help("Where messages go: http:// or https://; a new receiver needs it"),
        )
        .arg(
            value("format", "FORMAT", "The form of the messages; generic if not given")
                .value_parser(["generic", "slack", "alertmanager"]),
        )
        .arg(
            value(
                "types",
                "PATTERN,PATTERN",
                "The types of messages; alert.* and event.instance_* if not given",
            )
            .value_delimiter(','),
        )
        .arg(
            value("min-severity", "SEVERITY", "Less urgent messages are left out")
                .value_parser(["debug", "info", "warning", "critical"]),
        )
        .arg(
            value("secret-file", "FILE", "The file with the secret; - is standard input")
                .conflicts_with("rotate-secret"),
        )
        .arg(switch(
            "rotate-secret",
            "Makes a new secret; the one before signs for another day",
        ))
        .arg(switch("enable", "Sends messages again").conflicts_with("disable"))
        .arg(switch("disable", "Sends no messages"))
}

/// Returns the question of the command.
pub(super) fn order(webhooks: &ArgMatches) -> Question {
    let about = |call, asked: &ArgMatches| {
        let order = WebhookOrder {
            call,
            name: text(asked, "name"),
        };
        question(Subject::Webhooks(order), asked)
    };
    match webhooks.subcommand() {
        Some(("set", asked)) => about(
            WebhookCall::Set {
                body: body(asked),
                secret_file: asked.get_one::<String>("secret-file").cloned(),
            },
            asked,
        ),
        Some(("delete", asked)) => about(WebhookCall::Delete, asked),
        Some(("test", asked)) => about(WebhookCall::Test, asked),
        Some(("deliveries", asked)) => {
            let given = ["state", "limit", "after"].into_iter().filter_map(|name| {
                let value = asked.get_one::<String>(name)?;
                Some((name, value.clone()))
            });
            about(WebhookCall::Deliveries(given.collect()), asked)
        }
        Some(("redeliver", asked)) => {
            let mut body = Map::new();
            if let Some(since) = asked.get_one::<String>("since") {
                body.insert("since".to_owned(), Value::from(since.as_str()));
            }
            if let Some(ids) = asked.get_many::<String>("ids") {
                body.insert("ids".to_owned(), ids.cloned().collect());
            }
            about(WebhookCall::Redeliver(body), asked)
        }
        Some((_, asked)) => list(asked),
        None => list(webhooks),
    }
}

fn list(asked: &ArgMatches) -> Question {
    let order = WebhookOrder {
        call: WebhookCall::List,
        name: String::new(),
    };
    question(Subject::Webhooks(order), asked)
}

fn body(asked: &ArgMatches) -> Map<String, Value> {
    let mut body = Map::new();
    for (argument, field) in [
        ("receiver", "url"),
        ("format", "format"),
        ("min-severity", "min_severity"),
    ] {
        if let Some(text) = asked.get_one::<String>(argument) {
            body.insert(field.to_owned(), Value::from(text.as_str()));
        }
    }
    if let Some(types) = asked.get_many::<String>("types") {
        body.insert("types".to_owned(), types.cloned().collect());
    }
    for (argument, field, value) in [
        ("rotate-secret", "rotate_secret", true),
        ("enable", "enabled", true),
        ("disable", "enabled", false),
    ] {
        if asked.get_flag(argument) {
            body.insert(field.to_owned(), Value::from(value));
        }
    }
    body
}

fn name() -> Arg {
    Arg::new("name")
        .value_name("NAME")
        .required(true)
        .help("The name of the receiver")
}

fn value(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help)
}

fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .action(ArgAction::SetTrue)
        .help(help)
}
