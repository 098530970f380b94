//! The address of a caller behind proxies.
//!
//! Every caller can send a header, so `Forwarded` and `X-Forwarded-For` count only as far as trusted proxies wrote them:
//! each proxy appends the address that it saw, so the list is read from the right, and the first address that is no
//! trusted proxy is the caller's. What stands left of it is the caller's own invention.
//!
//! | the connection is from | and the headers | address | may be in a trusted network |
//! | --- | --- | --- | --- |
//! | no trusted proxy | none | of the connection | yes |
//! | no trusted proxy | any | of the connection | no: a proxy that is not listed stands between |
//! | a trusted proxy | name a caller | that one | yes |
//! | a trusted proxy | none, or unreadable, or two that differ | of the proxy | no |

use std::net::{IpAddr, SocketAddr};

use super::network::Network;

/// What a request says about the proxies that it came through. A header that stands there several times is one list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of the headers")]
pub struct ForwardedHeaders<'h> {
    pub forwarded: Vec<&'h str>,
    pub x_forwarded_for: Vec<&'h str>,
    pub x_forwarded_proto: Vec<&'h str>,
}

impl ForwardedHeaders<'_> {
    fn is_empty(&self) -> bool {
        self.forwarded.is_empty() && self.x_forwarded_for.is_empty()
    }
}

/// From where a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Via {
    /// The address of the caller, as far as it is known.
    pub address: IpAddr,
    /// Whether it is the caller's for certain, so that trust may depend on it.
    pub is_certain: bool,
    /// Whether a trusted proxy received the request over TLS.
    pub is_https: bool,
}

/// One proxy's note: for whom it passed the request on, and how it got it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Hop {
    /// None if it does not say.
    address: Option<IpAddr>,
    is_https: bool,
}

/// Returns the address of the caller of a request that came from `peer`.
pub fn caller_address(peer: IpAddr, headers: &ForwardedHeaders<'_>, proxies: &[Network]) -> Via {
    let peer = peer.to_canonical();
    let is_trusted = |address: IpAddr| proxies.iter().any(|network| network.contains(address));
    let unknown = Via {
        address: peer,
        is_certain: false,
        is_https: false,
    };
    if !is_trusted(peer) {
        return Via {
            is_certain: headers.is_empty(),
            ..unknown
        };
    }
    let by_standard =
        (!headers.forwarded.is_empty()).then(|| caller_of(&hops(&headers.forwarded), is_trusted));
    let by_custom = (!headers.x_forwarded_for.is_empty()).then(|| {
        let list = addresses(&headers.x_forwarded_for);
        caller_of(&list, is_trusted)
    });
    let found = match (by_standard, by_custom) {
        (Some(one), Some(other)) if one.map(|hop| hop.address) != other.map(|hop| hop.address) => {
            None
        }
        (Some(found), _) | (None, Some(found)) => found,
        (None, None) => None,
    };
    let last_proto = headers
        .x_forwarded_proto
        .iter()
        .flat_map(|value| value.split(','))
        .next_back();
    let says_https = last_proto.is_some_and(|proto| proto.trim().eq_ignore_ascii_case("https"));
    match found.and_then(|hop| Some((hop.address?, hop.is_https))) {
        Some((address, is_https)) => Via {
            address,
            is_certain: true,
            is_https: is_https || says_https,
        },
        None => Via {
            is_https: says_https,
            ..unknown
        },
    }
}

/// Returns the note about the caller: the last one that names no trusted proxy, or the first of all.
fn caller_of(hops: &[Hop], is_trusted: impl Fn(IpAddr) -> bool) -> Option<Hop> {
    for (place, hop) in hops.iter().enumerate().rev() {
        // What an unreadable note hides could be the caller.
        if place == 0 || !hop.address.is_some_and(&is_trusted) {
            return hop.address.map(|_| *hop);
        }
    }
    None
}

fn addresses(values: &[&str]) -> Vec<Hop> {
    let texts = values.iter().flat_map(|value| value.split(','));
    let hop = |text: &str| Hop {
        address: address(text.trim()),
        is_https: false,
    };
    texts.map(hop).collect()
}

/// Reads the header of RFC 7239. A quote that does not end where its value ends makes all of it unreadable: it could
/// swallow what a trusted proxy appended.
fn hops(values: &[&str]) -> Vec<Hop> {
    let elements = values.iter().flat_map(|value| split(value, ','));
    let elements: Vec<&str> = elements.collect();
    if !elements.iter().all(|element| is_sound(element)) {
        return vec![Hop {
            address: None,
            is_https: false,
        }];
    }
    elements.into_iter().map(hop).collect()
}

/// Returns whether each value is free of quotes, or stands as a whole between two of them. No proxy escapes a quote in an
/// address.
fn is_sound(element: &str) -> bool {
    split(element, ';').iter().all(|pair| {
        let value = pair
            .split_once('=')
            .map_or(*pair, |(_, value)| value)
            .trim();
        let inner = value
            .strip_prefix('"')
            .and_then(|value| value.strip_suffix('"'));
        !inner.unwrap_or(value).contains('"')
    })
}

fn hop(element: &str) -> Hop {
    let mut hop = Hop {
        address: None,
        is_https: false,
    };
    for pair in split(element, ';') {
        let Some((name, value)) = pair.split_once('=') else {
            continue;
        };
        let value = value.trim();
        let value = value
            .strip_prefix('"')
            .and_then(|value| value.strip_suffix('"'))
            .unwrap_or(value);
        let name = name.trim();
        if name.eq_ignore_ascii_case("for") {
            hop.address = address(value);
        } else if name.eq_ignore_ascii_case("proto") {
            hop.is_https = value.eq_ignore_ascii_case("https");
        }
    }
    hop
}

/// Splits a text where `separator` stands outside of quotes.
fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut parts, mut start, mut is_quoted, mut is_escaped) = (Vec::new(), 0, false, false);
    for (at, c) in text.char_indices() {
        if is_escaped {
            is_escaped = false;
        } else if is_quoted && c == '\\' {
            is_escaped = true;
        } else if c == '"' {
            is_quoted = !is_quoted;
        } else if c == separator && !is_quoted {
            parts.push(&text[start..at]);
            start = at + c.len_utf8();
        }
    }
    parts.push(&text[start..]);
    parts
}

/// Reads an address, with or without a port; `None` for a name, a hidden one, and anything else.
fn address(text: &str) -> Option<IpAddr> {
    let inner = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let whole = inner.unwrap_or(text).parse::<IpAddr>();
    let address = whole.or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip()));
    address.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn proxies() -> Vec<Network> {
        ["10.0.0.0/24", "fd00::1"]
            .map(|text| Network::parse(text).unwrap())
            .to_vec()
    }

    fn via(peer: &str, headers: &ForwardedHeaders<'_>) -> Via {
        caller_address(peer.parse().unwrap(), headers, &proxies())
    }

    fn x(value: &str) -> ForwardedHeaders<'_> {
        ForwardedHeaders {
            x_forwarded_for: vec![value],
            ..ForwardedHeaders::default()
        }
    }

    fn standard(value: &str) -> ForwardedHeaders<'_> {
        ForwardedHeaders {
            forwarded: vec![value],
            ..ForwardedHeaders::default()
        }
    }

    fn certain(address: &str) -> Via {
        Via {
            address: address.parse().unwrap(),
            is_certain: true,
            is_https: false,
        }
    }

    fn uncertain(address: &str) -> Via {
        Via {
            is_certain: false,
            ..certain(address)
        }
    }

    #[test]
    fn the_header_of_a_stranger_counts_for_nothing() {
        let stranger = "192.0.2.9";
        assert_eq!(
            via(stranger, &ForwardedHeaders::default()),
            certain(stranger)
        );
        for headers in [x("203.0.113.7"), standard("for=203.0.113.7"), x("10.0.0.1")] {
            assert_eq!(via(stranger, &headers), uncertain(stranger));
        }
        assert_eq!(
            via("::ffff:192.0.2.9", &ForwardedHeaders::default()),
            certain(stranger)
        );
    }

    #[test]
    fn the_list_is_read_from_the_right_as_far_as_proxies_are_trusted() {
        for (list, expected) in [
            ("203.0.113.7", certain("203.0.113.7")),
            ("1.1.1.1, 203.0.113.7", certain("203.0.113.7")),
            ("203.0.113.7, 10.0.0.2", certain("203.0.113.7")),
            (
                "1.1.1.1,203.0.113.7 , 10.0.0.2,fd00::1",
                certain("203.0.113.7"),
            ),
            ("203.0.113.7:4711", certain("203.0.113.7")),
            ("[2001:db8::1]:4711, 10.0.0.2", certain("2001:db8::1")),
            ("2001:db8::1", certain("2001:db8::1")),
            ("10.0.0.3, 10.0.0.2", certain("10.0.0.3")),
            ("unknown", uncertain("10.0.0.1")),
            ("203.0.113.7, unknown", uncertain("10.0.0.1")),
            ("203.0.113.7,", uncertain("10.0.0.1")),
            ("", uncertain("10.0.0.1")),
        ] {
            assert_eq!(via("10.0.0.1", &x(list)), expected, "{list}");
        }
        assert_eq!(
            via("10.0.0.1", &ForwardedHeaders::default()),
            uncertain("10.0.0.1")
        );
        let two_lines = ForwardedHeaders {
            x_forwarded_for: vec!["203.0.113.7", "10.0.0.2"],
            ..ForwardedHeaders::default()
        };
        assert_eq!(via("10.0.0.1", &two_lines), certain("203.0.113.7"));
    }

    #[test]
    fn the_header_of_the_standard_is_read_with_its_quotes() {
        for (value, expected) in [
            ("for=203.0.113.7", certain("203.0.113.7")),
            ("For=\"[2001:db8::1]:4711\"", certain("2001:db8::1")),
            (
                "for=1.1.1.1, for=203.0.113.7;by=10.0.0.1",
                certain("203.0.113.7"),
            ),
            (
                "for=203.0.113.7;host=\"a,b;c\", for=10.0.0.2",
                certain("203.0.113.7"),
            ),
            ("for=_hidden", uncertain("10.0.0.1")),
            ("for=unknown", uncertain("10.0.0.1")),
            ("by=10.0.0.1", uncertain("10.0.0.1")),
            ("for=\"203.0.113.7", uncertain("10.0.0.1")),
            ("for=10.1.0.5;x=\", for=203.0.113.7", uncertain("10.0.0.1")),
            (
                "for=10.1.0.5;x=\", for=\"[2001:db8::1]\"",
                uncertain("10.0.0.1"),
            ),
        ] {
            assert_eq!(via("10.0.0.1", &standard(value)), expected, "{value}");
        }
        let secure = via("10.0.0.1", &standard("for=203.0.113.7;proto=https"));
        assert_eq!(
            secure,
            Via {
                is_https: true,
                ..certain("203.0.113.7")
            }
        );
    }

    #[test]
    fn two_headers_that_differ_say_nothing() {
        let both = |forwarded, custom| ForwardedHeaders {
            forwarded: vec![forwarded],
            x_forwarded_for: vec![custom],
            x_forwarded_proto: vec!["http, https"],
        };
        let same = via("10.0.0.1", &both("for=203.0.113.7", "203.0.113.7"));
        assert_eq!(
            same,
            Via {
                is_https: true,
                ..certain("203.0.113.7")
            }
        );
        let different = via("10.0.0.1", &both("for=10.9.9.9", "203.0.113.7"));
        assert_eq!(
            different,
            Via {
                is_https: true,
                ..uncertain("10.0.0.1")
            }
        );
    }

    proptest! {
        /// Whatever a caller writes in front, the address that the trusted proxy appended counts.
        #[test]
        fn a_caller_cannot_choose_its_address(invented in "[ -~]{0,60}") {
            let list = format!("{invented}, 203.0.113.7");
            prop_assert_eq!(via("10.0.0.1", &x(&list)), certain("203.0.113.7"));
        }

        #[test]
        fn a_caller_cannot_choose_its_address_with_quotes_either(
            invented in "[a-z=\";, \\\\.0-9]{0,60}",
            appended in prop::sample::select(vec!["for=203.0.113.7", "for=\"203.0.113.7:1\""]),
        ) {
            let found = via("10.0.0.1", &standard(&format!("{invented}, {appended}")));
            prop_assert!(
                found.address == "203.0.113.7".parse::<IpAddr>().unwrap() || !found.is_certain,
                "{:?}", found
            );
        }
    }
}
