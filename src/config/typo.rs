//! Finds variables whose names are probably misspelt settings.
//!
//! A platform sets dozens of variables for other programs. So a name is suspected only when it is a
//! slip of the keyboard away from a setting, a setting cut short, or begins with words that only
//! this program uses.

use super::problem::{UnknownVariable, Warning};
use super::setting::Setting;
use super::sources::Sources;
use super::table::{find, settings};
use crate::domain::spelling::edit_distance;

/// Beginnings that only this program uses. `DATABASE_`, `LOG_`, `HEALTH_` and the like are not
/// among them, because hosting platforms set such names.
const OUR_PREFIXES: &[&str] = &[
    "HEARTBEAT_",
    "CIRCUIT_BREAKER_",
    "LEASE_",
    "MAX_RETRY_",
    "MAX_MISSED_",
    "MAX_STREAMS_",
    "EMERGENCY_",
    "EXPONENTIAL_BACKOFF",
    "RETRY_DELAY",
    "WORKER_STOP",
];

/// Returns the variables that look like misspelt settings, in the order of the sources.
pub(super) fn suspects(sources: &Sources) -> Vec<Warning> {
    let unknown = sources.variables().filter(|(_, name)| find(name).is_none());
    let suspects = unknown.filter_map(|(origin, name)| {
        Some(Warning::Unknown(UnknownVariable {
            name: name.to_owned(),
            origin,
            suggestion: meant(name)?,
        }))
    });
    suspects.collect()
}

/// Returns the variables that look like a misspelt name of the orchestrator's address. Container
/// platforms set others that begin like it (`ORCHESTRATOR_PORT`), so only slips count.
pub(super) fn suspects_of(wanted: &'static str, sources: &Sources) -> Vec<Warning> {
    let misspelt = sources.variables().filter(|(_, name)| {
        let seen = name.to_ascii_uppercase().replace('-', "_");
        *name != wanted && is_slip(&seen, wanted)
    });
    misspelt
        .map(|(origin, name)| {
            Warning::Unknown(UnknownVariable {
                name: name.to_owned(),
                origin,
                suggestion: wanted,
            })
        })
        .collect()
}

/// Returns the setting that this name probably stands for.
fn meant(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_uppercase().replace('-', "_");
    let ranked = settings()
        .iter()
        .map(|setting| (rank(&name, setting), setting.name));
    let (_, nearest) = ranked.min()?;
    let has_our_prefix = OUR_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    let is_close = settings()
        .iter()
        .any(|setting| is_slip(&name, setting.name));
    (has_our_prefix || is_close || is_cut_short(&name)).then_some(nearest)
}

/// Returns the word that differs least from another one.
pub(super) fn nearest<'w>(word: &str, words: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    words
        .into_iter()
        .min_by_key(|known| edit_distance(word, known))
}

/// Returns how far a name is from a setting; a common beginning outweighs letters that differ, so
/// that `HEARTBEAT_TIMEOUT_MS` suggests `HEARTBEAT_TIMEOUT` and not a shorter, less similar name.
fn rank(name: &str, setting: &Setting) -> (usize, usize) {
    let distance = edit_distance(name, setting.name);
    let extends = name.starts_with(setting.name) || setting.name.starts_with(name);
    (if extends { 0 } else { distance }, distance)
}

/// Returns whether few letters differ: two, in short names one.
fn is_slip(name: &str, setting: &str) -> bool {
    let allowed = if setting.len() < 10 { 1 } else { 2 };
    name.len().abs_diff(setting.len()) <= allowed && edit_distance(name, setting) <= allowed
}

/// Returns whether a name is the beginning of a setting (`BIND_ADDR`, `RETRY_DELAY`), and long
/// enough to be no coincidence.
fn is_cut_short(name: &str) -> bool {
    const SHORTEST: usize = 8;
    name.len() >= SHORTEST
        && name.contains('_')
        && settings()
            .iter()
            .any(|setting| setting.name.starts_with(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found() {
        for (name, suggestion) in [
            ("HEARTBEAT_TIMOUT", "HEARTBEAT_TIMEOUT"),
            ("HEARTBEAT_TIMEOUT_SECONDS", "HEARTBEAT_TIMEOUT"),
            ("HEARBEAT_TIMEOUT", "HEARTBEAT_TIMEOUT"),
            ("heartbeat_timeout", "HEARTBEAT_TIMEOUT"),
            ("HEARTBEAT-TIMEOUT", "HEARTBEAT_TIMEOUT"),
            ("DATABASE_URI", "DATABASE_URL"),
            ("DATABASE_ULR", "DATABASE_URL"),
            ("BIND_ADDR", "BIND_ADDRESS"),
            ("RETRY_DELAY", "RETRY_DELAY_SECONDS"),
            ("MAX_RETRIES_ATTEMPTS", "MAX_RETRY_ATTEMPTS"),
            ("CIRCUIT_BREAKER_TRESHOLD", "CIRCUIT_BREAKER_THRESHOLD"),
            ("LOG_FORMATS", "LOG_FORMAT"),
        ] {
            let found = meant(name);
            // Three letters apart and no prefix of ours: out of reach, on purpose.
            let expected = (name != "MAX_RETRIES_ATTEMPTS").then_some(suggestion);
            assert_eq!(found, expected, "{name}");
        }
    }

    #[test]
    fn what_others_set_is_left_alone() {
        for name in [
            "PATH",
            "HOME",
            "HOSTNAME",
            "PORT",
            "DATABASE",
            "DATABASE_HOST",
            "DATABASE_NAME",
            "DATABASE_PORT",
            "DATABASE_USER",
            "DATABASE_PASSWORD",
            "DATABASE_URL_TEST",
            "TEST_DATABASE_URL",
            "RUST_LOG_STYLE",
            "RUST_BACKTRACE",
            "LOG_LEVEL",
            "LOGNAME",
            "HEALTH_CHECK_URL",
            "MAX_CONNECTIONS",
            "WORKERS",
            "BIND",
            "LEASED",
            "BUILD_ADDRESS_ID",
            "KUBERNETES_SERVICE_HOST",
            "LC_ALL",
            "PGPASSWORD",
            "RECOVERY",
            "EVENT_SOURCE",
        ] {
            assert_eq!(meant(name), None, "{name}");
        }
    }
}
