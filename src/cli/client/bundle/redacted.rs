//! Removes passwords from a text: those of URLs, and those that a word before them names.
//!
//! The orchestrator masks what it knows to be a URL. Texts of workers and operators (reasons, states, labels)
//! are passed on as they are, and a URL or a password may stand in them. A text may be JSON, and stays JSON: no
//! removed part holds the end of a string or half of an escape.

use std::sync::LazyLock;

use regex::Regex;

/// The mark in place of a removed part.
const REMOVED: &str = "…";

/// A user with a password before a host, without a scheme.
static USER_INFO: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"[^\s"'<>/:@,;=(){}\[\]]+:[^\s"<>/]+@"#).ok());

/// A key of a caller.
static KEY: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new("ork_[A-Za-z0-9_-]{8,}").ok());

/// A word for a secret, and its value.
static ASSIGNED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let words = "password|passwd|pwd|passphrase|secret|token|api[_-]?key";
    Regex::new(&format!(
        r#"(?i)([a-z0-9_.-]*(?:{words})\s?=\s?)(?:[^\s"&,;\\]|\\.)+"#
    ))
    .ok()
});

/// Returns a text without the user-info and the query of each URL in it, and without what looks like a
/// password elsewhere.
pub(super) fn without_passwords(text: &str) -> String {
    let text = replaced(&USER_INFO, &without_those_of_urls(text), "…@");
    let text = replaced(&KEY, &text, "ork_…");
    replaced(&ASSIGNED, &text, "${1}…")
}

fn replaced(pattern: &LazyLock<Option<Regex>>, text: &str, by: &str) -> String {
    match &**pattern {
        Some(pattern) => pattern.replace_all(text, by).into_owned(),
        // The patterns are fixed, and tested below.
        None => String::new(),
    }
}

fn without_those_of_urls(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + "://".len());
        kept.push_str(before);
        let (url, after) = after.split_at(end_of_url(after));
        // A password may hold any character that ends no URL: the last `@` counts.
        let user_ends = url.rfind('@').unwrap_or(0);
        if user_ends > 0 {
            kept.push_str(REMOVED);
        }
        let url = &url[user_ends..];
        match url.split_once('?') {
            Some((path, _)) => kept.extend([path, "?", REMOVED]),
            None => kept.push_str(url),
        }
        rest = after;
    }
    kept.push_str(rest);
    kept
}

/// Returns where a URL ends: before a character that none has. A quotation mark behind an odd number of
/// backslashes belongs to a string of JSON that goes on.
fn end_of_url(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, letter) in text.char_indices() {
        let ends = letter.is_whitespace() || letter.is_control() || matches!(letter, '<' | '>');
        if ends || letter == '"' && !is_escaped {
            return at;
        }
        is_escaped = letter == '\\' && !is_escaped;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_passwords_and_queries_of_urls_go_and_the_rest_stays() {
        for (text, kept) in [
            ("no URL, a@b", "no URL, a@b"),
            ("http://a/b#c", "http://a/b#c"),
            ("x http://u:geheim@a/b y", "x http://…@a/b y"),
            ("http://u:ge/he@im@a/b", "http://…@a/b"),
            // RFC 3986 allows these in a user-info.
            ("http://u:ge'he!$&()*+,;=im@a/b", "http://…@a/b"),
            ("http://u:ge|he`im@a/b", "http://…@a/b"),
            (
                "see http://a/b?token=geheim, please",
                "see http://a/b?… please",
            ),
            ("http://u:geheim@a?key=geheim", "http://…@a?…"),
            (
                "{\"u\":\"rtsp://u:geheim@a\",\"v\":1}",
                "{\"u\":\"rtsp://…@a\",\"v\":1}",
            ),
            ("http://a http://u:geheim@b", "http://a http://…@b"),
            ("http://", "http://"),
        ] {
            assert_eq!(without_passwords(text), kept);
        }
    }

    #[test]
    fn what_looks_like_a_password_goes_without_a_url() {
        for (text, kept) in [
            ("cannot reach u:geheim@db/fleet", "cannot reach …@db/fleet"),
            ("u:ge@heim@db", "…@db"),
            ("password=geheim, then", "password=…, then"),
            ("PGPASSWORD = geheim x", "PGPASSWORD = … x"),
            ("a_token=geheim&b=1", "a_token=…&b=1"),
            ("at 12:00:01 by a@b", "at 12:00:01 by a@b"),
            ("server_id=a:1 streams=3", "server_id=a:1 streams=3"),
            ("{\"a\":1,\"b\":\"c@d\"}", "{\"a\":1,\"b\":\"c@d\"}"),
        ] {
            assert_eq!(without_passwords(text), kept);
        }
    }

    #[test]
    fn json_stays_json_and_loses_each_secret() {
        for secret in [
            "http://u:ge\"geheim@a",
            "http://a\\",
            "http://a/?b=\"geheim\"",
            "http://u:\\geheim@b \\ c",
            "\nu:geheim@b",
            "\"u:geheim\\@b\"",
            "token=\\geheim\"",
        ] {
            let value = serde_json::json!({"a": secret, "b": "x@y", "c": [secret, "u@v"]});
            let text = without_passwords(&value.to_string());
            let read = serde_json::from_str::<serde_json::Value>(&text);
            assert!(read.is_ok_and(|read| read["b"] == "x@y"), "{text}");
            assert!(!text.contains("geheim"), "{text}");
        }
    }
}
