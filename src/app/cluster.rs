//! Who this process is among the orchestrators of its database.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs, UdpSocket};

use crate::actors::leadership::Identity;
use crate::config::{Config, DatabaseUrl};
use crate::domain::leadership::{JudgingSettings, MemberSecret, NodeName, RunId};

/// The name of a process, and how it is reached, from the settings and the port that was bound.
pub(super) fn identity(config: &Config, bound: SocketAddr) -> Identity {
    let cluster = &config.cluster;
    let address = cluster.address.clone().unwrap_or_else(|| {
        let ip = match bound.ip() {
            ip if ip.is_unspecified() => towards_database(config).unwrap_or(ip),
            ip => ip,
        };
        SocketAddr::new(ip, bound.port()).to_string()
    });
    let public_url = cluster.public_url.clone();
    let configured_port = config.server.bind_address.port();
    Identity {
        node: NodeName::new(
            cluster
                .node
                .clone()
                .unwrap_or_else(|| format!("{}:{configured_port}", host_name())),
        ),
        run: drawn_run(),
        secret: drawn_secret(),
        public_url: public_url.unwrap_or_else(|| format!("{}://{address}", scheme(config))),
        address,
    }
}

/// The same process under another run: to the others it is what a restarted process is. Nothing is looked up again,
/// because that may take long, and the process goes on meanwhile.
pub(super) fn under_another_run(me: &Identity) -> Identity {
    Identity {
        run: drawn_run(),
        secret: drawn_secret(),
        ..me.clone()
    }
}

fn drawn_run() -> RunId {
    RunId::new(fastrand::i64(1..1 << 53))
}

/// Returns the scheme of the addresses of this process.
pub(super) fn scheme(config: &Config) -> &'static str {
    match config.server.tls {
        Some(_) => "https",
        None => "http",
    }
}

/// The settings by which this process judges instances, as the other orchestrators compare them.
pub(super) fn judging_settings(config: &Config) -> JudgingSettings {
    let duration = |duration| humantime::format_duration(duration).to_string();
    let (liveness, workers) = (&config.liveness, &config.worker_limits);
    let (brake, cluster) = (&config.mass_failure, &config.cluster);
    JudgingSettings::new([
        ("HEARTBEAT_TIMEOUT", duration(liveness.timeout)),
        ("HEARTBEAT_WARNING_THRESHOLD", duration(liveness.warning)),
        ("EMERGENCY_THRESHOLD", duration(liveness.emergency)),
        ("PROBATION", duration(liveness.probation)),
        ("HEARTBEAT_INTERVAL", duration(workers.heartbeat_interval)),
        ("LEASE_DURATION", duration(workers.lease)),
        ("LEASE_MARGIN", duration(workers.lease_margin)),
        ("WORKER_STOP", duration(workers.worker_stop)),
        ("MASS_FAILURE_MIN", brake.min.to_string()),
        ("MASS_FAILURE_RATIO", brake.ratio.as_f64().to_string()),
        ("MASS_FAILURE_HOLD", duration(brake.hold)),
        ("CLUSTER_FAILSAFE", duration(cluster.failsafe)),
        (
            "CLUSTER_TAKEOVER_AFTER",
            duration(cluster.limits.take_over_after),
        ),
    ])
}

/// What the row gets as the members' secret if no leader has drawn one.
fn drawn_secret() -> MemberSecret {
    let mut bits = [0; 16];
    let random = rustls::crypto::ring::default_provider().secure_random;
    match random.fill(&mut bits) {
        Ok(()) => MemberSecret::of_bits(u128::from_le_bytes(bits)),
        // Without a secret no header of another orchestrator is heeded.
        Err(_) => MemberSecret::default(),
    }
}

fn host_name() -> String {
    let name = rustix::system::uname();
    let name = name.nodename().to_string_lossy().into_owned();
    if name.is_empty() {
        "localhost".to_owned()
    } else {
        name
    }
}

/// The address of this machine on the way to the database. Nothing is sent.
fn towards_database(config: &Config) -> Option<IpAddr> {
    let DatabaseUrl::Postgres(url) = &config.database.url else {
        return None;
    };
    let resolved = |host: (String, u16)| host.to_socket_addrs().ok()?.next();
    let target = url.hosts_and_ports().into_iter().find_map(resolved)?;
    let any: SocketAddr = match target {
        SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        SocketAddr::V6(_) => ([0_u16; 8], 0).into(),
    };
    let socket = UdpSocket::bind(any).ok()?;
    socket.connect(target).ok()?;
    Some(socket.local_addr().ok()?.ip())
}
