//! The parts of a bundle: what is asked for, and what is known here.

use std::collections::BTreeMap;

use super::archive::Member;
use super::redacted::without_passwords;
use crate::cli::client::connection::{Answer, Connection};
use crate::cli::client::lists::moves_under_way;
use crate::cli::{check, version};
use crate::config;

/// The file of each route that is asked, with what it is.
const ROUTES: [(&str, &str, &str); 16] = [
    (
        "health.json",
        "/resilience/status",
        "health, with the rules that decide it",
    ),
    ("status.json", "/status", "totals of instances and streams"),
    ("ready.json", "/ready", "whether it wants requests"),
    ("cluster.json", "/cluster", "who leads, and the standbys"),
    (
        "settings.json",
        "/settings",
        "settings in force, without passwords",
    ),
    (
        "instances.json",
        "/instances?limit=1000",
        "the newest 1,000 instances",
    ),
    (
        "capacity.json",
        "/capacity",
        "whether a loss could be absorbed",
    ),
    (
        "incidents.json",
        "/resilience/incidents?limit=200",
        "the newest 200 incidents",
    ),
    (
        "alerts.json",
        "/resilience/alerts?limit=200",
        "the newest 200 alerts",
    ),
    (
        "events.json",
        "/resilience/events?order=desc&limit=1000",
        "the newest 1,000 events",
    ),
    (
        "history.json",
        "/resilience/history?limit=200",
        "the last points of the health",
    ),
    (
        "patterns.json",
        "/resilience/patterns",
        "what failures have in common",
    ),
    (
        "breakers.json",
        "/resilience/breakers",
        "the circuit breakers",
    ),
    (
        "brake.json",
        "/resilience/brake",
        "the brake of mass failures",
    ),
    ("metrics.txt", "/metrics", "metrics"),
    ("log.json", "/logs?limit=1000", "the last lines of its log"),
];

/// A part: its file and what it is, with its text or the reason why it is missing.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) name: &'static str,
    meaning: &'static str,
    content: Result<String, String>,
}

impl Part {
    /// Returns the reason why it is missing.
    pub(super) fn missing(&self) -> Option<&str> {
        self.content.as_ref().err().map(String::as_str)
    }

    /// Returns its line in the MANIFEST.
    pub(super) fn line(&self) -> String {
        let what = format!("{:<20} {}", self.name, self.meaning);
        match self.missing() {
            None => what,
            Some(reason) => format!("{what}; MISSING: {reason}"),
        }
    }

    pub(super) fn into_member(self) -> Option<Member> {
        Some(Member {
            name: self.name.to_owned(),
            text: self.content.ok()?,
        })
    }
}

/// Returns what needs no running orchestrator: version and configuration of this program, as the shell sees
/// it.
pub(super) fn known_here() -> Vec<Part> {
    let settings = match config::load(BTreeMap::new()) {
        Ok(loaded) => check::report(&loaded),
        Err(errors) => format!("The configuration cannot be used:\n{errors}\n"),
    };
    vec![
        Part {
            name: "version.json",
            meaning: "the build of this program",
            content: Ok(version::text(true)),
        },
        Part {
            name: "config-check.txt",
            meaning: "the settings of the shell that made the bundle, without passwords",
            content: Ok(without_passwords(&settings)),
        },
    ]
}

/// Asks an orchestrator for everything else. One that does not answer is asked no further question.
pub(super) fn asked_for(connection: Result<&Connection, &str>) -> Vec<Part> {
    let mut unreachable = connection.as_ref().err().map(|reason| (*reason).to_owned());
    let mut parts = Vec::with_capacity(ROUTES.len() + 1);
    for (name, path, meaning) in ROUTES {
        let content = match (&unreachable, connection) {
            (None, Ok(connection)) => connection.text(path).unwrap_or_else(|reason| {
                unreachable = Some(reason.clone());
                Answer::Refused(reason)
            }),
            (Some(reason), _) => Answer::Refused(reason.clone()),
            (None, Err(reason)) => Answer::Refused(reason.to_owned()),
        };
        parts.push(Part {
            name,
            meaning,
            content: match content {
                Answer::Ok(text) => Ok(without_passwords(&text)),
                Answer::Refused(reason) => Err(without_passwords(&reason)),
            },
        });
    }
    let moves = match (unreachable, connection) {
        (None, Ok(connection)) => moves_under_way(connection),
        (Some(reason), _) => Err(reason),
        (None, Err(reason)) => Err(reason.to_owned()),
    };
    parts.push(Part {
        name: "moves.json",
        meaning: "the moves under way, at most 1,000",
        content: moves
            .map(|moves| without_passwords(&format!("{moves:#}\n")))
            .map_err(|reason| without_passwords(&reason)),
    });
    parts
}
