//! Whether a secret that goes along with a request can be read on its way.
//!
//! A request to a `http://` address is readable for every listener between caller and host. Only the machine itself
//! has no such listener: the loopback addresses, and the name `localhost` with the names below it (RFC 6761). Every
//! other name counts as another machine, because nothing is resolved here.

use std::net::{IpAddr, Ipv4Addr};

/// Returns whether a request to this URL crosses a network without encryption.
pub fn is_cleartext(url: &str) -> bool {
    let url = url.trim();
    let Some((scheme, rest)) = url.split_once("://") else {
        return false;
    };
    scheme.eq_ignore_ascii_case("http") && !is_loopback(host(rest))
}

/// Returns the host of a URL without its scheme.
fn host(rest: &str) -> &str {
    let end = rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len());
    let authority = &rest[..end];
    let host = authority.rsplit_once('@').map_or(authority, |(_, it)| it);
    match host.strip_prefix('[').and_then(|it| it.split_once(']')) {
        Some((ip, _)) => ip,
        None => host.split(':').next().unwrap_or_default(),
    }
}

fn is_loopback(host: &str) -> bool {
    if let Ok(address) = host.parse::<IpAddr>() {
        return address.to_canonical().is_loopback();
    }
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    // `127.1` is no address for Rust, and one for the resolver.
    let is_short = name.strip_prefix("127.").is_some_and(|rest| {
        rest.bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.')
            && name.parse::<Ipv4Addr>().is_err()
    });
    name == "localhost" || name.ends_with(".localhost") || is_short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_to_another_machine_by_http_is_cleartext() {
        for url in [
            "http://10.0.0.8:8001",
            "HTTP://fleet.example/behind",
            "http://user:secret@fleet.example:8001/x",
            "http://localhost@fleet.example",
            "http://localhost.example",
            "http://notlocalhost",
            "http://[fe80::1]:8001",
            "http://0.0.0.0:8001",
            "http://127.example",
            " http://a ",
        ] {
            assert!(is_cleartext(url), "{url}");
        }
    }

    #[test]
    fn a_request_by_https_or_to_the_machine_itself_is_not() {
        for url in [
            "https://fleet.example",
            "HTTPS://10.0.0.8",
            "http://127.0.0.1:8001",
            "http://127.9.9.9",
            "http://127.1:8001",
            "http://localhost:8001/behind",
            "http://LOCALHOST.",
            "http://a.localhost",
            "http://[::1]:8001",
            "http://[::ffff:127.0.0.1]",
            "http://me:secret@localhost",
            "no url at all",
            "",
        ] {
            assert!(!is_cleartext(url), "{url}");
        }
    }
}
