//! The parts of a bundle: what is asked for, and what is known here.

use std::collections::BTreeMap;

use super::archive::Member;
use super::redacted::without_passwords;
use crate::cli::client::connection::{Answer, Connection, Unanswered};
use crate::cli::client::lists::moves_under_way;
use crate::cli::{check, version};
use crate::config;

/// The file of each route that is asked, with its meaning. Those that need no actor and no database come first:
/// they are answered when others are not.
const ROUTES: [(&str, &str, &str); 22] = [
    ("log.json", "/logs?limit=1000", "the last lines of its log"),
    (
        "settings.json",
        "/settings",
        "settings in force, without passwords",
    ),
    ("metrics.txt", "/metrics", "metrics"),
    ("cluster.json", "/cluster", "who leads, and the standbys"),
    ("ready.json", "/ready", "whether it wants requests"),
    (
        "health.json",
        "/resilience/status",
        "health, with the rules that decide it",
    ),
    ("status.json", "/status", "totals of instances and streams"),
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
        "series-heartbeats.json",
        "/resilience/series?name=heartbeats&from=24h",
        "heartbeats of the last day",
    ),
    (
        "series-failures.json",
        "/resilience/series?name=failures&from=24h",
        "failures of the last day",
    ),
    (
        "series-moves.json",
        "/resilience/series?name=moves&from=24h",
        "moves of the last day",
    ),
    (
        "series-waiting.json",
        "/resilience/series?name=waiting&from=24h",
        "waiting streams of the last day",
    ),
    (
        "series-instances.json",
        "/resilience/series?name=instances&from=24h",
        "active instances of the last day",
    ),
    (
        "series-load.json",
        "/resilience/series?name=load&from=24h",
        "load of the last day",
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
];

/// A part: its file and its meaning, with its text or the reason why it is missing.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) name: &'static str,
    meaning: &'static str,
    content: Result<String, String>,
    /// The reason of an answer that is no success, and whose body is the text.
    refusal: Option<String>,
    /// The address of the orchestrator that answered, and of the one before, if it is another one than for the parts before.
    turned_to: Option<String>,
}

impl Part {
    /// Returns the reason why it is missing.
    pub(super) fn missing(&self) -> Option<&str> {
        self.content.as_ref().err().map(String::as_str)
    }

    /// Returns its line in the MANIFEST.
    pub(super) fn line(&self) -> String {
        let part = format!("{:<22} {}", self.name, self.meaning);
        let turned_to = self.turned_to.as_ref();
        let from = turned_to.map_or_else(String::new, |url| format!("; from here on from {url}"));
        match (self.missing(), &self.refusal) {
            (Some(reason), _) => format!("{part}; MISSING: {reason}"),
            (None, Some(refusal)) => format!("{part}{from}; REFUSED: {refusal}"),
            (None, None) => format!("{part}{from}"),
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
            refusal: None,
            turned_to: None,
        },
        Part {
            name: "config-check.txt",
            meaning: "the settings of the shell that made the bundle, without passwords",
            content: Ok(without_passwords(&settings)),
            refusal: None,
            turned_to: None,
        },
    ]
}

/// Asks an orchestrator for everything else. If nothing listens there, no further question is asked. A part
/// that does not come in time costs no other part.
pub(super) fn asked_for(connection: Result<&Connection, &str>) -> Vec<Part> {
    let mut gone = connection.as_ref().err().map(|reason| (*reason).to_owned());
    let mut parts = Vec::with_capacity(ROUTES.len() + 1);
    let mut asked = connection.map(Connection::current).unwrap_or_default();
    // The first part is from the first one that serves, whichever it is.
    let mut turned_to = |is_first: bool| {
        let now = connection.map(Connection::current).unwrap_or_default();
        let has_turned = asked != now;
        let before = std::mem::replace(&mut asked, now.clone());
        (has_turned && !is_first).then(|| format!("{now}, before from {before}"))
    };
    for (name, path, meaning) in ROUTES {
        let (content, refusal) = match (&gone, connection) {
            (None, Ok(connection)) => match connection.text(path) {
                Ok(Answer::Ok(text)) => (Ok(text), None),
                Ok(Answer::Refused { reason, body }) => (Ok(body), Some(reason)),
                Err(Unanswered { sentence, is_gone }) => {
                    gone = is_gone.then(|| sentence.clone());
                    (Err(sentence), None)
                }
            },
            (Some(reason), _) => (Err(reason.clone()), None),
            (None, Err(reason)) => (Err(reason.to_owned()), None),
        };
        parts.push(Part {
            name,
            meaning,
            content: redacted(content),
            refusal: refusal.as_deref().map(without_passwords),
            turned_to: turned_to(parts.is_empty()),
        });
    }
    let moves = match (gone, connection) {
        (None, Ok(connection)) => moves_under_way(connection),
        (Some(reason), _) => Err(reason),
        (None, Err(reason)) => Err(reason.to_owned()),
    };
    parts.push(Part {
        name: "moves.json",
        meaning: "the moves under way, at most 1,000",
        content: redacted(moves.map(|moves| format!("{moves:#}\n"))),
        refusal: None,
        turned_to: turned_to(false),
    });
    parts
}

fn redacted(content: Result<String, String>) -> Result<String, String> {
    match content {
        Ok(text) => Ok(without_passwords(&text)),
        Err(reason) => Err(without_passwords(&reason)),
    }
}
