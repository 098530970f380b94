//! The commands about alerts.

use clap::{Arg, ArgAction, ArgMatches};
use serde_json::{Map, Value, json};

use super::asking::{asking, listing, question, text, watch};
use super::client::{AlertOrder, List, ListOrder, Question, Subject};
use super::list_arguments;

/// Returns the command of alerts: it lists them without a subcommand.
pub(super) fn command() -> clap::Command {
    list_arguments::alerts("alerts")
        .about("Lists the open alerts of a running orchestrator, newest first, or acts on them")
        .args_conflicts_with_subcommands(true)
        .subcommand(list_arguments::alerts("list").about("Lists the open alerts, newest first"))
        .subcommand(
            asking("ack")
                .about("Acknowledges an alert, so that others know that it is looked at")
                .arg(id("The id of the alert"))
                .arg(value(
                    "note",
                    "TEXT",
                    "What others should know; shown beside the alert",
                )),
        )
        .subcommand(silence())
        .subcommand(
            listing("silences")
                .about("Lists the active silences, newest first")
                .arg(watch()),
        )
        .subcommand(
            asking("unsilence")
                .about("Ends a silence")
                .arg(id("The id of the silence")),
        )
}

fn silence() -> clap::Command {
    asking("silence")
        .about(
            "Silences the alerts that match all of the given conditions, until a moment; they are \
             still listed",
        )
        .arg(value(
            "kind",
            "KIND",
            "Alerts of this kind, such as flapping",
        ))
        .arg(value("instance", "ID", "Alerts about this instance only"))
        .arg(
            value(
                "label",
                "KEY=VALUE",
                "Alerts about instances with this label only; may be given several times",
            )
            .action(ArgAction::Append),
        )
        .arg(
            Arg::new("regex")
                .long("regex")
                .action(ArgAction::SetTrue)
                .help("The values are regular expressions, each for the whole value"),
        )
        .arg(value("for", "DURATION", "For how long, such as 2h").conflicts_with("until"))
        .arg(value(
            "until",
            "TIME",
            "Until when, such as 2026-01-31T08:00:00Z",
        ))
        .arg(value("reason", "TEXT", "Why; shown beside the silence").required(true))
        .group(
            clap::ArgGroup::new("matchers")
                .args(["kind", "instance", "label"])
                .multiple(true)
                .required(true),
        )
        .group(
            clap::ArgGroup::new("end")
                .args(["for", "until"])
                .required(true),
        )
}

/// Returns the question of the command of alerts.
pub(super) fn order(asked: &ArgMatches) -> Question {
    match asked.subcommand() {
        None => list_arguments::alert_order(asked),
        Some(("list", inner)) => list_arguments::alert_order(inner),
        Some(("silences", inner)) => {
            let order = ListOrder {
                list: List::Silences,
                parameters: Vec::new(),
                limit: None,
            };
            question(Subject::List(order), inner)
        }
        Some(("ack", inner)) => {
            let note = inner.get_one::<String>("note").cloned();
            let id = text(inner, "id");
            question(Subject::Alert(AlertOrder::Acknowledge { id, note }), inner)
        }
        Some(("unsilence", inner)) => {
            let id = text(inner, "id");
            question(Subject::Alert(AlertOrder::Unsilence { id }), inner)
        }
        Some((_, inner)) => question(Subject::Alert(AlertOrder::Silence(body(inner))), inner),
    }
}

fn body(asked: &ArgMatches) -> Value {
    let is_regex = asked.get_flag("regex");
    let matcher =
        |name: &str, value: &str| json!({"name": name, "value": value, "is_regex": is_regex});
    let mut matchers = Vec::new();
    for name in ["kind", "instance"] {
        if let Some(value) = asked.get_one::<String>(name) {
            matchers.push(matcher(name, value));
        }
    }
    for label in asked.get_many::<String>("label").into_iter().flatten() {
        let (key, value) = label.split_once(['=', ':']).unwrap_or((label, ""));
        matchers.push(matcher(&format!("label:{key}"), value));
    }
    let mut body = Map::from_iter([("matchers".to_owned(), Value::from(matchers))]);
    for name in ["for", "until", "reason"] {
        if let Some(value) = asked.get_one::<String>(name) {
            body.insert(name.to_owned(), Value::from(value.as_str()));
        }
    }
    Value::Object(body)
}

fn id(help: &'static str) -> Arg {
    Arg::new("id").value_name("ID").required(true).help(help)
}

fn value(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name(value)
        .allow_negative_numbers(true)
        .help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(arguments: &[&str]) -> Result<Subject, clap::Error> {
        let all = std::iter::once("alerts").chain(arguments.iter().copied());
        let asked = command().try_get_matches_from(all)?;
        Ok(order(&asked).subject)
    }

    #[test]
    fn alerts_are_listed_without_a_subcommand() {
        let open = vec![("open", "true".to_owned())];
        for arguments in [&[][..], &["list"]] {
            let Ok(Subject::List(order)) = asked(arguments) else {
                panic!("{arguments:?}");
            };
            assert_eq!((order.list, &order.parameters), (List::Alerts, &open));
        }
        let Ok(Subject::List(order)) = asked(&["--all", "--kind", "flapping"]) else {
            panic!("no list");
        };
        assert_eq!(order.parameters, [("kind", "flapping".to_owned())]);
    }

    #[test]
    fn a_silence_has_the_matchers_the_end_and_the_reason() {
        let silence = asked(&[
            "silence",
            "--kind",
            "instance_failed",
            "--label",
            "rack=r7",
            "--label",
            "zone:a=b",
            "--for",
            "2h",
            "--reason",
            "the rack is moved",
        ]);
        let expected = json!({
            "matchers": [
                {"name": "kind", "value": "instance_failed", "is_regex": false},
                {"name": "label:rack", "value": "r7", "is_regex": false},
                {"name": "label:zone", "value": "a=b", "is_regex": false},
            ],
            "for": "2h",
            "reason": "the rack is moved",
        });
        assert_eq!(
            silence.unwrap(),
            Subject::Alert(AlertOrder::Silence(expected))
        );
    }

    #[test]
    fn a_silence_without_an_end_a_matcher_or_a_reason_is_refused() {
        for arguments in [
            &["silence", "--kind", "flapping", "--reason", "x"][..],
            &["silence", "--for", "2h", "--reason", "x"],
            &["silence", "--kind", "flapping", "--for", "2h"],
            &[
                "silence", "--kind", "flapping", "--for", "2h", "--until", "z", "--reason", "x",
            ],
        ] {
            assert!(asked(arguments).is_err(), "{arguments:?}");
        }
    }

    #[test]
    fn an_acknowledgement_names_the_alert() {
        let order = AlertOrder::Acknowledge {
            id: "7".to_owned(),
            note: Some("mine".to_owned()),
        };
        assert_eq!(
            asked(&["ack", "7", "--note", "mine"]).unwrap(),
            Subject::Alert(order)
        );
        assert!(asked(&["ack"]).is_err());
    }
}
