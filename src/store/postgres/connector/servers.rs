//! The servers of one URL: each is tried by itself, so that one that hangs does not keep the others
//! from being tried.
//!
//! The driver tries the hosts of a URL one after the other, and limits only the opening of a socket.
//! A server that accepts a connection and says nothing would take the whole limit of a call. So the
//! URL is split into one configuration a server, and the servers race with a head start.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::timeout;
use tokio_postgres::Config;
use tokio_postgres::config::Host;

/// The port of a server for which the URL names none.
const DEFAULT_PORT: u16 = 5432;

/// One server of a URL.
pub(super) struct Server {
    pub(super) config: Config,
}

impl fmt::Display for Server {
    /// Shows `host:port`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (host, port) = self.host_and_port();
        write!(f, "{host}:{port}")
    }
}

impl Server {
    fn host_and_port(&self) -> (String, u16) {
        let host = match self.config.get_hosts().first() {
            Some(Host::Tcp(name)) => name.clone(),
            Some(Host::Unix(path)) => path.display().to_string(),
            None => {
                let addresses = self.config.get_hostaddrs();
                addresses
                    .first()
                    .map(ToString::to_string)
                    .unwrap_or_default()
            }
        };
        (host, self.port())
    }

    fn port(&self) -> u16 {
        let ports = self.config.get_ports();
        ports.first().copied().unwrap_or(DEFAULT_PORT)
    }

    /// Returns the socket of a server on this machine.
    pub(super) fn socket_path(&self) -> Option<PathBuf> {
        let [Host::Unix(directory)] = self.config.get_hosts() else {
            return None;
        };
        Some(directory.join(format!(".s.PGSQL.{}", self.port())))
    }
}

/// The servers of a URL, of which one takes writes.
pub(super) struct Servers {
    all: Vec<Server>,
    /// The place of the server that took writes last; it is tried first.
    last: AtomicUsize,
}

impl fmt::Display for Servers {
    /// Shows `host:port` of each.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: Vec<String> = self.all.iter().map(ToString::to_string).collect();
        f.write_str(&shown.join(", "))
    }
}

impl Servers {
    /// Reads the servers of a configuration.
    ///
    /// # Errors
    /// Returns a sentence if hosts, addresses and ports do not belong together.
    pub(super) fn of(all: &Config) -> Result<Self, String> {
        Ok(Self {
            all: split(all)?,
            last: AtomicUsize::new(0),
        })
    }

    #[cfg(test)]
    pub(super) fn iter(&self) -> impl Iterator<Item = &Server> {
        self.all.iter()
    }

    /// Changes the configuration of each.
    pub(super) fn change(&mut self, change: impl Fn(&mut Config)) {
        self.all
            .iter_mut()
            .for_each(|server| change(&mut server.config));
    }

    /// Returns host and port of the server that took writes last.
    pub(super) fn newest(&self) -> (String, u16) {
        let server = self.all.get(self.last.load(Ordering::Relaxed));
        server.map(Server::host_and_port).unwrap_or_default()
    }

    /// Returns whether the URL names more than one.
    pub(super) fn are_several(&self) -> bool {
        self.all.len() > 1
    }

    /// Returns the name of the database, if the URL has one.
    pub(super) fn database(&self) -> Option<&str> {
        self.all.first()?.config.get_dbname()
    }

    /// Returns what the first server that can be connected to makes of it, or why each server failed: with its
    /// name, if there are several. The last of several servers is tried before half of `limit` is over.
    pub(super) async fn first_of<'s, T, E, F>(
        &'s self,
        limit: Duration,
        attempt: impl Fn(&'s Server) -> F,
    ) -> Result<T, Vec<(Option<String>, E)>>
    where
        F: Future<Output = Result<T, E>>,
    {
        let count = self.all.len();
        let head_start = limit / u32::try_from(2 * count).unwrap_or(u32::MAX);
        let first = self.last.load(Ordering::Relaxed);
        let raced = race(count, first, head_start, |place| attempt(&self.all[place])).await;
        match raced {
            Ok((place, made)) => {
                self.last.store(place, Ordering::Relaxed);
                Ok(made)
            }
            Err(failures) => {
                let name = |place: usize| (count > 1).then(|| self.all[place].to_string());
                let named = failures
                    .into_iter()
                    .map(|(place, error)| (name(place), error));
                Err(named.collect())
            }
        }
    }
}

/// Splits a configuration into one a server.
///
/// # Errors
/// Returns a sentence if hosts, addresses and ports do not belong together.
fn split(all: &Config) -> Result<Vec<Server>, String> {
    let (hosts, addresses, ports) = (all.get_hosts(), all.get_hostaddrs(), all.get_ports());
    let count = hosts.len().max(addresses.len());
    if count == 0 {
        return Err("names no host".to_owned());
    }
    if !hosts.is_empty() && !addresses.is_empty() && hosts.len() != addresses.len() {
        let (hosts, addresses) = (hosts.len(), addresses.len());
        return Err(format!(
            "has {hosts} hosts and {addresses} hostaddr: write one hostaddr for each host"
        ));
    }
    if ports.len() > 1 && ports.len() != count {
        let ports = ports.len();
        return Err(format!(
            "has {ports} ports for {count} hosts: write one port for each host, or one for all"
        ));
    }
    let servers = (0..count).map(|index| {
        let mut config = without_servers(all);
        if let Some(host) = hosts.get(index) {
            match host {
                Host::Tcp(name) => config.host(name),
                Host::Unix(path) => config.host_path(path),
            };
        }
        if let Some(address) = addresses.get(index) {
            config.hostaddr(*address);
        }
        if let Some(port) = ports.get(index).or(ports.first()) {
            config.port(*port);
        }
        Server { config }
    });
    Ok(servers.collect())
}

/// Copies everything that is not about one server: the driver can only add servers.
fn without_servers(all: &Config) -> Config {
    let mut config = Config::new();
    config
        .ssl_mode(all.get_ssl_mode())
        .ssl_negotiation(all.get_ssl_negotiation())
        .keepalives(all.get_keepalives())
        .keepalives_idle(all.get_keepalives_idle())
        .target_session_attrs(all.get_target_session_attrs())
        .channel_binding(all.get_channel_binding())
        .load_balance_hosts(all.get_load_balance_hosts());
    if let Some(user) = all.get_user() {
        config.user(user);
    }
    if let Some(password) = all.get_password() {
        config.password(password);
    }
    if let Some(name) = all.get_dbname() {
        config.dbname(name);
    }
    if let Some(options) = all.get_options() {
        config.options(options);
    }
    if let Some(name) = all.get_application_name() {
        config.application_name(name);
    }
    if let Some(limit) = all.get_connect_timeout() {
        config.connect_timeout(*limit);
    }
    if let Some(limit) = all.get_tcp_user_timeout() {
        config.tcp_user_timeout(*limit);
    }
    if let Some(interval) = all.get_keepalives_interval() {
        config.keepalives_interval(interval);
    }
    if let Some(retries) = all.get_keepalives_retries() {
        config.keepalives_retries(retries);
    }
    config
}

/// Tries servers until one succeeds; returns it with its place, or why each of them failed. The server in
/// place `first` begins; each next one begins once those before have failed, or `head_start` later.
///
/// Tries that lose are dropped.
async fn race<T, E, F>(
    count: usize,
    first: usize,
    head_start: Duration,
    attempt: impl Fn(usize) -> F,
) -> Result<(usize, T), Vec<(usize, E)>>
where
    F: Future<Output = Result<T, E>>,
{
    let mut waiting = (0..count).map(|step| (first + step) % count);
    let mut tries = FuturesUnordered::new();
    let mut failures = Vec::new();
    loop {
        if let Some(place) = waiting.next() {
            let attempt = attempt(place);
            tries.push(async move { (place, attempt.await) });
        }
        let ended = if waiting.len() == 0 {
            tries.next().await
        } else {
            match timeout(head_start, tries.next()).await {
                Ok(ended) => ended,
                Err(_) => continue,
            }
        };
        match ended {
            Some((place, Ok(made))) => return Ok((place, made)),
            Some((place, Err(error))) => failures.push((place, error)),
            None => return Err(failures),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(url: &str) -> Result<Vec<String>, String> {
        let servers = split(&url.parse().unwrap())?;
        Ok(servers.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn each_server_of_a_url_has_its_own_port() {
        for (url, expected) in [
            ("postgres://h/d", vec!["h:5432"]),
            ("postgres://h1,h2:6000/d", vec!["h1:5432", "h2:6000"]),
            ("postgres://[::1]:1,h/d", vec!["::1:1", "h:5432"]),
            ("postgres:///d?host=a&host=b&port=7", vec!["a:7", "b:7"]),
            ("postgres:///d?host=/run/pg", vec!["/run/pg:5432"]),
            ("postgres:///d?hostaddr=10.0.0.1", vec!["10.0.0.1:5432"]),
        ] {
            let servers = split(&url.parse().unwrap()).unwrap();
            let found: Vec<String> = servers.iter().map(ToString::to_string).collect();
            assert_eq!(found, expected, "{url}");
        }
    }

    #[test]
    fn lists_that_do_not_belong_together_are_refused() {
        for (url, part) in [
            (
                "postgres:///d?host=a&host=b&port=1,2,3",
                "3 ports for 2 hosts",
            ),
            ("postgres://h:1/d?port=2", "2 ports for 1 hosts"),
            (
                "postgres://a,b/d?hostaddr=10.0.0.1",
                "2 hosts and 1 hostaddr",
            ),
            ("postgres:///d", "no host"),
        ] {
            let refused = shown(url).unwrap_err();
            assert!(refused.contains(part), "{url}: {refused}");
        }
    }

    #[test]
    fn everything_else_of_a_url_goes_to_each_server() {
        let url = "postgres://u:geheim@a,b/d?connect_timeout=3&tcp_user_timeout=4&options=-c%20x%3D1\
                   &keepalives_idle=5&keepalives_interval=6&keepalives_retries=7&application_name=n\
                   &channel_binding=require&target_session_attrs=read-write";
        let all: Config = url.parse().unwrap();
        let one = url.replace("a,b", "b");
        let servers = split(&all).unwrap();
        assert_eq!(servers[1].config, one.parse().unwrap());
    }

    const HEAD_START: Duration = Duration::from_millis(100);

    /// After how many milliseconds a try succeeds or fails; `None`: it hangs.
    type End = Option<Result<u64, u64>>;

    #[expect(clippy::disallowed_methods, reason = "virtual time of the runtime")]
    async fn raced(first: usize, ends: &[End]) -> (String, Duration) {
        let began = tokio::time::Instant::now();
        let attempt = async |place: usize| {
            let Some(end) = ends[place] else {
                return std::future::pending().await;
            };
            let after = end.unwrap_or_else(|after| after);
            tokio::time::sleep(Duration::from_millis(after)).await;
            end.map(|_| ()).map_err(|_| ())
        };
        let outcome = match race(ends.len(), first, HEAD_START, attempt).await {
            Ok((place, ())) => format!("{place}"),
            Err(failures) => {
                let places: Vec<String> = failures.iter().map(|(at, ())| at.to_string()).collect();
                format!("none of {}", places.join(" "))
            }
        };
        (outcome, began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_hangs_costs_a_head_start_and_one_that_fails_costs_nothing() {
        // the place that begins, how each ends after so many milliseconds, which is taken, and when
        let table: [(usize, &[End], &str, u64); 8] = [
            (0, &[Some(Ok(30))], "0", 30),
            (0, &[Some(Ok(30)), Some(Ok(1))], "0", 30),
            (1, &[Some(Ok(1)), Some(Ok(30))], "1", 30),
            (0, &[Some(Err(10)), Some(Ok(5))], "1", 15),
            (0, &[None, Some(Ok(5))], "1", 105),
            (0, &[None, None, Some(Ok(5))], "2", 205),
            (1, &[Some(Ok(5)), None], "0", 105),
            (0, &[Some(Err(10)), Some(Err(20))], "none of 0 1", 30),
        ];
        for (first, ends, taken, after) in table {
            let (outcome, took) = raced(first, ends).await;
            assert_eq!(outcome, taken, "{ends:?}");
            let took = took.as_millis() as u64;
            assert!((after..after + 5).contains(&took), "{ends:?}: {took}");
        }
    }
}
