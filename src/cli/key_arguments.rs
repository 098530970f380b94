//! The commands about keys of callers.

use clap::{Arg, ArgAction, ArgMatches};
use serde_json::{Map, Value};

use super::asking::{asking, question, text};
use super::client::{KeyCall, Question, Subject};
use super::flags::flags_of;
use crate::app::OfflineKey;

/// Returns the command with its subcommands.
pub(super) fn command() -> clap::Command {
    asking("keys")
        .about("Lists the keys of callers: role, expiry, last use")
        .args_conflicts_with_subcommands(true)
        .subcommand(asking("list").about("Lists the keys; the same as without a subcommand"))
        .subcommand(create())
        .subcommand(
            asking("revoke")
                .about(
                    "Revokes a key: its requests are refused at once, its polls and sessions end",
                )
                .arg(
                    Arg::new("id")
                        .value_name("ID")
                        .required(true)
                        .help("The number of the key, as `orchestrator keys` lists it"),
                ),
        )
}

fn create() -> clap::Command {
    asking("create")
        .about(
            "Makes a key and prints it, alone on a line, this once. The first one is made with --offline, \
             on the machine with the database",
        )
        .arg(
            value("role", "ROLE", "worker, viewer, operator or admin: from the least to the most")
                .required(true),
        )
        .arg(value("name", "NAME", "What the key is called in lists, events and the log").required(true))
        .arg(
            value(
                "server-id",
                "PATTERN",
                "For which server_ids a worker may call; * stands for any characters, and the flag may be repeated",
            )
            .action(ArgAction::Append),
        )
        .arg(value("expires", "TIME", "When the key is over: an RFC 3339 time, or a duration such as 90d"))
        .arg(
            Arg::new("offline")
                .long("offline")
                .action(ArgAction::SetTrue)
                .conflicts_with("json")
                .help(
                    "Makes it in the database itself, which is made or migrated if it is not there. A SQLite \
                     file in use is refused; on PostgreSQL a running orchestrator knows the key within a second",
                ),
        )
        .args(flags_of(&["keys", "create"]).map(|flag| flag.requires("offline")))
}

/// What the command asks for.
#[derive(Debug)]
pub(super) enum KeyOrder {
    /// A call to a running orchestrator.
    Ask(Question),
    /// A key in the database itself.
    Create(OfflineKey),
}

/// Returns what the command asks for.
pub(super) fn order(keys: &ArgMatches) -> KeyOrder {
    let ask = |call, asked| KeyOrder::Ask(question(Subject::Keys(call), asked));
    match keys.subcommand() {
        Some(("create", asked)) => {
            let many = asked.get_many::<String>("server-id").into_iter().flatten();
            let server_ids: Vec<String> = many.cloned().collect();
            let expires = asked.get_one::<String>("expires").cloned();
            if asked.get_flag("offline") {
                return KeyOrder::Create(OfflineKey {
                    name: text(asked, "name"),
                    role: text(asked, "role"),
                    server_ids,
                    expires,
                });
            }
            let mut body = Map::new();
            for field in ["name", "role"] {
                body.insert(field.to_owned(), Value::from(text(asked, field)));
            }
            if !server_ids.is_empty() {
                body.insert("server_ids".to_owned(), Value::from(server_ids));
            }
            if let Some(expires) = expires {
                body.insert("expires".to_owned(), Value::from(expires));
            }
            ask(KeyCall::Create(body), asked)
        }
        Some(("revoke", asked)) => ask(KeyCall::Revoke(text(asked, "id")), asked),
        Some((_, asked)) => ask(KeyCall::List, asked),
        None => ask(KeyCall::List, keys),
    }
}

fn value(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help)
}
