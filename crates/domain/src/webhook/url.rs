//! The URL of a receiver: which ones are allowed, and how much of one is shown.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use super::address::is_forbidden;
use super::format::Format;
use crate::masked_url::masked_url;

/// The longest URL.
const MAX_LENGTH: usize = 2_048;

/// The URL of a receiver. `Display` and `Debug` show scheme and host only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TargetUrl(String);

impl TargetUrl {
    /// Reads a URL. The names in it are resolved later, for each connection.
    ///
    /// # Errors
    /// Returns the rule that the text breaks.
    pub fn parse(text: &str, allow_loopback: bool) -> Result<Self, String> {
        if text.len() > MAX_LENGTH {
            return Err(format!("must have at most {MAX_LENGTH} characters"));
        }
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte);
        if !text.bytes().all(is_plain) {
            return Err("must be written with the characters of URLs; encode others as %XX".into());
        }
        let (scheme, rest) = text.split_once("://").unwrap_or_default();
        if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
            return Err("must begin with http:// or https://".to_owned());
        }
        if rest.contains('#') {
            return Err("must have no fragment (`#`)".to_owned());
        }
        let Parts { host, port, .. } = parts(rest);
        if let Some(port) = port
            && !port.parse::<u16>().is_ok_and(|port| port > 0)
        {
            return Err("must have a port from 1 to 65535, or none".to_owned());
        }
        if host.is_empty() {
            return Err("must name a host".to_owned());
        }
        let literal = match host.strip_prefix('[').and_then(|ip| ip.strip_suffix(']')) {
            Some(ip) => Some(IpAddr::V6(ip.parse::<Ipv6Addr>().map_err(|_| {
                "must have an IPv6 address between the brackets".to_owned()
            })?)),
            None => host.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
        };
        if literal.is_none() && !is_name(host) {
            return Err("must have a host of letters, digits, `-`, `_` and `.`".to_owned());
        }
        if let Some(reason) = literal.and_then(|ip| is_forbidden(ip, allow_loopback)) {
            return Err(format!("must not lead to {reason}"));
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns the whole URL, for the request alone.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns host and port, for the resolution of the name.
    pub fn host_and_port(&self) -> (&str, u16) {
        let (scheme, rest) = self.0.split_once("://").unwrap_or_default();
        let Parts { host, port, .. } = parts(rest);
        let default = if scheme.eq_ignore_ascii_case("https") {
            443
        } else {
            80
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        (
            host,
            port.and_then(|port| port.parse().ok()).unwrap_or(default),
        )
    }
}

fn is_name(host: &str) -> bool {
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    host.bytes().all(is_known) && host.len() <= 253
}

/// The parts of a URL behind its scheme.
struct Parts<'a> {
    user: Option<&'a str>,
    host: &'a str,
    port: Option<&'a str>,
    path: &'a str,
    has_query: bool,
}

fn parts(rest: &str) -> Parts<'_> {
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let (user, address) = match authority.rsplit_once('@') {
        Some((user, address)) => (Some(user), address),
        None => (None, authority),
    };
    let host_end = match address.find(']') {
        Some(bracket) => bracket + 1,
        None => address.find(':').unwrap_or(address.len()),
    };
    let (host, port) = address.split_at(host_end);
    let (path, query) = match tail.split_once('?') {
        Some((path, _)) => (path, true),
        None => (tail, false),
    };
    Parts {
        user,
        host,
        port: (!port.is_empty()).then(|| port.trim_start_matches(':')),
        path,
        has_query: query,
    }
}

/// Returns the URL as lists show it: without password and query. The path of a Slack URL is its secret, so that is
/// hidden too.
pub fn shown(url: &TargetUrl, format: Format) -> String {
    let (scheme, rest) = url.0.split_once("://").unwrap_or_default();
    let parts = parts(rest);
    let user = match parts.user.map(|user| user.split_once(':')) {
        Some(Some((name, _))) => format!("{name}:***@"),
        Some(None) => "***@".to_owned(),
        None => String::new(),
    };
    let port = parts
        .port
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    let path = match format {
        Format::Slack if parts.path.len() > 1 => "/***",
        Format::Slack | Format::Generic | Format::Alertmanager => parts.path,
    };
    let query = if parts.has_query { "?***" } else { "" };
    format!("{scheme}://{user}{}{port}{path}{query}", parts.host)
}

impl fmt::Display for TargetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&masked_url(&self.0))
    }
}

impl fmt::Debug for TargetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_lead_to_no_receiver_are_refused_with_the_rule() {
        for good in [
            "http://hooks.example/x?y=z",
            "HTTPS://user:pass@hooks.example:8443/a/b",
            "http://10.1.2.3:9093/api/v2/alerts",
            "https://[2001:db8::1]:8443/",
            "http://alert_manager",
        ] {
            TargetUrl::parse(good, false).unwrap();
        }
        for (bad, part) in [
            ("ftp://hooks.example/", "http://"),
            ("hooks.example", "http://"),
            ("", "http://"),
            ("file:///etc/passwd", "http://"),
            ("http://", "host"),
            ("http:///x", "host"),
            ("http://a b/", "%XX"),
            ("http://a/\u{1F980}", "%XX"),
            ("http://a\\b/", "%XX"),
            ("http://a/#b", "fragment"),
            ("http://a:0/", "port"),
            ("http://a:65536/", "port"),
            ("http://a:x/", "port"),
            ("http://[::1/", "letters"),
            ("http://[zz]/", "IPv6"),
            ("http://a,b/", "letters"),
            ("http://127.0.0.1/", "loopback"),
            ("http://user@127.0.0.1:80/", "loopback"),
            ("http://[::ffff:169.254.169.254]/", "metadata"),
            ("http://169.254.1.1/", "link-local"),
            ("http://224.0.0.1/", "multicast"),
        ] {
            let reason = TargetUrl::parse(bad, false).unwrap_err();
            assert!(reason.contains(part), "{bad}: {reason}");
        }
        TargetUrl::parse("http://127.0.0.1:1/", true).unwrap();
        TargetUrl::parse("http://169.254.1.1/", true).unwrap_err();
    }

    #[test]
    fn lists_show_neither_password_nor_query() {
        for (url, format, expected) in [
            (
                "https://me:secret@h.example:8443/a/b?token=c",
                Format::Generic,
                "https://me:***@h.example:8443/a/b?***",
            ),
            (
                "http://token@h.example",
                Format::Generic,
                "http://***@h.example",
            ),
            (
                "https://hooks.slack.com/services/T0/B0/XX",
                Format::Slack,
                "https://hooks.slack.com/***",
            ),
            (
                "http://[2001:db8::1]:9093/api/v2/alerts",
                Format::Alertmanager,
                "http://[2001:db8::1]:9093/api/v2/alerts",
            ),
        ] {
            let url = TargetUrl::parse(url, false).unwrap();
            assert_eq!(shown(&url, format), expected);
        }
        let url = TargetUrl::parse("https://me:secret@h.example/a?b", false).unwrap();
        assert_eq!(
            format!("{url} {url:?}"),
            "https://h.example/… https://h.example/…"
        );
    }

    #[test]
    fn the_port_follows_from_the_scheme() {
        for (url, expected) in [
            ("http://a/x", ("a", 80)),
            ("https://u:p@a?x", ("a", 443)),
            ("https://[2001:db8::1]:8443/", ("2001:db8::1", 8443)),
        ] {
            let url = TargetUrl::parse(url, false).unwrap();
            assert_eq!(url.host_and_port(), expected);
        }
    }
}
