//! The arguments of the commands that list.

use clap::{Arg, ArgAction, ArgMatches};

use super::asking::{label, listing, question, text, watch};
use super::client::{List, ListOrder, Question, Subject};

/// A condition: its flag, the parameter of the call, and its help.
type Condition = (&'static str, &'static str, &'static str, &'static str);

/// The flags of a list that is read from its beginning to its end.
const LIMIT: Condition = (
    "limit",
    "limit",
    "NUMBER",
    "At most so many; all if not given",
);

const LABEL: Condition = (
    "label",
    "label",
    "KEY=VALUE",
    "Only those with this label; may be given several times",
);

const INSTANCES: [Condition; 4] = [
    (
        "state",
        "status",
        "STATE",
        "Only those in this state, such as active or failed",
    ),
    LABEL,
    LIMIT,
    (
        "after",
        "after",
        "ID",
        "Only those behind this one: the next page",
    ),
];

const STREAMS: [Condition; 8] = [
    LIMIT,
    (
        "after",
        "after",
        "ID",
        "Only those with a higher id: the next page",
    ),
    (
        "state",
        "state",
        "STATE",
        "Only those in this state, such as orphaned",
    ),
    (
        "instance",
        "instance",
        "ID",
        "Only those this instance owns",
    ),
    ("group", "group", "GROUP", "Only those of this group"),
    ("name", "name", "TEXT", "Only those with this in their name"),
    LABEL,
    (
        "urls",
        "urls",
        "HOW",
        "full: shows whole URLs, with their passwords",
    ),
];

const MOVES: [Condition; 4] = [
    (
        "instance",
        "instance",
        "ID",
        "Only those from or to this instance",
    ),
    (
        "state",
        "state",
        "STATE",
        "Only those in this state: releasing, overlapping or given_up",
    ),
    LIMIT,
    (
        "after",
        "after",
        "ID",
        "Only those of streams with a higher id: the next page",
    ),
];

const ALERTS: [Condition; 3] = [
    (
        "kind",
        "kind",
        "KIND",
        "Only those of this kind, such as mass_failure",
    ),
    LIMIT,
    (
        "after",
        "after",
        "ID",
        "Only older ones than this: the next page",
    ),
];

const PATTERNS: [Condition; 1] = [(
    "days",
    "days",
    "NUMBER",
    "How far to look back (1-30); 7 if not given",
)];

const INCIDENTS: [Condition; 6] = [
    (
        "limit",
        "limit",
        "NUMBER",
        "At most so many; 100 if not given",
    ),
    (
        "after",
        "after",
        "ID",
        "Only older ones than this: the next page",
    ),
    ("instance", "instance", "ID", "Only those of this instance"),
    (
        "state",
        "state",
        "STATE",
        "Only those that are open, or ended",
    ),
    (
        "from",
        "from",
        "TIME",
        "Only those detected then or later, such as 2026-01-31T08:00:00Z",
    ),
    ("to", "to", "TIME", "Only those detected earlier"),
];

/// How many incidents are listed by default.
const NEWEST_INCIDENTS: &str = "100";

/// Returns the commands that list, apart from that of the streams.
pub(super) fn commands() -> [clap::Command; 4] {
    [
        listing("instances")
            .about("Lists the instances of a running orchestrator, newest registration first")
            .args(INSTANCES.map(flag))
            .arg(watch()),
        listing("moves")
            .about("Lists the moves of streams that are under way, or were given up")
            .args(MOVES.map(flag).map(|flag| match flag.get_id() == "state" {
                true => flag.value_parser(["releasing", "overlapping", "given_up"]),
                false => flag,
            }))
            .arg(watch()),
        listing("patterns")
            .about("Lists what the failures of the last days have in common")
            .args(PATTERNS.map(flag))
            .arg(watch()),
        listing("incidents")
            .about(
                "Lists the recoveries of a running orchestrator, newest first, or shows one with \
                 its steps",
            )
            .arg(
                Arg::new("id")
                    .value_name("ID")
                    .conflicts_with_all(INCIDENTS.map(|(name, ..)| name))
                    .help("Only this recovery, with its steps"),
            )
            .args(INCIDENTS.map(flag))
            .arg(watch()),
    ]
}

/// Returns a command that lists the alerts.
pub(super) fn alerts(name: &'static str) -> clap::Command {
    listing(name)
        .arg(
            Arg::new("all")
                .long("all")
                .action(ArgAction::SetTrue)
                .help("Also those that are closed"),
        )
        .args(ALERTS.map(flag))
        .arg(watch())
}

/// Returns the question of the list of alerts.
pub(super) fn alert_order(asked: &ArgMatches) -> Question {
    let mut order = of(List::Alerts, &ALERTS, asked);
    if !asked.get_flag("all") {
        order.parameters.push(("open", "true".to_owned()));
    }
    question(Subject::List(order), asked)
}

/// Returns a command that lists the streams.
pub(super) fn streams(name: &'static str) -> clap::Command {
    listing(name).args(STREAMS.map(flag)).arg(watch())
}

fn flag((name, _, value, help): Condition) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name(value)
        .action(match name {
            "label" => ArgAction::Append,
            _ => ArgAction::Set,
        })
        .allow_negative_numbers(true)
        .help(help)
}

/// Returns the question of one of these commands; `None` for another command.
pub(super) fn order(name: &str, asked: &ArgMatches) -> Option<Question> {
    let (list, conditions) = match name {
        "instances" => (List::Instances, &INSTANCES[..]),
        "moves" => (List::Moves, &MOVES[..]),
        "patterns" => (List::Patterns, &PATTERNS[..]),
        "incidents" if asked.contains_id("id") => {
            return Some(question(Subject::Incident(text(asked, "id")), asked));
        }
        "incidents" => (List::Incidents, &INCIDENTS[..]),
        _ => return None,
    };
    let mut order = of(list, conditions, asked);
    if list == List::Incidents {
        let limit = order.limit.take();
        order.limit = Some(limit.unwrap_or_else(|| NEWEST_INCIDENTS.to_owned()));
    }
    Some(question(Subject::List(order), asked))
}

/// Returns the question of the list of streams.
pub(super) fn stream_order(asked: &ArgMatches) -> Question {
    question(Subject::List(of(List::Streams, &STREAMS, asked)), asked)
}

fn of(list: List, conditions: &[Condition], asked: &ArgMatches) -> ListOrder {
    let given = conditions.iter().flat_map(|(flag, parameter, ..)| {
        let values = asked.get_many::<String>(flag).into_iter().flatten();
        values.map(|value| match *flag {
            "label" => (*parameter, label(value)),
            _ => (*parameter, value.clone()),
        })
    });
    let (limit, parameters): (Vec<_>, Vec<_>) = given.partition(|(name, _)| *name == "limit");
    ListOrder {
        list,
        parameters,
        limit: limit.into_iter().next().map(|(_, limit)| limit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(arguments: &str) -> Question {
        let [command] = commands()
            .into_iter()
            .filter(|command| arguments.starts_with(command.get_name()))
            .collect::<Vec<_>>()
            .try_into()
            .unwrap();
        let name = command.get_name().to_owned();
        let asked = command.try_get_matches_from(arguments.split(' ')).unwrap();
        order(&name, &asked).unwrap()
    }

    #[test]
    fn conditions_are_the_parameters_of_the_call() {
        let list = |arguments| match asked(arguments).subject {
            Subject::List(order) => order,
            other => panic!("{other:?}"),
        };
        let instances = list("instances --state failed --label a=b --label c:d --limit 7");
        assert_eq!(
            instances.parameters,
            [("status", "failed"), ("label", "a:b"), ("label", "c:d")]
                .map(|(name, value)| (name, value.to_owned()))
        );
        assert_eq!(instances.limit.as_deref(), Some("7"));
        assert_eq!(list("incidents").limit.as_deref(), Some("100"));
    }

    #[test]
    fn a_list_has_one_form_and_may_be_watched() {
        use crate::cli::client::OutputFormat::{Json, JsonLines, Table, Wide};
        for (arguments, output, seconds) in [
            ("moves", Table, None),
            ("moves -o wide --watch", Wide, Some(2)),
            ("moves --output jsonl --watch 5", JsonLines, Some(5)),
            ("moves --json --watch=1m", Json, Some(60)),
        ] {
            let question = asked(arguments);
            let pause = question.watch.map(|pause| pause.as_secs());
            assert_eq!((question.output, pause), (output, seconds), "{arguments}");
        }
    }
}
