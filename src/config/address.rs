//! The address at which the program listens.

use std::fmt;

/// A host (IP address or name) and a port, as written.
///
/// Names are kept as names: they are resolved when the port is opened, not when the configuration
/// is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindAddress {
    text: String,
    port: u16,
}

impl BindAddress {
    /// Returns `host:port`, as everything that takes a socket address as text reads it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the port; 0 stands for any free one.
    pub fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        const SYNTAX: &str = "write HOST:PORT, as in 127.0.0.1:8001, localhost:8001 or [::1]:8001";
        if text.contains('/') {
            return Err(format!(
                "is not an address: leave out scheme and path, {SYNTAX}"
            ));
        }
        let Some((host, port)) = text.rsplit_once(':') else {
            let missing = if text.bytes().all(|byte| byte.is_ascii_digit()) {
                "host"
            } else {
                "port"
            };
            return Err(format!("has no {missing}: {SYNTAX}"));
        };
        if host.is_empty() {
            return Err(format!("has no host: {SYNTAX}"));
        }
        let bracketed = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        let host_is_valid = match bracketed {
            Some(ip) => ip.parse::<std::net::Ipv6Addr>().is_ok(),
            None if host.contains(':') => {
                return Err(format!("needs brackets around its IPv6 address: {SYNTAX}"));
            }
            None => is_ipv4_or_name(host),
        };
        if !host_is_valid {
            return Err(format!("has an invalid host: {SYNTAX}"));
        }
        if port.is_empty() || !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(format!("has an invalid port: {SYNTAX}"));
        }
        let port = port
            .parse()
            .map_err(|_| "has a port above 65535".to_owned())?;
        Ok(Self {
            text: text.to_owned(),
            port,
        })
    }
}

impl BindAddress {
    /// Returns whether only programs of this machine reach the address.
    pub fn is_loopback(&self) -> bool {
        let host = self.text.rsplit_once(':').map_or("", |(host, _)| host);
        let inner = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let address = inner.unwrap_or(host).parse::<std::net::IpAddr>();
        match address {
            Ok(address) => address.to_canonical().is_loopback(),
            Err(_) => host.eq_ignore_ascii_case("localhost"),
        }
    }
}

impl fmt::Display for BindAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// Returns whether a host is a name or a valid IPv4 address: `127.0.0.300` is a typo, not a name.
fn is_ipv4_or_name(host: &str) -> bool {
    if host
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.')
    {
        return host.parse::<std::net::Ipv4Addr>().is_ok();
    }
    let labels_are_valid = host.trim_end_matches('.').split('.').all(|label| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    });
    labels_are_valid && host.len() <= 253
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_addresses_and_names() {
        for (text, port) in [
            ("127.0.0.1:8001", 8001),
            ("0.0.0.0:0", 0),
            ("[::1]:65535", 65535),
            ("localhost:8001", 8001),
            ("node-1.example.org:80", 80),
        ] {
            let address = BindAddress::parse(text).unwrap();
            assert_eq!((address.as_str(), address.port()), (text, port));
        }
    }

    #[test]
    fn a_loopback_address_is_told_from_others() {
        for text in [
            "127.0.0.1:1",
            "127.9.9.9:1",
            "[::1]:1",
            "[::ffff:127.0.0.1]:1",
            "localhost:1",
            "LOCALHOST:1",
        ] {
            assert!(BindAddress::parse(text).unwrap().is_loopback(), "{text}");
        }
        for text in [
            "0.0.0.0:1",
            "[::]:1",
            "10.0.0.1:1",
            "localhost.example:1",
            "node:1",
        ] {
            assert!(!BindAddress::parse(text).unwrap().is_loopback(), "{text}");
        }
    }

    #[test]
    fn refusals_say_what_is_missing() {
        for (text, part) in [
            ("8001", "no host"),
            (":8001", "no host"),
            ("0.0.0.0", "no port"),
            ("localhost", "no port"),
            ("localhost:", "invalid port"),
            ("localhost:http", "invalid port"),
            ("localhost:+80", "invalid port"),
            ("localhost:65536", "above 65535"),
            ("127.0.0.300:80", "invalid host"),
            ("a b:80", "invalid host"),
            ("[nothing]:80", "invalid host"),
            ("::1:8001", "brackets"),
            ("http://localhost:8001", "scheme"),
        ] {
            let rule = BindAddress::parse(text).unwrap_err();
            assert!(rule.contains(part), "{text}: {rule}");
        }
    }
}
