//! A range of addresses.

use std::fmt;
use std::net::IpAddr;

/// The addresses that share their first bits, as in `10.1.0.0/16`. An IPv4 address within an IPv6 address counts as
/// that IPv4 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    length: u8,
}

impl Network {
    /// Reads an address, or an address and a number of bits.
    ///
    /// # Errors
    /// Returns the rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let no_address = || {
            format!("{text:?} is no network; one is written as 10.1.0.0/16, 10.1.2.3 or fd00::/8")
        };
        let address: IpAddr = address.parse().map_err(|_| no_address())?;
        let most = bits(address);
        let length: u8 = match length {
            None => most,
            Some(length) if length.bytes().all(|byte| byte.is_ascii_digit()) => {
                length.parse().map_err(|_| no_address())?
            }
            Some(_) => return Err(no_address()),
        };
        if length > most {
            return Err(format!(
                "{text:?} has more than {most} bits behind the slash"
            ));
        }
        let network = Self { address, length };
        let first = network.first();
        if first != address {
            return Err(format!(
                "{text:?} has bits set behind the first {length}; the network that it is in is {first}/{length}"
            ));
        }
        Ok(network)
    }

    /// Returns whether an address is in the network.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        match (self.address, address) {
            (IpAddr::V4(_), IpAddr::V4(_)) | (IpAddr::V6(_), IpAddr::V6(_)) => {
                prefix(address, self.length) == self.address
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }

    fn first(&self) -> IpAddr {
        prefix(self.address, self.length)
    }
}

/// Returns how many bits an address has.
const fn bits(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// Returns an address with only its first bits.
fn prefix(address: IpAddr, length: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX
                .checked_shl(32 - u32::from(length.min(32)))
                .unwrap_or(0);
            IpAddr::V4((u32::from(v4) & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX
                .checked_shl(128 - u32::from(length.min(128)))
                .unwrap_or(0);
            IpAddr::V6((u128::from(v6) & mask).into())
        }
    }
}

/// Returns the part of an address that stands for one caller: all of an IPv4 address, and the first 64 bits of an
/// IPv6 address, because one machine has all addresses behind them.
pub(super) fn of_one_caller(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        v6 @ IpAddr::V6(_) => prefix(v6, 64),
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(network: &str, address: &str) -> bool {
        let network = Network::parse(network).unwrap();
        network.contains(address.parse().unwrap())
    }

    #[test]
    fn a_network_contains_the_addresses_that_share_its_first_bits() {
        for (network, inside, outside) in [
            (
                "10.1.0.0/16",
                &["10.1.0.0", "10.1.255.255", "::ffff:10.1.2.3"][..],
                &["10.2.0.0", "::1"][..],
            ),
            ("10.1.2.3", &["10.1.2.3"], &["10.1.2.4"]),
            ("0.0.0.0/0", &["1.2.3.4"], &["fd00::1"]),
            ("fd00::/8", &["fd12::1"], &["fe00::1", "10.0.0.1"]),
            ("::/0", &["::1"], &["1.2.3.4", "::ffff:1.2.3.4"]),
            ("::1", &["::1"], &["::2"]),
        ] {
            for address in inside {
                assert!(contains(network, address), "{network} {address}");
            }
            for address in outside {
                assert!(!contains(network, address), "{network} {address}");
            }
        }
        assert_eq!(
            Network::parse("10.1.2.3").unwrap().to_string(),
            "10.1.2.3/32"
        );
    }

    #[test]
    fn other_texts_are_refused_with_what_would_do() {
        for (text, part) in [
            ("", "is no network"),
            ("example.org", "is no network"),
            ("10.1.0.0/+8", "is no network"),
            ("10.1.0.0/", "is no network"),
            ("10.1.0.0/33", "more than 32 bits"),
            ("10.1.2.3/16", "10.1.0.0/16"),
            ("fd00::1/8", "fd00::/8"),
        ] {
            let reason = Network::parse(text).unwrap_err();
            assert!(reason.contains(part), "{text}: {reason}");
        }
    }
}
