//! Who may call: whether keys are needed, which networks need none, and which proxies are believed.

use super::address::BindAddress;
use super::database::DatabaseUrl;
use super::origin::Origin;
use super::problem::{Problem, Warning};
use super::scalar::parse_switch;
use crate::domain::access::Network;
use crate::tls::ServerTls;

/// The word that leaves `AUTH` to the address.
pub(super) const AUTO: &str = "auto";

/// The word that stands for no network.
const NONE: &str = "none";

/// How many networks a list may have.
const MOST: usize = 100;

/// Who may call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessSettings {
    /// Whether callers need a key.
    pub is_required: bool,
    /// Whether the operator said so, and the address did not decide.
    pub is_given: bool,
    /// Networks whose callers are workers without a key.
    pub trusted_networks: Vec<Network>,
    /// Proxies whose headers name the caller.
    pub trusted_proxies: Vec<Network>,
}

pub(super) fn parse_auth(text: &str) -> Result<Option<bool>, String> {
    if text.eq_ignore_ascii_case(AUTO) {
        return Ok(None);
    }
    let switch = parse_switch(text).map_err(|_| "must be on, off or auto".to_owned())?;
    Ok(Some(switch))
}

pub(super) fn parse_networks(text: &str) -> Result<Vec<Network>, String> {
    if text.eq_ignore_ascii_case(NONE) {
        return Ok(Vec::new());
    }
    let parts = text
        .split([',', ' '])
        .map(str::trim)
        .filter(|part| !part.is_empty());
    let networks: Result<Vec<Network>, String> = parts
        .map(|part| {
            Network::parse(part).map_err(|reason| format!("must be a list of networks; {reason}"))
        })
        .collect();
    match networks? {
        networks if networks.len() > MOST => Err(format!("must have at most {MOST} networks")),
        networks => Ok(networks),
    }
}

pub(super) fn shown(networks: &[Network]) -> String {
    match networks {
        [] => NONE.to_owned(),
        networks => {
            let texts: Vec<String> = networks.iter().map(Network::to_string).collect();
            texts.join(",")
        }
    }
}

/// Returns whether callers need a key.
pub(super) fn is_required(given: Option<bool>, address: &BindAddress) -> bool {
    given.unwrap_or(!address.is_loopback())
}

/// Returns why a server must not start: the contradictions between `AUTH`, the address and the database. Other commands
/// use the same settings and are not refused: the first key is made before `AUTH` is on.
pub(super) fn check(
    settings: &AccessSettings,
    address: &BindAddress,
    url: &DatabaseUrl,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    if !settings.is_given && !address.is_loopback() {
        problems.push(Problem::Contradiction {
            sentence: format!(
                "BIND_ADDRESS is {address}, which other machines reach, and AUTH is not set, so any caller there could \
                 give orders. Either set AUTH=on and make the first key with `orchestrator keys create --role admin \
                 --name NAME --offline`, or set AUTH=off if only trusted machines reach that address."
            ),
        });
    }
    if settings.is_required && settings.is_given && *url == DatabaseUrl::Memory {
        problems.push(Problem::Contradiction {
            sentence: "AUTH is on and DATABASE_URL is memory:, which keeps no keys, so no caller could get in. Use \
                       a SQLite file or PostgreSQL, or set AUTH=off."
                .to_owned(),
        });
    }
    problems
}

/// Returns what is risky or has no effect, though nothing contradicts it.
pub(super) fn warnings(
    settings: &AccessSettings,
    address: &BindAddress,
    tls: Option<&ServerTls>,
    origin_of_networks: Origin,
) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if !settings.is_required && !address.is_loopback() {
        warnings.push(Warning::Exposed {
            address: address.to_string(),
        });
    }
    // A proxy that is named may speak TLS with the callers.
    let is_plain = tls.is_none() && settings.trusted_proxies.is_empty();
    if settings.is_required && is_plain && !address.is_loopback() {
        warnings.push(Warning::KeysInCleartext {
            address: address.to_string(),
        });
    }
    if !settings.is_required && !settings.trusted_networks.is_empty() {
        warnings.push(Warning::NoEffect {
            name: "AUTH_TRUSTED_NETWORKS",
            origin: origin_of_networks,
            reason: "has no effect while AUTH is off: no caller needs a key".to_owned(),
        });
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_networks_are_read_or_refused_with_what_would_do() {
        let read = |text| parse_networks(text).map(|networks| shown(&networks));
        assert_eq!(read("none").unwrap(), "none");
        assert_eq!(
            read("10.1.0.0/16, fd00::/8").unwrap(),
            "10.1.0.0/16,fd00::/8"
        );
        assert_eq!(read("10.1.2.3").unwrap(), "10.1.2.3/32");
        for text in ["rack1", "10.1.2.3/16", "10.0.0.0/8,x"] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn beyond_loopback_the_operator_has_to_choose() {
        let file = DatabaseUrl::parse("sqlite://x.db").unwrap();
        let address = |text| BindAddress::parse(text).unwrap();
        let (here, everywhere) = (address("127.0.0.1:1"), address("0.0.0.0:1"));
        let settings = |given: Option<bool>, address| AccessSettings {
            is_required: is_required(given, address),
            is_given: given.is_some(),
            trusted_networks: Vec::new(),
            trusted_proxies: Vec::new(),
        };
        let check = |given, address, url| check(&settings(given, address), address, url);
        let warnings =
            |given, address| warnings(&settings(given, address), address, None, Origin::Default);
        assert!(check(None, &here, &file).is_empty());
        assert!(!is_required(None, &here));
        let refused = check(None, &everywhere, &file);
        let sentence = refused[0].to_string();
        for part in ["0.0.0.0:1", "AUTH=on", "--offline", "AUTH=off"] {
            assert!(sentence.contains(part), "{sentence}");
        }
        for given in [true, false] {
            assert!(check(Some(given), &everywhere, &file).is_empty());
            assert_eq!(is_required(Some(given), &everywhere), given);
        }
        let warned = warnings(Some(true), &everywhere);
        assert!(warned[0].to_string().contains("TLS_CERT is not set"));
        let behind_proxy = AccessSettings {
            trusted_proxies: parse_networks("10.0.0.1").unwrap(),
            ..settings(Some(true), &everywhere)
        };
        let warned = super::warnings(&behind_proxy, &everywhere, None, Origin::Default);
        assert!(warned.is_empty(), "{warned:?}");
        assert!(warnings(Some(true), &here).is_empty());
        assert!(warnings(Some(false), &here).is_empty());
        let warned = warnings(Some(false), &everywhere);
        assert!(warned[0].to_string().contains("every machine that reaches"));
        assert_eq!(check(Some(true), &here, &DatabaseUrl::Memory).len(), 1);
        assert!(check(Some(false), &here, &DatabaseUrl::Memory).is_empty());
    }
}
