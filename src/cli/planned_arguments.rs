//! The commands of planned work.

use clap::{Arg, ArgAction, ArgMatches};
use serde_json::{Map, Value};

use super::asking::{asking, instance, label, question, text};
use super::client::{PlannedOrder, Question, Subject, Work};

/// Returns the commands of planned work.
pub(super) fn commands() -> [clap::Command; 5] {
    [
        asking("cordon")
            .about("Keeps an instance from getting streams; it keeps those it has")
            .arg(instance())
            .arg(reason())
            .arg(value(
                "until",
                "TIME",
                "When it ends by itself: a time, or a duration such as 30m",
            )),
        asking("uncordon")
            .about("Ends the cordon of an instance, and a drain that keeps streams away from it")
            .arg(instance())
            .arg(reason()),
        asking("drain")
            .about(
                "Moves the streams of an instance to others and keeps it empty; exit code 1 if a \
                 stream fits nowhere, or the drain that was waited for has not drained",
            )
            .arg(instance())
            .arg(reason())
            .arg(value(
                "deadline",
                "TIME",
                "When it ends at the latest: a time, or a duration such as 30m",
            ))
            .arg(switch(
                "force",
                "Leaves streams that fit nowhere without an owner at the deadline",
            ))
            .arg(dry_run())
            .arg(wait())
            .arg(
                switch(
                    "cancel",
                    "Cancels the drain instead: the instance is active again",
                )
                .conflicts_with_all(["deadline", "force", "dry-run", "wait"]),
            ),
        asking("maintenance")
            .about("Drains an instance, then expects its silence for a while")
            .arg(instance())
            .arg(reason())
            .arg(value(
                "until",
                "TIME",
                "Until when, such as 2026-01-31T08:00:00Z",
            ))
            .arg(value("for", "DURATION", "For how long, such as 2h").conflicts_with("until"))
            .arg(dry_run())
            .arg(wait()),
        roll(),
    ]
}

fn roll() -> clap::Command {
    asking("roll")
        .about(
            "Drains the instances of a selection one batch after the other; without a selection all \
             of them",
        )
        .args_conflicts_with_subcommands(true)
        .arg(value("label", "KEY=VALUE", "Only instances with this label"))
        .arg(
            value("instances", "ID,ID", "Only these instances, in this order")
                .value_delimiter(',')
                .conflicts_with("label"),
        )
        .arg(value("max-unavailable", "NUMBER", "How many may be empty at a time; 1 if not given"))
        .arg(switch(
            "drained",
            "Goes on once an instance has drained, and does not wait until it is back",
        ))
        .arg(value("deadline", "TIME", "How long the drain of one instance may take, such as 30m"))
        .arg(reason())
        .arg(dry_run())
        .arg(wait())
        .subcommand(asking("list").about("Lists the rolls, newest first"))
        .subcommand(asking("show").about("Shows a roll").arg(number()).arg(wait()))
        .subcommand(
            asking("pause").about("Has a roll begin nothing more").arg(number()).arg(reason()),
        )
        .subcommand(
            asking("resume")
                .about("Has a paused roll go on")
                .arg(number())
                .arg(reason())
                .arg(switch("dry-run", "Prints what would happen and changes nothing")),
        )
        .subcommand(
            asking("cancel")
                .about("Ends a roll; drains under way are cancelled")
                .arg(number())
                .arg(reason()),
        )
}

/// Returns the question of one of these commands; `None` for another command.
pub(super) fn order(name: &str, asked: &ArgMatches) -> Option<Question> {
    let order = match name {
        "cordon" => about(Work::Cordon, asked, &["reason", "until"], &[]),
        "uncordon" => about(Work::Uncordon, asked, &["reason"], &[]),
        "drain" if asked.get_flag("cancel") => about(Work::CancelDrain, asked, &["reason"], &[]),
        "drain" => about(Work::Drain, asked, &["reason", "deadline"], &["force"]),
        "maintenance" => about(Work::Maintenance, asked, &["reason", "until", "for"], &[]),
        "roll" => return Some(roll_order(asked)),
        _ => return None,
    };
    Some(question(Subject::Planned(order), asked))
}

fn roll_order(asked: &ArgMatches) -> Question {
    let Some((name, inner)) = asked.subcommand() else {
        let mut order = about(Work::Roll, asked, &["reason", "deadline"], &[]);
        if let Some(given) = asked.get_one::<String>("label") {
            order.put("label", label(given).into());
        }
        if let Some(ids) = asked.get_many::<String>("instances") {
            order.put(
                "instances",
                ids.map(|id| Value::from(id.as_str())).collect(),
            );
        }
        if let Some(most) = asked.get_one::<String>("max-unavailable") {
            order.put("max_unavailable", number_of(most));
        }
        if asked.get_flag("drained") {
            order.put("wait", Value::from("drained"));
        }
        return question(Subject::Planned(order), asked);
    };
    let work = match name {
        "list" => Work::Rolls,
        "show" => Work::ShowRoll,
        "pause" => Work::OrderRoll("pause"),
        "resume" => Work::OrderRoll("resume"),
        _ => Work::OrderRoll("cancel"),
    };
    question(
        Subject::Planned(about(work, inner, &["reason"], &[])),
        inner,
    )
}

/// Returns a number as such, so that the orchestrator reads it; what is no number stays a text, which
/// the orchestrator refuses with a reason.
fn number_of(text: &str) -> Value {
    text.parse::<i64>()
        .map_or_else(|_| Value::from(text), Value::from)
}

/// Collects an order from the flags of these names.
fn about(work: Work, asked: &ArgMatches, texts: &[&str], switches: &[&str]) -> PlannedOrder {
    let has = |name: &str| asked.try_get_one::<bool>(name).ok().flatten() == Some(&true);
    let mut body = Map::new();
    for name in texts {
        if let Ok(Some(text)) = asked.try_get_one::<String>(name) {
            body.insert((*name).to_owned(), Value::from(text.as_str()));
        }
    }
    for name in switches {
        if has(name) {
            body.insert((*name).to_owned(), Value::from(true));
        }
    }
    PlannedOrder {
        work,
        id: match asked.try_contains_id("id") {
            Ok(true) => text(asked, "id"),
            Ok(false) | Err(_) => String::new(),
        },
        body,
        dry_run: has("dry-run"),
        wait: has("wait"),
    }
}

fn reason() -> Arg {
    value("reason", "TEXT", "Why; shown in the events")
}

fn dry_run() -> Arg {
    switch("dry-run", "Prints the plan as a table and changes nothing").conflicts_with("wait")
}

/// Returns the flag that waits for the end of planned work.
pub(super) fn wait() -> Arg {
    switch("wait", "Waits until it is over, and shows what is left")
}

fn number() -> Arg {
    Arg::new("id")
        .value_name("ID")
        .required(true)
        .help("The number of the roll")
}

fn value(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name(value)
        .allow_negative_numbers(true)
        .help(help)
}

fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .action(ArgAction::SetTrue)
        .help(help)
}
