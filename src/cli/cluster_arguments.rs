//! The commands about the orchestrators of one database.

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::asking::{asking, question, text, watch};
use super::client::{ClusterOrder, Question, Subject};

/// Returns the command with its orders.
pub(super) fn command() -> Command {
    let reason = |help: &'static str| {
        Arg::new("reason")
            .long("reason")
            .value_name("TEXT")
            .required(true)
            .help(help)
    };
    asking("cluster")
        .about("Shows which orchestrator leads, how fresh its proof is, and the standbys")
        .arg(watch())
        .args_conflicts_with_subcommands(true)
        .subcommand(
            asking("take-over")
                .about("Orders a standby (the only one that --url names) to take over and lead")
                .arg(reason("Why; written to the log of the standby")),
        )
        .subcommand(
            asking("step-down")
                .about("Orders the leader to hand over to a standby that is ready, and to stand by itself")
                .arg(
                    Arg::new("to")
                        .long("to")
                        .value_name("NODE")
                        .help("Who takes over [default: the ready one with the newest release]"),
                )
                .arg(
                    Arg::new("wait")
                        .long("wait")
                        .action(ArgAction::SetTrue)
                        .help("Waits until that one leads, for at most a minute"),
                )
                .arg(reason("Why; written to the log of the leader")),
        )
        .subcommand(
            asking("forget")
                .about("Forgets a standby that is away for good")
                .arg(
                    Arg::new("node")
                        .value_name("NODE")
                        .required(true)
                        .help("Its name, as `orchestrator cluster` shows it"),
                ),
        )
}

/// Reads the command.
pub(super) fn order(cluster: &ArgMatches) -> Question {
    match cluster.subcommand() {
        Some(("take-over", asked)) => {
            let reason = text(asked, "reason");
            let order = ClusterOrder::TakeOver { reason };
            question(Subject::OrderCluster(order), asked)
        }
        Some(("step-down", asked)) => {
            let order = ClusterOrder::StepDown {
                to: asked.get_one::<String>("to").cloned(),
                wait: asked.get_flag("wait"),
                reason: text(asked, "reason"),
            };
            question(Subject::OrderCluster(order), asked)
        }
        Some(("forget", asked)) => {
            let node = text(asked, "node");
            question(Subject::OrderCluster(ClusterOrder::Forget { node }), asked)
        }
        _ => question(Subject::Cluster, cluster),
    }
}
