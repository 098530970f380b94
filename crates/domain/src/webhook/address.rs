//! Addresses to which nothing is sent.
//!
//! An operator names a receiver, and the orchestrator calls it from inside the network. Without this guard the name
//! could lead to services that trust every caller: the metadata service of a cloud, or a port of this machine.
//! Private networks are allowed, because receivers live there.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The reason why nothing is sent to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Forbidden {
    Loopback,
    LinkLocal,
    Metadata,
    Multicast,
    /// `0.0.0.0`, `::`, broadcast, and what no host has.
    Unusable,
}

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loopback => "a loopback address (WEBHOOK_ALLOW_LOOPBACK=on allows it)",
            Self::LinkLocal => "a link-local address",
            Self::Metadata => "an address of a metadata service",
            Self::Multicast => "a multicast address",
            Self::Unusable => "an address that no host has",
        })
    }
}

/// Services of clouds that hand out credentials and are not link-local.
const METADATA_V4: [Ipv4Addr; 2] = [
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(192, 0, 0, 192),
];
const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
const LINK_LOCAL_METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

/// Returns why nothing is sent to this address, if nothing is. An IPv4 address within an IPv6 address counts as
/// that IPv4 address.
pub fn is_forbidden(ip: IpAddr, allow_loopback: bool) -> Option<Forbidden> {
    let found = match ip {
        IpAddr::V4(ip) => of_v4(ip),
        IpAddr::V6(ip) => match embedded(ip) {
            Some(inner) => of_v4(inner),
            None => of_v6(ip),
        },
    };
    found.filter(|reason| !(allow_loopback && *reason == Forbidden::Loopback))
}

fn of_v4(ip: Ipv4Addr) -> Option<Forbidden> {
    if ip.is_loopback() {
        Some(Forbidden::Loopback)
    } else if ip == LINK_LOCAL_METADATA || METADATA_V4.contains(&ip) {
        Some(Forbidden::Metadata)
    } else if ip.is_link_local() {
        Some(Forbidden::LinkLocal)
    } else if ip.is_multicast() {
        Some(Forbidden::Multicast)
    } else if ip.octets()[0] == 0 || ip.octets()[0] >= 240 {
        Some(Forbidden::Unusable)
    } else {
        None
    }
}

fn of_v6(ip: Ipv6Addr) -> Option<Forbidden> {
    if ip.is_loopback() {
        Some(Forbidden::Loopback)
    } else if ip == METADATA_V6 {
        Some(Forbidden::Metadata)
    } else if ip.is_unicast_link_local() {
        Some(Forbidden::LinkLocal)
    } else if ip.is_multicast() {
        Some(Forbidden::Multicast)
    } else if ip.is_unspecified() {
        Some(Forbidden::Unusable)
    } else {
        None
    }
}

/// The IPv4 address that an IPv6 address leads to: mapped, compatible, 6to4 or translated (NAT64).
fn embedded(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let s = ip.segments();
    let joined = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match s {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            Some(joined(high, low))
        }
        [0, 0, 0, 0, 0xffff, 0, high, low] => Some(joined(high, low)),
        [0x2002, high, low, ..] => Some(joined(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_receivers_are_called() {
        use Forbidden::{LinkLocal, Loopback, Metadata, Multicast, Unusable};
        for (ip, expected) in [
            ("127.0.0.1", Some(Loopback)),
            ("127.255.0.9", Some(Loopback)),
            ("::1", Some(Loopback)),
            ("::ffff:127.0.0.1", Some(Loopback)),
            ("::127.0.0.1", Some(Loopback)),
            ("64:ff9b::7f00:1", Some(Loopback)),
            ("2002:7f00:1::", Some(Loopback)),
            ("169.254.0.1", Some(LinkLocal)),
            ("169.254.169.254", Some(Metadata)),
            ("::ffff:169.254.169.254", Some(Metadata)),
            ("::ffff:a9fe:a9fe", Some(Metadata)),
            ("fd00:ec2::254", Some(Metadata)),
            ("100.100.100.200", Some(Metadata)),
            ("fe80::1", Some(LinkLocal)),
            ("224.0.0.1", Some(Multicast)),
            ("239.255.255.255", Some(Multicast)),
            ("ff02::1", Some(Multicast)),
            ("::ffff:224.0.0.1", Some(Multicast)),
            ("0.0.0.0", Some(Unusable)),
            ("0.1.2.3", Some(Unusable)),
            ("255.255.255.255", Some(Unusable)),
            ("240.0.0.1", Some(Unusable)),
            ("::", Some(Unusable)),
            ("10.0.0.1", None),
            ("172.16.3.4", None),
            ("192.168.1.1", None),
            ("100.64.0.1", None),
            ("fd12::1", None),
            ("8.8.8.8", None),
            ("2001:db8::1", None),
        ] {
            let parsed: IpAddr = ip.parse().unwrap();
            assert_eq!(is_forbidden(parsed, false), expected, "{ip}");
            let with_loopback = expected.filter(|reason| *reason != Loopback);
            assert_eq!(is_forbidden(parsed, true), with_loopback, "{ip}");
        }
    }
}
