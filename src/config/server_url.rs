//! The address of a running orchestrator, for the commands that call one.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;

use super::origin::Origin;
use super::problem::Warning;
use super::sources::Sources;
use super::table::{CLIENT_CERT, CLIENT_KEY, DEFAULT_SERVER_URL, SERVER_CA, SERVER_URL};
use super::typo::suspects_of;
use crate::domain::masked_url::masked_url;

/// The address of an orchestrator. A proxy before it may ask for a user and a password, which are
/// not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerUrl(String);

impl ServerUrl {
    /// Returns the whole address: for a request, never for a message.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns whether calls are encrypted.
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.0))
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Reads the address from the flag, the environment or `.env`, in this order of precedence, and
/// removes meaningless characters at its end. Returns it with the warnings about its origin; a flag
/// has none.
///
/// # Errors
/// Returns a sentence if it is no `http://` or `https://` address, or if it could only be in a `.env` that cannot
/// be read.
pub fn server_url(flag: Option<OsString>) -> Result<(ServerUrl, Vec<Warning>), String> {
    let flags = flag.map(|value| (SERVER_URL.to_owned(), value));
    let sources = Sources::of_process(BTreeMap::from_iter(flags));
    let given = sources.get(SERVER_URL);
    let url = match (given, sources.problems.first()) {
        (Some((_, value)), _) => checked(value),
        (None, None) => checked(OsStr::new(DEFAULT_SERVER_URL)),
        // The unreadable file may name another orchestrator than the one with default settings.
        (None, Some(problem)) => Err(format!(
            "{} (give --url, or set {SERVER_URL})",
            problem.to_string().trim_end_matches('.')
        )),
    }?;
    if given.is_some_and(|(origin, _)| origin == Origin::Flag) {
        return Ok((url, Vec::new()));
    }
    let repeated = sources.warnings.iter();
    let mut warnings: Vec<Warning> = repeated
        .filter(|warning| warning.variable() == Some(SERVER_URL))
        .cloned()
        .collect();
    warnings.extend(suspects_of(SERVER_URL, &sources));
    Ok((url, warnings))
}

/// The files by which caller and orchestrator prove themselves to each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallerFiles {
    /// The certificates by which the orchestrator is checked; none: the system's.
    pub ca: Option<PathBuf>,
    /// The caller's certificate and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// Reads the files from the environment or `.env`, in this order of precedence.
///
/// # Errors
/// Returns a sentence if the certificate or its key is missing.
pub fn caller_files() -> Result<CallerFiles, String> {
    let sources = Sources::of_process(BTreeMap::new());
    let file = |name| sources.get(name).map(|(_, value)| PathBuf::from(value));
    let missing = |set, missing| {
        Err(format!(
            "{set} is set, and {missing} is not: a certificate and its key belong together; set both, or none"
        ))
    };
    Ok(CallerFiles {
        ca: file(SERVER_CA),
        identity: match (file(CLIENT_CERT), file(CLIENT_KEY)) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (Some(_), None) => return missing(CLIENT_CERT, CLIENT_KEY),
            (None, Some(_)) => return missing(CLIENT_KEY, CLIENT_CERT),
        },
    })
}

fn checked(given: &OsStr) -> Result<ServerUrl, String> {
    let url = given.to_str().map(str::trim).unwrap_or_default();
    let is_host = |rest: &str| !rest.is_empty() && !rest.starts_with('/');
    let is_text = |url: &str| !url.contains(|c: char| c.is_whitespace() || c.is_control());
    // Paths are appended: behind these characters they would be no paths.
    let is_path = |url: &str| !url.contains(['?', '#']);
    let rest = url.strip_prefix("http://");
    match rest.or_else(|| url.strip_prefix("https://")) {
        Some(rest) if is_host(rest) && is_text(url) && is_path(url) => {
            Ok(ServerUrl(url.trim_end_matches('/').to_owned()))
        }
        Some(_) | None => Err(format!(
            "the address of the orchestrator ({SERVER_URL} or --url) is {:?}; it must be like \
             {DEFAULT_SERVER_URL} or https://HOST/PREFIX",
            shown(&given.to_string_lossy())
        )),
    }
}

/// Returns an address without possible passwords.
fn shown(url: &str) -> String {
    if url.contains(['@', '?', '#']) {
        masked_url(url)
    } else {
        url.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_and_anything_else_refused() {
        for (given, url) in [
            ("http://a:8001", "http://a:8001"),
            (" http://a:8001/// ", "http://a:8001"),
            ("http://a/behind", "http://a/behind"),
            ("http://u:p@a/behind", "http://u:p@a/behind"),
            ("https://a/behind/", "https://a/behind"),
        ] {
            let read = checked(OsStr::new(given)).unwrap();
            assert_eq!(read.expose(), url);
        }
        for given in [
            "",
            "a:8001",
            "ftp://a",
            "https://",
            "http://",
            "http:///x",
            "http://a b",
            "http://a?b",
            "http://a#b",
            "x",
        ] {
            let refused = checked(OsStr::new(given)).unwrap_err();
            assert!(refused.contains("--url"), "{refused}");
        }
    }

    #[test]
    fn the_password_of_a_proxy_is_not_shown() {
        let url = checked(OsStr::new("http://u:geheim@a:8001/x")).unwrap();
        assert_eq!(format!("{url} {url:?}"), "http://a/… http://a/…");
        for given in ["ftp://u:geheim@a", "u:geheim@a", "http://a?key=geheim"] {
            let refused = checked(OsStr::new(given)).unwrap_err();
            assert!(!refused.contains("geheim"), "{refused}");
        }
    }
}
