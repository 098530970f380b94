//! The properties that instances can share.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The facts about an instance that are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct InstanceFacts {
    pub ip: String,
    pub labels: BTreeMap<String, String>,
}

use crate::ids::InstanceId;

/// A property that several instances may have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Trait {
    /// An address within a network: a /24 of IPv4, a /64 of IPv6.
    Network(String),
    Label {
        key: String,
        value: String,
    },
}

impl Trait {
    /// Returns the network of an address; `None` if the address is a name.
    pub(super) fn network_of(facts: &InstanceFacts) -> Option<Self> {
        let network = match facts.ip.trim().parse::<IpAddr>().ok()?.to_canonical() {
            IpAddr::V4(address) => {
                let [a, b, c, _] = address.octets();
                format!("{}/24", Ipv4Addr::new(a, b, c, 0))
            }
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                format!("{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
        };
        Some(Self::Network(network))
    }

    /// Returns the labels of an instance.
    pub(super) fn labels_of(facts: &InstanceFacts) -> impl Iterator<Item = Self> {
        facts.labels.iter().map(|(key, value)| Self::Label {
            key: key.clone(),
            value: value.clone(),
        })
    }

    pub(crate) fn all_of(facts: &InstanceFacts) -> impl Iterator<Item = Self> {
        Self::network_of(facts)
            .into_iter()
            .chain(Self::labels_of(facts))
    }
}

impl fmt::Display for Trait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(network) => write!(f, "network {network}"),
            Self::Label { key, value } => write!(f, "label {key}={value}"),
        }
    }
}

/// A property and how many instances have it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Shared {
    pub what: Trait,
    /// How many of the failed instances have it.
    pub by: usize,
    /// How many of the registered instances have it.
    pub carriers: usize,
}

/// Counts how many of the registered instances have each property.
pub(super) fn carriers(facts: &BTreeMap<InstanceId, InstanceFacts>) -> BTreeMap<Trait, usize> {
    let mut counts = BTreeMap::new();
    for found in facts.values().flat_map(Trait::all_of) {
        *counts.entry(found).or_default() += 1;
    }
    counts
}

/// Returns the properties that at least so many of some instances share. The property that explains
/// most comes first: most of these instances have it, and fewest others.
pub(super) fn shared_by(
    instances: &BTreeSet<&InstanceId>,
    facts: &BTreeMap<InstanceId, InstanceFacts>,
    carriers: &BTreeMap<Trait, usize>,
    least: usize,
) -> Vec<Shared> {
    let mut counts: BTreeMap<Trait, usize> = BTreeMap::new();
    for known in instances.iter().filter_map(|id| facts.get(*id)) {
        for found in Trait::all_of(known) {
            *counts.entry(found).or_default() += 1;
        }
    }
    let mut shared: Vec<Shared> = counts
        .into_iter()
        .filter(|(_, by)| *by >= least)
        .map(|(what, by)| Shared {
            carriers: carriers.get(&what).copied().unwrap_or(by),
            what,
            by,
        })
        .collect();
    shared.sort_by_key(|one| (std::cmp::Reverse(one.by), one.carriers));
    shared
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_belong_to_networks_and_names_do_not() {
        for (ip, network) in [
            ("192.0.2.77", Some("192.0.2.0/24")),
            ("2001:db8:1:2:3:4:5:6", Some("2001:db8:1:2::/64")),
            ("::ffff:192.0.2.1", Some("192.0.2.0/24")),
            ("worker-7.example", None),
            ("", None),
        ] {
            let facts = InstanceFacts {
                ip: ip.to_owned(),
                labels: BTreeMap::new(),
            };
            let expected = network.map(|text| Trait::Network(text.to_owned()));
            assert_eq!(Trait::network_of(&facts), expected, "{ip}");
        }
    }
}
