//! The addresses of running orchestrators, for the commands that call one.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;

use super::origin::Origin;
use super::problem::Warning;
use super::sources::Sources;
use super::table::{CLIENT_CERT, CLIENT_KEY, DEFAULT_SERVER_URL, SERVER_CA, SERVER_URL};
use super::typo::suspects_of;
use crate::domain::cleartext::is_cleartext;
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

    /// Returns whether a key that goes along can be read on its way to another machine.
    pub fn is_cleartext(&self) -> bool {
        is_cleartext(&self.0)
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

/// Reads the addresses of one or several orchestrators, separated by commas, from the flag, the environment or
/// `.env`, in this order of precedence. Meaningless characters at their ends are removed, and so are repetitions.
/// Returns at least one, in the order in which they are asked, with the warnings about their origin; a flag has none.
///
/// # Errors
/// Returns a sentence that names the address that is none of `http://` or `https://`, or if they could only be in a
/// `.env` that cannot be read.
pub fn server_urls(flag: Option<OsString>) -> Result<(Vec<ServerUrl>, Vec<Warning>), String> {
    let flags = flag.map(|value| (SERVER_URL.to_owned(), value));
    let sources = Sources::of_process(BTreeMap::from_iter(flags));
    let given = sources.get(SERVER_URL);
    let urls = match (given, sources.problems.first()) {
        (Some((_, value)), _) => checked(value),
        (None, None) => checked(OsStr::new(DEFAULT_SERVER_URL)),
        // The unreadable file may name another orchestrator than the one with default settings.
        (None, Some(problem)) => Err(format!(
            "{} (give --url, or set {SERVER_URL})",
            problem.to_string().trim_end_matches('.')
        )),
    }?;
    if given.is_some_and(|(origin, _)| origin == Origin::Flag) {
        return Ok((urls, Vec::new()));
    }
    let repeated = sources.warnings.iter();
    let mut warnings: Vec<Warning> = repeated
        .filter(|warning| warning.variable() == Some(SERVER_URL))
        .cloned()
        .collect();
    warnings.extend(suspects_of(SERVER_URL, &sources));
    Ok((urls, warnings))
}

/// Reads the address of one orchestrator that another one named.
pub fn server_url(text: &str) -> Option<ServerUrl> {
    let url = text.trim();
    let is_host = |rest: &str| !rest.is_empty() && !rest.starts_with('/');
    let is_text = |url: &str| !url.contains(|c: char| c.is_whitespace() || c.is_control());
    // Paths are appended: behind these characters they would be no paths.
    let is_path = |url: &str| !url.contains(['?', '#']);
    let rest = url.strip_prefix("http://");
    let rest = rest.or_else(|| url.strip_prefix("https://"))?;
    let is_url = is_host(rest) && is_text(url) && is_path(url);
    is_url.then(|| ServerUrl(url.trim_end_matches('/').to_owned()))
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

/// Returns the addresses in a list with commas, each once; an empty part is none.
fn checked(given: &OsStr) -> Result<Vec<ServerUrl>, String> {
    let whole = given.to_string_lossy();
    let parts = whole.split(',').filter(|part| !part.trim().is_empty());
    let parts: Vec<&str> = parts.collect();
    if parts.len() < 2 {
        let one = parts.first().and_then(|part| server_url(part));
        let one = one.filter(|_| given.to_str().is_some());
        return one.map(|url| vec![url]).ok_or_else(|| {
            format!(
                "the address of the orchestrator ({SERVER_URL} or --url) is {:?}; it must be like \
                 {DEFAULT_SERVER_URL} or https://HOST/PREFIX",
                shown(&whole)
            )
        });
    }
    let mut urls: Vec<ServerUrl> = Vec::new();
    for (place, part) in parts.iter().enumerate() {
        let url = server_url(part).ok_or_else(|| {
            format!(
                "address {} of {} in the list of orchestrators ({SERVER_URL} or --url) is {:?}; each must be \
                 like {DEFAULT_SERVER_URL} or https://HOST/PREFIX, and commas separate them",
                place + 1,
                parts.len(),
                shown_part(part, &whole)
            )
        })?;
        if !urls.contains(&url) {
            urls.push(url);
        }
    }
    Ok(urls)
}

/// Returns one of several addresses without possible passwords. A comma may have split a password.
fn shown_part(part: &str, whole: &str) -> String {
    if whole.contains('@') {
        masked_url(part)
    } else {
        shown(part.trim())
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
            assert_eq!((read.len(), read[0].expose()), (1, url));
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
        let url = &checked(OsStr::new("http://u:geheim@a:8001/x")).unwrap()[0];
        assert_eq!(format!("{url} {url:?}"), "http://a/… http://a/…");
        for given in [
            "ftp://u:geheim@a",
            "u:geheim@a",
            "http://a?key=geheim",
            "http://a,u:geheim@b",
            "http://u:ge,geheim,im@b",
            "http://a,http://b?key=geheim",
        ] {
            let refused = checked(OsStr::new(given)).unwrap_err();
            assert!(!refused.contains("geheim"), "{refused}");
        }
    }

    #[test]
    fn several_addresses_are_kept_in_their_order_and_each_once() {
        let read = checked(OsStr::new(
            "http://a:8001/, https://b/fleet,,http://a:8001, http://c,",
        ));
        let read = read.unwrap();
        let read: Vec<&str> = read.iter().map(ServerUrl::expose).collect();
        assert_eq!(read, ["http://a:8001", "https://b/fleet", "http://c"]);
    }

    #[test]
    fn a_bad_address_of_several_is_named_with_its_place() {
        for (given, parts) in [
            ("http://a,b:8001", ["address 2 of 2", "\"b:8001\""]),
            (
                "ftp://a,http://b,http://c",
                ["address 1 of 3", "\"ftp://a\""],
            ),
            ("http://a,http://b c", ["address 2 of 2", "\"http://b c\""]),
        ] {
            let refused = checked(OsStr::new(given)).unwrap_err();
            for part in parts {
                assert!(refused.contains(part), "{part} is missing in {refused}");
            }
        }
        assert!(checked(OsStr::new(" , ")).is_err());
    }
}
