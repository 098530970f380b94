//! The arguments of `orchestrator streams`.

use std::collections::BTreeSet;
use std::ffi::OsString;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, value_parser};

use super::asking::{asking, calling};
use super::client::{ImportOrder, StreamsOrder};
use super::list_arguments;
use crate::catalogue::Format;

/// Returns the subcommand.
pub(super) fn streams() -> clap::Command {
    list_arguments::streams("streams")
        .about("Lists, imports, exports and changes the streams of a running orchestrator")
        .args_conflicts_with_subcommands(true)
        .subcommand(import())
        .subcommand(
            calling("export")
                .about(
                    "Writes the whole catalogue, with passwords in URLs, to standard output; a file \
                     that can be imported again",
                )
                .arg(format_flag(["csv", "jsonl"]).default_value("csv")),
        )
        .subcommand(
            list_arguments::streams("list")
                .about("Lists streams by ascending id; URLs are masked. The same as without a subcommand"),
        )
        .subcommand(changing("enable", "Has streams run"))
        .subcommand(changing(
            "disable",
            "Has streams run no longer; they stay in the catalogue",
        ))
        .subcommand(changing("delete", "Removes streams from the catalogue"))
}

fn import() -> clap::Command {
    let flag = |name: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .action(ArgAction::SetTrue)
            .help(help)
    };
    asking("import")
        .about("Brings a file with streams into the catalogue; exit code 1 if a row cannot be imported")
        .after_help(
            "Every row is checked before the first is saved. A row is known by its id, else by its \
             label tvg_id, else by its name. Importing a file twice changes nothing. CSV: the first row \
             names the columns: id, name, url, enabled, priority, weight, handoff, group, pinned, \
             label.KEY, requires.KEY. JSON lines: an object a line, as POST /streams takes it. M3U: \
             #EXTINF with the name, tvg-id and group-title, then the URL.",
        )
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .required(true)
                .value_parser(value_parser!(OsString))
                .help("The file; - is standard input"),
        )
        .arg(format_flag(["csv", "jsonl", "m3u"]).help(
            "The format, if the file's extension does not say it (csv, tsv, jsonl, ndjson, m3u, m3u8)",
        ))
        .arg(flag("dry-run", "Only says what would be done"))
        .arg(flag(
            "keep-going",
            "Saves the other rows if some cannot be imported",
        ))
        .arg(flag(
            "prune",
            "Disables the streams that are not in the file; asks first",
        ))
        .arg(flag("yes", "Answers the question of --prune with yes"))
}

fn format_flag<const N: usize>(formats: [&'static str; N]) -> Arg {
    Arg::new("format")
        .long("format")
        .value_name("FORMAT")
        .value_parser(PossibleValuesParser::new(formats))
        .help("The format")
}

fn changing(name: &'static str, about: &'static str) -> clap::Command {
    asking(name).about(about).arg(
        Arg::new("id")
            .value_name("ID")
            .required(true)
            .num_args(1..)
            .value_parser(value_parser!(i64).range(1..))
            .help("Ids of the streams; `orchestrator streams list` shows them"),
    )
}

/// Returns the order, and the arguments of its subcommand; `None` for the list.
pub(super) fn order(streams: &ArgMatches) -> Option<(StreamsOrder, &ArgMatches)> {
    let (name, asked) = streams.subcommand()?;
    let order = match name {
        "import" => StreamsOrder::Import(ImportOrder {
            file: asked.get_one::<OsString>("file").cloned()?,
            format: format(asked),
            dry_run: asked.get_flag("dry-run"),
            keep_going: asked.get_flag("keep-going"),
            prune: asked.get_flag("prune"),
            yes: asked.get_flag("yes"),
        }),
        "export" => StreamsOrder::Export(format(asked)?),
        "enable" => StreamsOrder::Enable(ids(asked)),
        "disable" => StreamsOrder::Disable(ids(asked)),
        "delete" => StreamsOrder::Delete(ids(asked)),
        _ => return None,
    };
    Some((order, asked))
}

fn format(asked: &ArgMatches) -> Option<Format> {
    Format::from_word(asked.get_one::<String>("format")?)
}

/// Returns each id once, in the order of the command.
fn ids(asked: &ArgMatches) -> Vec<i64> {
    let mut seen = BTreeSet::new();
    let given = asked.get_many::<i64>("id").into_iter().flatten().copied();
    given.filter(|id| seen.insert(*id)).collect()
}
