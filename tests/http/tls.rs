//! TLS over real sockets, with limits that are over before a test is tired of waiting.
#![expect(
    clippy::unwrap_used,
    reason = "a test panics when the ground it stands on gives way"
)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use resilient_orchestrator::http::{self, ClientLimits, Gate, HttpSettings};
use resilient_orchestrator::tls::{ServerFiles, Tls};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tempfile::tempdir;

use crate::support_http::World;

const SHORT: ClientLimits = ClientLimits {
    handshake: Duration::from_millis(400),
    head: Duration::from_millis(2_000),
    body: Duration::from_millis(400),
    stalled_write: Duration::from_millis(400),
    idle: Duration::from_secs(60),
    close: Duration::from_millis(400),
    send_buffer: 16 * 1024,
};

type Encrypted = StreamOwned<ClientConnection, TcpStream>;

/// A server that speaks TLS, and what a client trusts.
struct Served {
    world: World,
    address: SocketAddr,
    config: Arc<ClientConfig>,
}

impl Served {
    async fn start() -> Self {
        let settings = HttpSettings {
            client: SHORT,
            ..HttpSettings::default()
        };
        let world = World::on(World::empty_store(), settings).await;
        let folder = tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let (certificate, key) = (
            folder.path().join("cert.pem"),
            folder.path().join("key.pem"),
        );
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        let files = ServerFiles {
            certificate,
            key,
            client_ca: None,
            members_ca: None,
        };
        let gate = Gate::from(world.state.clone());
        gate.speak_tls(Tls::new(&files.read().unwrap()).unwrap());
        let listener = http::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        actix_web::rt::spawn(http::serve(listener, gate).unwrap());
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(made.cert.pem().as_bytes()).unwrap();
        roots.add(root).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self {
            world,
            address,
            config: Arc::new(config),
        }
    }

    /// What a client does that blocks.
    async fn client<T: Send + 'static>(
        &self,
        work: impl FnOnce(SocketAddr, Arc<ClientConfig>) -> T + Send + 'static,
    ) -> T {
        let (address, config) = (self.address, self.config.clone());
        actix_web::web::block(move || work(address, config))
            .await
            .unwrap()
    }
}

fn socket(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    socket
}

fn encrypted(address: SocketAddr, config: Arc<ClientConfig>) -> Encrypted {
    let name = ServerName::try_from("localhost").unwrap();
    StreamOwned::new(
        ClientConnection::new(config, name).unwrap(),
        socket(address),
    )
}

fn is_alive(stream: &mut Encrypted) -> bool {
    stream
        .write_all(b"GET /livez HTTP/1.1\r\nHost: h\r\n\r\n")
        .unwrap();
    let mut answer = Vec::new();
    let mut byte = [0];
    while !answer.ends_with(b"}") && stream.read_exact(&mut byte).is_ok() {
        answer.push(byte[0]);
    }
    answer.starts_with(b"HTTP/1.1 200")
}

/// Reads until the orchestrator ends the connection.
fn until_closed(mut socket: TcpStream) {
    let mut rest = Vec::new();
    if let Err(error) = socket.read_to_end(&mut rest) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
}

#[actix_web::test]
async fn a_handshake_that_does_not_end_is_not_waited_for_and_holds_up_nobody() {
    let served = Served::start().await;
    served
        .client(|address, config| {
            let mut slow: Vec<TcpStream> = (0..200).map(|_| socket(address)).collect();
            // A third of them stop in the middle of their first message.
            for one in slow.iter_mut().step_by(3) {
                one.write_all(&[0x16, 3, 1, 2, 0, 1, 0]).unwrap();
            }
            assert!(is_alive(&mut encrypted(address, config)));
            slow.into_iter().for_each(until_closed);
        })
        .await;
}

#[actix_web::test]
async fn an_encrypted_connection_is_kept_and_a_head_that_does_not_end_closes_it() {
    let served = Served::start().await;
    served
        .client(|address, config| {
            let mut stream = encrypted(address, config);
            assert!(is_alive(&mut stream) && is_alive(&mut stream));
            stream.write_all(b"GET /livez HT").unwrap();
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).unwrap();
            assert_eq!(String::from_utf8(rest).unwrap(), "");
        })
        .await;
}

#[actix_web::test]
async fn a_body_that_does_not_arrive_is_answered_within_tls_too() {
    let served = Served::start().await;
    let answer = served.client(|address, config| {
        let mut stream = encrypted(address, config);
        let head = "POST /heartbeat HTTP/1.1\r\nHost: h\r\nContent-Length: 50\r\n\r\n{\"ser";
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    let answer = answer.await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
}

#[actix_web::test]
async fn an_encrypted_answer_that_is_not_read_ends_the_connection() {
    let served = Served::start().await;
    let last = 20_000;
    for from in [1, last / 2 + 1] {
        served.world.streams(from..from + last / 2).await;
    }
    served.world.register("a", 100_000).await;
    served.world.assign("a", last).await;
    let socket = served.client(|address, config| {
        let mut stream = encrypted(address, config);
        let request = "GET /streams/assignments HTTP/1.1\r\nHost: h\r\n\r\n";
        stream.write_all(request.as_bytes()).unwrap();
        stream.flush().unwrap();
        stream.sock
    });
    let socket = socket.await;
    socket.set_nonblocking(true).unwrap();
    let stream = tokio::net::TcpStream::from_std(socket).unwrap();
    // It reads nothing; the orchestrator gives up, and the kernel with it.
    let closed = stream.ready(tokio::io::Interest::ERROR);
    let closed = tokio::time::timeout(Duration::from_secs(30), closed).await;
    assert!(closed.unwrap().unwrap().is_error());
}
