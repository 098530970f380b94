//! The cost of TLS: new connections, and heartbeats on kept ones, each beside the same without TLS.
//!
//! `cargo bench --bench tls [-- SECONDS]`. Each server is the real program, a process of its own, of which the
//! processor time is read; the clients are in this process and compete for the same processors.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench that cannot be prepared has nothing to measure, and measures real time"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use support::certificates::{Authority, Leaf};
use support::process::{Orchestrator, start};
use tempfile::{TempDir, tempdir};

/// Connections that are made for one measurement, and clients that make them.
const CONNECTIONS: u64 = 4_000;
const CLIENTS: u64 = 4;

/// Connections with heartbeats.
const KEPT: usize = 64;

/// What a client does before it sends anything.
#[derive(Clone)]
enum Way {
    Plain,
    Tls(Arc<ClientConfig>),
}

trait Stream: Read + Write {}
impl<S: Read + Write> Stream for S {}

impl Way {
    fn open(&self, port: u16) -> Box<dyn Stream> {
        let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
        socket.set_nodelay(true).unwrap();
        match self {
            Self::Plain => Box::new(socket),
            Self::Tls(config) => {
                let name = ServerName::try_from("localhost").unwrap();
                let connection = ClientConnection::new(config.clone(), name).unwrap();
                Box::new(StreamOwned::new(connection, socket))
            }
        }
    }
}

/// Sends a request and reads its answer.
fn call(stream: &mut dyn Stream, request: &[u8]) {
    stream.write_all(request).unwrap();
    let mut answer = [0; 4_096];
    let mut length = 0;
    loop {
        length += stream.read(&mut answer[length..]).unwrap();
        let text = String::from_utf8_lossy(&answer[..length]);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let known = head.to_lowercase();
        let known = known.split("content-length: ").nth(1).unwrap();
        let known: usize = known.split("\r\n").next().unwrap().parse().unwrap();
        if body.len() >= known {
            assert!(head.starts_with("HTTP/1.1 200"), "{text}");
            return;
        }
    }
}

struct Server {
    orchestrator: Orchestrator,
    port: u16,
    _folder: TempDir,
}

impl Server {
    fn start(authority: &Authority, has_tls: bool) -> Self {
        let folder = tempdir().unwrap();
        authority.serve(folder.path());
        let mut settings = vec![("DATABASE_URL", "memory:")];
        if has_tls {
            settings.extend([
                ("TLS_CERT", "server.pem"),
                ("TLS_KEY", "server-key.pem"),
                ("TLS_CLIENT_CA", "ca.pem"),
            ]);
        }
        let orchestrator = start(folder.path(), &settings);
        let (_, port) = orchestrator.address().rsplit_once(':').unwrap();
        Self {
            port: port.parse().unwrap(),
            orchestrator,
            _folder: folder,
        }
    }

    /// The processor time of the server so far.
    fn cpu(&self) -> Duration {
        let path = format!("/proc/{}/stat", self.orchestrator.process_id());
        let stat = std::fs::read_to_string(path).unwrap();
        let (_, fields) = stat.rsplit_once(')').unwrap();
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        Duration::from_millis(ticks * 1_000 / rustix::param::clock_ticks_per_second())
    }

    /// Kilobytes in memory.
    fn memory(&self) -> u64 {
        let path = format!("/proc/{}/status", self.orchestrator.process_id());
        let status = std::fs::read_to_string(path).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.unwrap().split_whitespace().next().unwrap();
        number.parse().unwrap()
    }
}

/// Opens connections, each for one request.
fn connections(server: &Server, way: &Way) -> String {
    let (began, cpu) = (Instant::now(), server.cpu());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (way, port) = (way.clone(), server.port);
            thread::spawn(move || {
                for _ in 0..CONNECTIONS / CLIENTS {
                    let mut stream = way.open(port);
                    call(&mut *stream, b"GET /livez HTTP/1.1\r\nHost: h\r\n\r\n");
                }
            })
        })
        .collect();
    clients
        .into_iter()
        .for_each(|client| client.join().unwrap());
    let (took, cpu) = (began.elapsed(), server.cpu() - cpu);
    format!(
        "{:>6.0} a second, {:.2} ms of the server's processor each",
        CONNECTIONS as f64 / took.as_secs_f64(),
        cpu.as_secs_f64() * 1_000.0 / CONNECTIONS as f64
    )
}

/// Sends heartbeats over kept connections, each as soon as the one before is answered.
fn heartbeats(server: &Server, way: &Way, seconds: u64) -> String {
    let before = server.memory();
    let mut streams: Vec<(usize, Box<dyn Stream>)> = Vec::new();
    let post = |path: &str, body: &str| {
        let length = body.len();
        format!(
            "POST {path} HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        )
    };
    for number in 0..KEPT {
        let mut stream = way.open(server.port);
        let body = format!(r#"{{"server_id": "w{number}", "ip": "127.0.0.1", "port": 9000}}"#);
        call(&mut *stream, post("/register", &body).as_bytes());
        streams.push((number, stream));
    }
    let held = server.memory().saturating_sub(before);
    let beats = Arc::new(AtomicU64::new(0));
    drop(streams);
    let (began, cpu) = (Instant::now(), server.cpu());
    let clients: Vec<_> = (0..CLIENTS as usize)
        .map(|client| {
            let (way, port, beats) = (way.clone(), server.port, beats.clone());
            thread::spawn(move || {
                let mine = (0..KEPT).filter(|number| number % CLIENTS as usize == client);
                let mut streams: Vec<_> = mine.map(|number| (number, way.open(port))).collect();
                while began.elapsed() < Duration::from_secs(seconds) {
                    for (number, stream) in &mut streams {
                        let body = format!(r#"{{"server_id": "w{number}", "current_streams": 0}}"#);
                        let length = body.len();
                        let request = format!(
                            "POST /heartbeat HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
                        );
                        call(&mut **stream, request.as_bytes());
                        beats.fetch_add(1, Ordering::Relaxed);
                    }
                }
            })
        })
        .collect();
    clients
        .into_iter()
        .for_each(|client| client.join().unwrap());
    let (took, cpu) = (began.elapsed(), server.cpu() - cpu);
    let beats = beats.load(Ordering::Relaxed) as f64;
    format!(
        "{:>6.0} a second, {:.0} µs of the server's processor each; {} KB for each new connection",
        beats / took.as_secs_f64(),
        cpu.as_secs_f64() * 1_000_000.0 / beats,
        held / KEPT as u64
    )
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let seconds = arguments.find_map(|word| word.parse().ok()).unwrap_or(10);
    let authority = Authority::new("bench");
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap();
    roots.add(root).unwrap();
    let client = |versions: &[&'static rustls::SupportedProtocolVersion], is_known: bool| {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots.clone());
        Way::Tls(Arc::new(if is_known {
            let (chain, key) = authority.sign(Leaf::default());
            let chain = CertificateDer::from_pem_slice(chain.as_bytes()).unwrap();
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
            config.with_client_auth_cert(vec![chain], key).unwrap()
        } else {
            config.with_no_client_auth()
        }))
    };
    let ways = [
        ("without TLS", Way::Plain),
        ("TLS 1.3", client(&[&rustls::version::TLS13], false)),
        (
            "TLS 1.3, client certificate",
            client(&[&rustls::version::TLS13], true),
        ),
        (
            "TLS 1.2, client certificate",
            client(&[&rustls::version::TLS12], true),
        ),
    ];
    let (plain, encrypted) = (
        Server::start(&authority, false),
        Server::start(&authority, true),
    );
    let server = |way: &Way| match way {
        Way::Plain => &plain,
        Way::Tls(_) => &encrypted,
    };
    for round in 1..=2 {
        println!("round {round}: a connection for each request");
        for (name, way) in &ways {
            println!("  {name:<28} {}", connections(server(way), way));
        }
        println!("round {round}: heartbeats on {KEPT} kept connections");
        for (name, way) in &ways[..3] {
            println!("  {name:<28} {}", heartbeats(server(way), way, seconds));
        }
    }
}
