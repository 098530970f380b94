//! Several orchestrators on one database.

use std::time::Duration;

use super::database::DatabaseUrl;
use super::problem::Problem;
use crate::domain::leadership::{BrokenLimit, LeadershipLimits};
use crate::domain::settings::{LivenessThresholds, WorkerLimits};

/// The longest name of a node, in characters.
const LONGEST_NAME: usize = 128;

/// The text that leaves a value to the program.
const AUTO: &str = "auto";

/// What this process is among the orchestrators of its database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterSettings {
    /// Its stable name; `None`: host name and configured port.
    pub node: Option<String>,
    /// Where other orchestrators reach it; `None`: its address towards the database, and its port.
    pub address: Option<String>,
    /// Where workers and people reach it; `None`: `http://` and the address.
    pub public_url: Option<String>,
    /// When a leader is replaced, and how often it proves that it leads.
    pub limits: LeadershipLimits,
    /// For how long a sole orchestrator renews leases without its database.
    pub failsafe: Duration,
}

/// Reads the name of a node: `auto`, or up to 128 printable characters without spaces.
pub(super) fn parse_node(text: &str) -> Result<Option<String>, String> {
    if text == AUTO {
        return Ok(None);
    }
    let is_long = text.chars().count() > LONGEST_NAME;
    if is_long || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(format!(
            "must be a name of up to {LONGEST_NAME} characters without spaces, such as \
             orchestrator-1, or auto"
        ));
    }
    Ok(Some(text.to_owned()))
}

/// Reads `HOST:PORT` or `auto`.
pub(super) fn parse_address(text: &str) -> Result<Option<String>, String> {
    if text == AUTO {
        return Ok(None);
    }
    let parts = text.rsplit_once(':');
    let is_address = parts.is_some_and(|(host, port)| {
        !host.is_empty()
            && !text.contains('/')
            && port.parse::<u16>().is_ok_and(|port| port > 0)
            && !text.chars().any(|c| c.is_control() || c.is_whitespace())
    });
    if is_address {
        Ok(Some(text.to_owned()))
    } else {
        Err("must be HOST:PORT, as in 10.0.0.5:8001, or auto".to_owned())
    }
}

/// Reads a URL for workers and people, or `auto`.
pub(super) fn parse_public_url(text: &str) -> Result<Option<String>, String> {
    if text == AUTO {
        return Ok(None);
    }
    let rest = text
        .strip_prefix("http://")
        .or(text.strip_prefix("https://"));
    let is_url = rest.is_some_and(|rest| {
        !rest.is_empty()
            && !rest.contains(['@', '?', '#'])
            && !rest.chars().any(|c| c.is_control() || c.is_whitespace())
    });
    if is_url {
        Ok(Some(text.trim_end_matches('/').to_owned()))
    } else {
        Err(
            "must be a URL without a password, as in http://orchestrator.example:8001, or auto"
                .to_owned(),
        )
    }
}

/// How long a take-over needs to load a fleet of a hundred thousand streams.
const USUAL_LOAD: Duration = Duration::from_millis(700);

/// The inequalities that several orchestrators depend on and that do not hold. On a database that
/// one process has for itself they have no meaning.
pub(super) fn check(
    limits: &LeadershipLimits,
    url: &DatabaseUrl,
    liveness: &LivenessThresholds,
    workers: &WorkerLimits,
) -> Vec<Problem> {
    let DatabaseUrl::Postgres(_) = url else {
        return Vec::new();
    };
    let mut broken = limits.check(liveness, workers, USUAL_LOAD);
    // The time that follows from a short timeout is as short as it can be: what it promises less is
    // no contradiction of the operator's.
    if *limits == LeadershipLimits::from_timeout(liveness.timeout) {
        broken.retain(BrokenLimit::is_about_safety);
    }
    let problem = |broken: BrokenLimit| Problem::Contradiction {
        sentence: format!("{}: {broken}", setting_of(&broken)),
    };
    broken.into_iter().map(problem).collect()
}

/// The setting that an operator changes first.
const fn setting_of(broken: &BrokenLimit) -> &'static str {
    match broken {
        BrokenLimit::LostRenewal { .. }
        | BrokenLimit::SlowTakeOver { .. }
        | BrokenLimit::StopsMeanwhile { .. } => "CLUSTER_TAKEOVER_AFTER",
        BrokenLimit::NoTimeToListen { .. } => "HEARTBEAT_WARNING_THRESHOLD",
        BrokenLimit::ShortMargin { .. } | BrokenLimit::LongLease { .. } => "LEASE_MARGIN",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_leaves_the_value_to_the_program() {
        assert_eq!(parse_node("auto"), Ok(None));
        assert_eq!(parse_address("auto"), Ok(None));
        assert_eq!(parse_public_url("auto"), Ok(None));
    }

    #[test]
    fn values_are_read_as_written_or_refused() {
        assert_eq!(parse_node("a-1").unwrap().as_deref(), Some("a-1"));
        for bad in ["a b", "a\nb", &"x".repeat(129)] {
            assert!(parse_node(bad).is_err(), "{bad}");
        }
        let address = parse_address("db.example:8001").unwrap();
        assert_eq!(address.as_deref(), Some("db.example:8001"));
        for bad in [
            "host",
            ":8001",
            "host:0",
            "host:99999",
            "http://host:1",
            "a b:1",
        ] {
            assert!(parse_address(bad).is_err(), "{bad}");
        }
        let url = parse_public_url("https://a.example/base/").unwrap();
        assert_eq!(url.as_deref(), Some("https://a.example/base"));
        for bad in [
            "a.example",
            "ftp://a",
            "http://",
            "http://u:p@a",
            "http://a b",
        ] {
            assert!(parse_public_url(bad).is_err(), "{bad}");
        }
    }
}
