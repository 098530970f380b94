//! Where a running orchestrator is found: what the commands that talk to one go by.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use super::sources::Sources;

/// The variable, and the name under which its flag is kept.
pub const SERVER_URL: &str = "ORCHESTRATOR_URL";

/// Where an orchestrator with default settings answers.
pub const DEFAULT_SERVER_URL: &str = "http://127.0.0.1:8001";

/// Reads the address from the flag, the environment or `.env`, in this order of precedence, and
/// takes away what stands at its end for nothing.
///
/// # Errors
/// A sentence if it is no `http://` address.
pub fn server_url(flag: Option<OsString>) -> Result<String, String> {
    let flags = flag.map(|value| (SERVER_URL.to_owned(), value));
    let sources = Sources::of_process(BTreeMap::from_iter(flags));
    let given = sources.get(SERVER_URL).map(|(_, value)| value);
    checked(given.unwrap_or(OsStr::new(DEFAULT_SERVER_URL)))
}

fn checked(given: &OsStr) -> Result<String, String> {
    let url = given.to_str().map(str::trim).unwrap_or_default();
    let is_host = |rest: &str| !rest.is_empty() && !rest.starts_with('/');
    let is_text = |url: &str| !url.contains(|c: char| c.is_whitespace() || c.is_control());
    match url.strip_prefix("http://") {
        Some(rest) if is_host(rest) && is_text(url) => Ok(url.trim_end_matches('/').to_owned()),
        Some(_) | None => Err(format!(
            "the address of the orchestrator ({SERVER_URL} or --url) is {given:?}; it must be like \
             {DEFAULT_SERVER_URL}"
        )),
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
        ] {
            assert_eq!(checked(OsStr::new(given)).as_deref(), Ok(url));
        }
        for given in [
            "",
            "a:8001",
            "https://a",
            "http://",
            "http:///x",
            "http://a b",
            "x",
        ] {
            let refused = checked(OsStr::new(given)).unwrap_err();
            assert!(refused.contains("--url"), "{refused}");
        }
    }
}
