//! The hosts of a PostgreSQL URL: a list with a fault is refused before the driver reads it.

use tokio_postgres::Config;
use tokio_postgres::config::Host;

/// The end of a sentence about a list.
pub(super) const EXAMPLE_OF_A_LIST: &str =
    "of hosts: write postgres://USER:PASSWORD@HOST1:5432,HOST2:5432/NAME";

/// Refuses lists of hosts, addresses and ports of which the driver would say nothing before it connects.
pub(super) fn check_lists(config: &Config) -> Result<(), String> {
    let (hosts, addresses) = (config.get_hosts(), config.get_hostaddrs());
    let ports = config.get_ports().len();
    let count = hosts.len().max(addresses.len());
    if count == 0 {
        return Err("names no host: write postgres://USER:PASSWORD@HOST/NAME".to_owned());
    }
    let is_empty = |host: &Host| matches!(host, Host::Tcp(name) if name.is_empty());
    if hosts.iter().any(is_empty) {
        return Err(format!("has an empty host in its list {EXAMPLE_OF_A_LIST}"));
    }
    let is_list = |host: &Host| matches!(host, Host::Tcp(name) if name.contains(','));
    if hosts.iter().any(is_list) {
        return Err(
            "has several hosts in one host= behind its ?, which the driver takes for one name: write them \
             before the ?, or host=HOST1&host=HOST2"
                .to_owned(),
        );
    }
    if !hosts.is_empty() && !addresses.is_empty() && hosts.len() != addresses.len() {
        let (hosts, addresses) = (hosts.len(), addresses.len());
        return Err(format!(
            "has hosts: {hosts}, hostaddr: {addresses}; write one hostaddr for each host"
        ));
    }
    if ports > 1 && ports != count {
        return Err(format!(
            "has hosts: {count}, ports: {ports}; write each port behind its host, or one port for all \
             hosts"
        ));
    }
    Ok(())
}

/// Refuses to look for another server than the one that takes writes.
pub(super) fn check_target(parameters: &[(&str, &str)]) -> Result<(), String> {
    let wanted = parameters
        .iter()
        .find(|(name, value)| *name == "target_session_attrs" && *value != "read-write");
    match wanted {
        // The value is not repeated: an unescaped `&` may have made it of the end of a password.
        Some(_) => Err(
            "has another target_session_attrs than read-write; this program always looks for the server \
             that takes writes: leave it out"
                .to_owned(),
        ),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::postgres::PostgresUrl;

    #[test]
    fn a_list_with_a_fault_is_refused() {
        for (rest, part) in [
            ("u:geheim@a,,b/d", "empty host"),
            ("u:geheim@a,/d", "empty host"),
            ("u:geheim@,a/d", "empty host"),
            ("u:geheim@a,:5433/d", "empty host"),
            ("u:geheim@a,b:0/d", "port"),
            ("u:geheim@a:x,b/d", "port"),
            ("/d?host=a,b&password=geheim", "host=HOST1&host=HOST2"),
            (
                "/d?host=a&host=b&port=1,2,3&password=geheim",
                "hosts: 2, ports: 3",
            ),
        ] {
            let rule = PostgresUrl::parse("postgres", rest).unwrap_err();
            assert!(rule.contains(part), "{rest}: {rule}");
            assert!(!rule.contains("geheim"), "{rule}");
        }
    }

    #[test]
    fn the_hosts_of_a_list_have_their_ports() {
        for (rest, expected) in [
            ("u:p@h/d", vec![("h", 5432)]),
            (
                "h1:1,[::1]:2,h3/d?connect_timeout=3",
                vec![("h1", 1), ("::1", 2), ("h3", 5432)],
            ),
            ("/d?host=/run/postgresql", vec![]),
        ] {
            let url = PostgresUrl::parse("postgres", rest).unwrap();
            let found = url.hosts_and_ports();
            let found: Vec<(&str, u16)> = found.iter().map(|(h, p)| (h.as_str(), *p)).collect();
            assert_eq!(found, expected, "{rest}");
        }
    }
}
