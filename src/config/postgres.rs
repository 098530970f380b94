//! The URL of a PostgreSQL server: everything in it has an effect, or is refused by name.
//!
//! The driver reads the URL when it connects, long after `config check` has called the configuration
//! valid. So the parameters are checked here, the driver's own reader included; `sslmode` and
//! `sslrootcert` are this program's (`store::postgres`), because the driver knows fewer modes.

use std::fmt;

use tokio_postgres::Config;
use tokio_postgres::config::Host;

use super::postgres_hosts::{EXAMPLE_OF_A_LIST, check_lists, check_target};
use super::typo::nearest;
use crate::domain::masked_url::masked_url;

/// A `postgres://` URL. Printing it shows scheme and host: it usually holds a password.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl(String);

impl fmt::Display for PostgresUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&masked_url(&self.0))
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// The port of a host for which the URL names none.
const DEFAULT_PORT: u16 = 5_432;

/// The parameters that have an effect.
const PARAMETERS: [&str; 20] = [
    "application_name",
    "channel_binding",
    "connect_timeout",
    "dbname",
    "host",
    "hostaddr",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_retries",
    "load_balance_hosts",
    "options",
    "password",
    "port",
    "sslmode",
    "sslnegotiation",
    "sslrootcert",
    "target_session_attrs",
    "tcp_user_timeout",
    "user",
];

/// Parameters that may be given once for each host.
const LISTS: [&str; 3] = ["host", "hostaddr", "port"];

const SSL_MODES: &str = "use disable, require, verify-ca or verify-full";

/// Settings of each connection that the program sets itself.
const SESSION_LIMITS: [&str; 5] = [
    "statement_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
    "random_page_cost",
    "synchronous_commit",
];

impl PostgresUrl {
    /// Returns the whole URL, password included: for the driver, never for a log or an answer.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns the hosts before the `?` that are reached over a network, each with its port.
    pub fn hosts_and_ports(&self) -> Vec<(String, u16)> {
        let (base, _) = self.0.split_once('?').unwrap_or((&self.0, ""));
        let Ok(config) = base.parse::<Config>() else {
            return Vec::new();
        };
        let ports = config.get_ports();
        let hosts = config.get_hosts().iter().enumerate();
        let over_a_network = hosts.filter_map(|(index, host)| match host {
            Host::Tcp(name) => {
                let port = ports.get(index).copied();
                Some((name.clone(), port.unwrap_or(DEFAULT_PORT)))
            }
            Host::Unix(_) => None,
        });
        over_a_network.collect()
    }

    /// Reads the part after `scheme://`.
    ///
    /// # Errors
    /// Returns the fault, as the end of a sentence that begins with the setting.
    pub(super) fn parse(scheme: &str, rest: &str) -> Result<Self, String> {
        check_authority(rest)?;
        let (base, query) = rest.split_once('?').unwrap_or((rest, ""));
        let parameters = parameters(query);
        check_parameters(base, &parameters)?;
        check_encryption(&parameters)?;
        check_target(&parameters)?;
        let for_the_driver: Vec<String> = parameters
            .iter()
            .filter(|(name, _)| !["sslmode", "sslrootcert"].contains(name))
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let url = format!("{scheme}://{base}?{}", for_the_driver.join("&"));
        // The driver's texts name options, and repeat nothing else.
        let read: Result<Config, _> = url.parse();
        let config = read.map_err(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            format!(
                "is not understood by the driver: {}",
                cause.unwrap_or_default()
            )
        })?;
        check_lists(&config)?;
        Ok(Self(format!("{scheme}://{rest}")))
    }

    /// Returns the parameters without effect.
    pub(super) fn without_effect(&self) -> Vec<String> {
        let (_, query) = self.0.split_once('?').unwrap_or_default();
        let mut found = Vec::new();
        for (name, value) in parameters(query) {
            if name == "sslmode" && ["prefer", "allow"].contains(&value) {
                found.push(format!(
                    "has sslmode={value}, which does not encrypt here: write sslmode=require to \
                     encrypt, or sslmode=disable"
                ));
            }
            if name == "load_balance_hosts" && value == "random" && self.hosts_and_ports().len() > 1
            {
                found.push(
                    "has load_balance_hosts=random, which balances nothing: connections go to the \
                     server that takes writes"
                        .to_owned(),
                );
            }
            let in_vain = SESSION_LIMITS
                .iter()
                .filter(|limit| name == "options" && value.contains(**limit));
            found.extend(in_vain.map(|limit| {
                format!("sets {limit} in its options, which has no effect: this program sets it")
            }));
        }
        found
    }
}

/// Returns the parameters of a query, names and values as written.
fn parameters(query: &str) -> Vec<(&str, &str)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .collect()
}

/// Finds the usual mistakes before the parameters.
fn check_authority(rest: &str) -> Result<(), String> {
    if rest.is_empty() {
        return Err("names no server: write postgres://USER:PASSWORD@HOST/NAME".to_owned());
    }
    let authority_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(authority_end);
    // Signs of an unescaped character in a password: an `@` that comes twice, or too late. In the
    // options of a URL with a user it belongs to an option's value.
    let path_end = tail.find('?').unwrap_or(tail.len());
    let late = if authority.contains('@') {
        &tail[..path_end]
    } else {
        tail
    };
    if authority.matches('@').count() > 1 || late.contains('@') || tail.starts_with('#') {
        return Err(
            "has a special character in user or password: write %40 for @, %2F for /, \
                    %23 for #, %3F for ?"
                .to_owned(),
        );
    }
    let hosts = authority
        .rsplit_once('@')
        .map_or(authority, |(_, hosts)| hosts);
    let is_list = hosts.contains(',');
    for host in hosts.split(',') {
        if is_list && (host.is_empty() || host.starts_with(':')) {
            return Err(format!("has an empty host in its list {EXAMPLE_OF_A_LIST}"));
        }
        let port = host
            .rsplit_once(':')
            .filter(|_| !host.ends_with(']'))
            .map(|(_, port)| port);
        let port_is_valid = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
        if !port_is_valid {
            return Err("has a port that is not a number from 1 to 65535".to_owned());
        }
    }
    Ok(())
}

/// Refuses parameters that are unknown, empty, or given twice. An unknown name is not repeated,
/// because it may be the end of a password.
fn check_parameters(base: &str, parameters: &[(&str, &str)]) -> Result<(), String> {
    for (index, (name, value)) in parameters.iter().enumerate() {
        if !PARAMETERS.contains(name) {
            let meant = nearest(name, PARAMETERS).unwrap_or_default();
            return Err(format!(
                "has a parameter behind its ? that is not known; the nearest one is {meant}, all are \
                 {}",
                PARAMETERS.join(", ")
            ));
        }
        if value.is_empty() {
            return Err(format!("has {name} without a value"));
        }
        let is_repeated = parameters[..index].iter().any(|(other, _)| other == name);
        if is_repeated && !LISTS.contains(name) {
            return Err(format!("has {name} twice"));
        }
    }
    let (authority, path) = base.split_once('/').unwrap_or((base, ""));
    let user_info = authority.rsplit_once('@').map(|(user_info, _)| user_info);
    let said_before = [
        ("user", user_info.is_some_and(|text| !text.is_empty())),
        ("password", user_info.is_some_and(|text| text.contains(':'))),
        ("dbname", !path.is_empty()),
    ];
    for (name, is_said) in said_before {
        if is_said && parameters.iter().any(|(other, _)| *other == name) {
            return Err(format!("has {name} twice: before and behind its ?"));
        }
    }
    Ok(())
}

/// Refuses an encryption that the URL seems to ask for and the program would not use.
fn check_encryption(parameters: &[(&str, &str)]) -> Result<(), String> {
    let value = |name: &str| {
        let found = parameters.iter().find(|(other, _)| *other == name);
        found.map(|(_, value)| *value)
    };
    let (mode, has_root) = (value("sslmode"), value("sslrootcert").is_some());
    match mode {
        Some("verify-ca" | "verify-full") if !has_root => Err(format!(
            "has sslmode={} without sslrootcert=FILE, the certificates to trust",
            mode.unwrap_or_default()
        )),
        None | Some("disable" | "allow" | "prefer") if has_root => Err(
            "has sslrootcert, but its sslmode does not encrypt: add sslmode=verify-full".to_owned(),
        ),
        None | Some("disable" | "allow" | "prefer" | "require" | "verify-ca" | "verify-full") => {
            Ok(())
        }
        Some(_) => Err(format!("has an sslmode that is not known: {SSL_MODES}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_without_effect_is_refused_by_name() {
        for (query, part) in [
            ("sslmode=banana", "sslmode that is not known"),
            ("sslmode=", "sslmode without a value"),
            ("sslmode", "sslmode without a value"),
            ("sslmode=require&sslmode=disable", "sslmode twice"),
            ("sslmode=verify-full", "without sslrootcert"),
            ("sslrootcert=/ca.pem", "does not encrypt"),
            ("sslmode=disable&sslrootcert=/ca.pem", "does not encrypt"),
            ("ssl_mode=require", "nearest one is sslmode"),
            ("SSLMODE=require", "not known"),
            ("target_session_attrs=any", "leave it out"),
            ("target_session_attrs=read-only", "leave it out"),
            ("target_session_attrs=primary", "leave it out"),
            ("port=5433", "hosts: 1, ports: 2"),
            ("hostaddr=10.0.0.1,10.0.0.2", "hosts: 1, hostaddr: 2"),
            ("connect_timeout=soon", "connect_timeout"),
            ("channel_binding=perhaps", "channel_binding"),
            ("user=other", "user twice"),
            ("password=other", "password twice"),
            ("dbname=other", "dbname twice"),
        ] {
            let rule =
                PostgresUrl::parse("postgres", &format!("u:geheim@h/d?{query}")).unwrap_err();
            assert!(rule.contains(part), "{query}: {rule}");
            assert!(!rule.contains("geheim"), "{rule}");
        }
        let rule = PostgresUrl::parse("postgres", "h/d?geheim=1").unwrap_err();
        assert!(!rule.contains("geheim"), "{rule}");
        assert!(PostgresUrl::parse("postgres", "u:p@/d").is_err());
    }

    #[test]
    fn parameters_with_an_effect_are_taken() {
        for rest in [
            "h/d?sslmode=require",
            "h/d?sslmode=verify-full&sslrootcert=%2Fca.pem",
            "/d?host=/run/postgresql&user=u&password=p",
            "h1,h2:5433/d?target_session_attrs=read-write&load_balance_hosts=disable",
            "u@[::1]:5432,h2,10.0.0.1:1/d",
            "/d?host=h1&host=h2&port=1,2",
            "/d?host=h1&host=h2&port=1&hostaddr=10.0.0.1,10.0.0.2",
            "h/d?connect_timeout=3&keepalives_idle=60&application_name=a%20b&options=-c%20x%3D1",
            "h/d?",
        ] {
            let url = PostgresUrl::parse("postgres", rest).unwrap();
            assert_eq!(url.expose(), format!("postgres://{rest}"));
            assert_eq!(url.without_effect(), [""; 0], "{rest}");
        }
    }

    #[test]
    fn what_the_program_does_otherwise_is_warned_about() {
        for (query, part) in [
            ("sslmode=prefer", "does not encrypt"),
            ("sslmode=allow", "does not encrypt"),
            ("options=-c%20statement_timeout%3D1", "statement_timeout"),
            (
                "options=-c%20synchronous_commit%3Doff",
                "synchronous_commit",
            ),
            ("load_balance_hosts=random", "balances nothing"),
        ] {
            let url = PostgresUrl::parse("postgres", &format!("h1,h2/d?{query}")).unwrap();
            let found = url.without_effect();
            assert!(found.len() == 1 && found[0].contains(part), "{found:?}");
        }
    }
}
