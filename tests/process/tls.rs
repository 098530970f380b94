//! TLS of the real program: what it speaks, whom it refuses, and what a reload does to open connections.
#![expect(clippy::unwrap_used, reason = "what cannot be prepared fails the test")]

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
};
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::support::certificates::{Authority, Leaf};
use crate::support::process::{Orchestrator, agent, command, expect_errors, launch, start};

const TLS: [(&str, &str); 2] = [("TLS_CERT", "server.pem"), ("TLS_KEY", "server-key.pem")];
const MUTUAL: [(&str, &str); 3] = [TLS[0], TLS[1], ("TLS_CLIENT_CA", "clients.pem")];

/// A certificate that names a worker.
fn worker(name: &str) -> Leaf<'_> {
    Leaf {
        common: name,
        ..Leaf::default()
    }
}

fn port(orchestrator: &Orchestrator) -> u16 {
    let address = orchestrator.address();
    let (_, port) = address.rsplit_once(':').unwrap();
    assert!(address.starts_with("https://127.0.0.1:"), "{address}");
    port.parse().unwrap()
}

fn socket(port: u16) -> TcpStream {
    let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    socket
}

/// A connection that is kept, and what can be done on it.
struct Kept(StreamOwned<ClientConnection, TcpStream>);

impl Kept {
    fn open(
        port: u16,
        trusted: &Authority,
        own: Option<&(String, String)>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Self {
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(trusted.pem().as_bytes()).unwrap();
        roots.add(root).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        let config = match own {
            None => config.with_no_client_auth(),
            Some((chain, key)) => {
                let chain = CertificateDer::from_pem_slice(chain.as_bytes()).unwrap();
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
                config.with_client_auth_cert(vec![chain], key).unwrap()
            }
        };
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(Arc::new(config), name).unwrap();
        Self(StreamOwned::new(connection, socket(port)))
    }

    /// The status of a GET, and the body; nothing if the connection has ended.
    fn get(&mut self, path: &str) -> Option<(u16, String)> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        self.0.write_all(request.as_bytes()).ok()?;
        let mut answer = Vec::new();
        let mut byte = [0];
        while !answer.ends_with(b"\r\n\r\n") {
            self.0.read_exact(&mut byte).ok()?;
            answer.push(byte[0]);
        }
        let head = String::from_utf8(answer).unwrap().to_lowercase();
        let length = head.split("content-length: ").nth(1)?.split('\r').next()?;
        let mut body = vec![0; length.parse().unwrap()];
        self.0.read_exact(&mut body).ok()?;
        let status = head.split(' ').nth(1)?.parse().unwrap();
        Some((status, String::from_utf8(body).unwrap()))
    }

    /// The certificate that the orchestrator showed.
    fn shown(&self) -> CertificateDer<'static> {
        let chain = self.0.conn.peer_certificates().unwrap();
        chain[0].clone().into_owned()
    }
}

#[test]
fn the_port_speaks_tls_only_and_says_so_to_http() {
    let folder = tempdir().unwrap();
    let authority = Authority::new("ours");
    authority.serve(folder.path());
    let mut orchestrator = start(folder.path(), &TLS);
    let port = port(&orchestrator);
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let mut kept = Kept::open(port, &authority, None, &[version]);
        for _ in 0..2 {
            let (status, body) = kept.get("/livez").unwrap();
            assert_eq!((status, body.as_str()), (200, r#"{"status":"alive"}"#));
        }
    }
    let mut plain = socket(port);
    plain
        .write_all(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    plain.read_to_string(&mut answer).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 400 Bad Request\r\n"),
        "{answer}"
    );
    assert!(answer.contains("application/problem+json") && answer.contains("https://"));
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(
        head.contains(&format!("content-length: {}", body.len())),
        "{head}"
    );
    drop(plain);
    orchestrator
        .wait_for_line("client 127.0.0.1 spoke HTTP without TLS and was refused: use https://");
    let mut noise = socket(port);
    noise.write_all(b"\x00\x01\x02").unwrap();
    let mut nothing = Vec::new();
    let _ = noise.read_to_end(&mut nothing);
    assert!(nothing.is_empty());
    orchestrator.call_by(agent(Some(authority.pem()), None));
    let body = json!({"server_id": "a", "ip": "127.0.0.1", "port": 9000});
    assert_eq!(orchestrator.post("/register", &body).0, 200);
    orchestrator.signal(Signal::TERM);
    let ended = orchestrator.wait();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.log);
}

#[test]
fn a_client_certificate_is_accepted_refused_or_not_there() {
    let folder = tempdir().unwrap();
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    ours.serve(folder.path());
    ours.write(&folder.path().join("clients.pem"));
    let mut orchestrator = start(folder.path(), &MUTUAL);
    let port = port(&orchestrator);
    let expired = Leaf {
        from: -10,
        to: -1,
        ..worker("worker-1")
    };
    let future = Leaf {
        from: 1,
        ..worker("worker-1")
    };
    let of_server = Leaf {
        is_for_clients: false,
        ..worker("worker-1")
    };
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let ask = |own: Option<&(String, String)>| {
            Kept::open(port, &ours, own, &[version])
                .get("/livez")
                .map(|(status, _)| status)
        };
        assert_eq!(ask(None), Some(200));
        assert_eq!(ask(Some(&ours.sign(worker("worker-1")))), Some(200));
        for refused in [
            theirs.sign(worker("worker-1")),
            ours.sign(expired),
            ours.sign(future),
            ours.sign(of_server),
        ] {
            assert_eq!(ask(Some(&refused)), None);
        }
    }
    // The others have no line, because one of their kind was written a moment ago.
    orchestrator.wait_for_line(
        "client 127.0.0.1 was refused: its certificate was signed by none of the authorities in \
         TLS_CLIENT_CA",
    );
    orchestrator.call_by(agent(Some(ours.pem()), None));
    let (agent, address) = orchestrator.client();
    let mut answer = agent.get(format!("{address}/metrics")).call().unwrap();
    let metrics = answer.body_mut().read_to_string().unwrap();
    assert!(
        metrics.contains("tls_handshakes_total{result=\"certificate_refused\"} 8\n"),
        "{metrics}"
    );
}

#[test]
fn a_reload_shows_the_new_certificate_and_drops_no_connection() {
    let folder = tempdir().unwrap();
    let authority = Authority::new("ours");
    authority.serve(folder.path());
    authority.write(&folder.path().join("clients.pem"));
    let mut orchestrator = start(folder.path(), &MUTUAL);
    let port = port(&orchestrator);
    let both = rustls::ALL_VERSIONS;
    let own = authority.sign(worker("worker-1"));
    let mut named = Kept::open(port, &authority, Some(&own), both);
    let mut nameless = Kept::open(port, &authority, None, both);
    assert_eq!(named.get("/livez").unwrap().0, 200);
    assert_eq!(nameless.get("/livez").unwrap().0, 200);
    let before = named.shown();
    authority.serve(folder.path());
    orchestrator.signal(Signal::HUP);
    orchestrator.wait_for_line("SIGHUP: TLS_CERT names the same file (environment), in which");
    orchestrator.wait_for_line("SIGHUP: TLS_KEY names the same file (environment), in which");
    orchestrator.wait_for_line("TLS_CERT is in force: certificate `CN=orchestrator`, valid until");
    assert_eq!(named.get("/livez").unwrap().0, 200);
    assert_eq!(nameless.get("/livez").unwrap().0, 200);
    let mut new = Kept::open(port, &authority, Some(&own), both);
    assert_eq!(new.get("/livez").unwrap().0, 200);
    assert_ne!(new.shown(), before);

    // Without a signal: the file is found to have changed.
    authority.serve(folder.path());
    orchestrator.wait_for_line("TLS_CERT is in force: certificate `CN=orchestrator`, valid until");
    let mut newest = Kept::open(port, &authority, None, both);
    assert_eq!(newest.get("/livez").unwrap().0, 200);
    assert_ne!(newest.shown(), new.shown());

    // A certificate that is not of the key: what is in force stays.
    let (other, _) = authority.sign(worker("other"));
    fs::write(folder.path().join("server.pem"), other).unwrap();
    let line =
        orchestrator.wait_for_line("TLS_KEY has changed and cannot be used; the certificates");
    assert!(
        line.contains("not the one of the certificate in TLS_CERT"),
        "{line}"
    );
    orchestrator.signal(Signal::HUP);
    let line = orchestrator.wait_for_line("SIGHUP: nothing has changed, because of a mistake");
    assert!(line.contains("TLS_KEY"), "{line}");
    let mut same = Kept::open(port, &authority, None, both);
    assert_eq!(same.get("/livez").unwrap().0, 200);
    assert_eq!(same.shown(), newest.shown());
    for kept in [&mut named, &mut nameless, &mut new, &mut newest] {
        assert_eq!(kept.get("/livez").unwrap().0, 200);
    }
    orchestrator.signal(Signal::TERM);
    let ended = orchestrator.wait();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.log);
    assert!(!ended.log.contains("PRIVATE"), "{}", ended.log);
}

#[test]
fn a_reload_of_the_authorities_ends_what_the_old_ones_admitted_and_nothing_else() {
    let folder = tempdir().unwrap();
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let clients = folder.path().join("clients.pem");
    old.serve(folder.path());
    old.write(&clients);
    let mut orchestrator = start(folder.path(), &MUTUAL);
    let port = port(&orchestrator);
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        old.write(&clients);
        orchestrator.signal(Signal::HUP);
        if version == &rustls::version::TLS13 {
            orchestrator.wait_for_line("TLS_CLIENT_CA is in force: certificate `CN=old`");
        } else {
            orchestrator.wait_for_line("SIGHUP: no setting has changed");
        }
        let of_old = old.sign(worker("worker-1"));
        let mut admitted = Kept::open(port, &old, Some(&of_old), &[version]);
        let mut nameless = Kept::open(port, &old, None, &[version]);
        assert_eq!(admitted.get("/livez").unwrap().0, 200);
        assert_eq!(nameless.get("/livez").unwrap().0, 200);

        // Both authorities: the connection is still admitted.
        fs::write(&clients, format!("{}{}", old.pem(), new.pem())).unwrap();
        orchestrator.signal(Signal::HUP);
        orchestrator
            .wait_for_line("SIGHUP: TLS_CLIENT_CA names the same file (environment), in which");
        orchestrator.wait_for_line("TLS_CLIENT_CA is in force");
        assert_eq!(admitted.get("/livez").unwrap().0, 200);

        new.write(&clients);
        orchestrator.signal(Signal::HUP);
        orchestrator.wait_for_line("TLS_CLIENT_CA is in force: certificate `CN=new`");
        assert_eq!(admitted.get("/livez"), None);
        assert_eq!(nameless.get("/livez").unwrap().0, 200);
        let again = Kept::open(port, &old, Some(&of_old), &[version]).get("/livez");
        assert_eq!(again, None);
        let of_new = new.sign(worker("worker-1"));
        let mut admitted = Kept::open(port, &old, Some(&of_new), &[version]);
        assert_eq!(admitted.get("/livez").unwrap().0, 200);
    }
}

#[test]
fn an_answer_that_goes_on_ends_with_the_authority_of_its_reader() {
    let folder = tempdir().unwrap();
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let clients = folder.path().join("clients.pem");
    old.serve(folder.path());
    old.write(&clients);
    let mut orchestrator = start(folder.path(), &MUTUAL);
    orchestrator.call_by(agent(Some(old.pem()), None));
    let port = port(&orchestrator);
    let own = old.sign(worker("worker-1"));
    let mut reader = Kept::open(port, &old, Some(&own), rustls::ALL_VERSIONS).0;
    let request = b"GET /resilience/events/stream HTTP/1.1\r\nHost: localhost\r\n\r\n";
    reader.write_all(request).unwrap();
    let mut begun = [0; 15];
    reader.read_exact(&mut begun).unwrap();
    assert_eq!(&begun, b"HTTP/1.1 200 OK");
    new.write(&clients);
    orchestrator.signal(Signal::HUP);
    orchestrator.wait_for_line("TLS_CLIENT_CA is in force: certificate `CN=new`");
    // What happens now is not for this reader.
    let body = json!({"server_id": "unseen", "ip": "127.0.0.1", "port": 9000});
    assert_eq!(orchestrator.post("/register", &body).0, 200);
    let mut rest = Vec::new();
    let _ = reader.read_to_end(&mut rest);
    assert!(!String::from_utf8_lossy(&rest).contains("unseen"));
}

#[test]
fn no_session_is_resumed() {
    let folder = tempdir().unwrap();
    let authority = Authority::new("ours");
    authority.serve(folder.path());
    authority.write(&folder.path().join("clients.pem"));
    authority.issue(folder.path(), "worker-1", worker("worker-1"));
    let orchestrator = start(folder.path(), &MUTUAL);
    let port = port(&orchestrator);
    for version in ["-tls1_2", "-tls1_3"] {
        // Six connections, of which five offer the session of the first one.
        let mut client = Command::new("openssl");
        client
            .current_dir(folder.path())
            .args(["s_client", "-reconnect", version, "-CAfile", "ca.pem"])
            .args(["-cert", "worker-1.pem", "-key", "worker-1-key.pem"])
            .args(["-connect", &format!("127.0.0.1:{port}")])
            .stdin(std::process::Stdio::null());
        let printed = String::from_utf8_lossy(&client.output().unwrap().stdout).into_owned();
        assert!(printed.contains("Verify return code: 0 (ok)"), "{printed}");
        assert!(printed.contains("New, "), "{printed}");
        assert!(!printed.contains("Reused, "), "{printed}");
        assert!(!printed.contains("NewSessionTicket"), "{printed}");
    }
}

#[test]
fn files_that_cannot_be_used_end_the_start_with_their_names_and_without_their_content() {
    let folder = tempdir().unwrap();
    let place = folder.path();
    let authority = Authority::new("ours");
    let server = authority.serve(place);
    authority.write(&place.join("clients.pem"));
    let other = authority.issue(place, "other", worker("other"));
    let expired = Leaf {
        from: -10,
        to: -1,
        ..worker("expired")
    };
    authority.issue(place, "expired", expired);
    let future = Leaf {
        from: 1,
        ..worker("future")
    };
    authority.issue(place, "future", future);
    let (past_from, past_to) = (-10, -1);
    Authority::valid("past", past_from, past_to).write(&place.join("past.pem"));
    let key = fs::read_to_string(&server.key).unwrap();
    let secret = key.lines().nth(1).unwrap().to_owned();
    fs::write(
        place.join("locked.pem"),
        key.replace("PRIVATE", "ENCRYPTED PRIVATE"),
    )
    .unwrap();
    fs::write(place.join("cut.pem"), &key[..key.len() / 2]).unwrap();
    drop(other);
    let (cert, key_file) = (("TLS_CERT", "server.pem"), ("TLS_KEY", "server-key.pem"));
    type Given<'a> = &'a [(&'a str, &'a str)];
    let table: [(Given<'_>, &[&str]); 14] = [
        (
            &[cert],
            &["TLS_KEY (default) is \"none\": it must name the file with the private key"],
        ),
        (
            &[key_file],
            &["TLS_CERT (default) is \"none\": it must name the file with the certificate"],
        ),
        (
            &[("TLS_CLIENT_CA", "ca.pem")],
            &["TLS_CLIENT_CA (environment)", "set TLS_CERT and TLS_KEY"],
        ),
        (
            &[cert, ("TLS_KEY", "other-key.pem")],
            &[
                "TLS_KEY (environment)",
                "not the one of the certificate in TLS_CERT",
            ],
        ),
        (
            &[("TLS_CERT", "gone.pem"), ("TLS_KEY", "gone-key.pem")],
            &["TLS_CERT", "No such file", "TLS_KEY"],
        ),
        (
            &[("TLS_CERT", "expired.pem"), ("TLS_KEY", "expired-key.pem")],
            &["`CN=expired` that has expired"],
        ),
        (
            &[("TLS_CERT", "future.pem"), ("TLS_KEY", "future-key.pem")],
            &["`CN=future` that is not valid before"],
        ),
        (
            &[cert, ("TLS_KEY", "locked.pem")],
            &["a key without a password", "openssl pkey"],
        ),
        (&[cert, ("TLS_KEY", "cut.pem")], &["TLS_KEY", "damaged"]),
        (
            &[("TLS_CERT", "server-key.pem"), key_file],
            &["TLS_CERT", "it has none"],
        ),
        (
            &[cert, ("TLS_KEY", "server.pem")],
            &["TLS_KEY", "it has none"],
        ),
        (
            &[cert, key_file, ("TLS_CLIENT_CA", "other.pem")],
            &["`CN=other` that is none of an authority"],
        ),
        (
            &[cert, key_file, ("TLS_CLIENT_CA", "past.pem")],
            &["`CN=past` that has expired"],
        ),
        (
            &[cert, ("TLS_KEY", &key)],
            &["TLS_KEY (environment) is (hidden)"],
        ),
    ];
    for (settings, parts) in table {
        for arguments in [&["serve"][..], &["config", "check"]] {
            let output = command(place, settings).args(arguments).output().unwrap();
            let complaint = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{settings:?}: {complaint}");
            for part in parts {
                assert!(complaint.contains(part), "`{part}` is not in: {complaint}");
            }
            assert!(!complaint.contains(&secret), "{complaint}");
        }
    }
    let whole = [cert, key_file, ("TLS_CLIENT_CA", "clients.pem")];
    let mut check = command(place, &whole);
    let output = check
        .args(["config", "check"])
        .stdout(std::process::Stdio::piped())
        .output();
    let printed = String::from_utf8(output.unwrap().stdout).unwrap();
    assert!(
        printed.contains("TLS_CLIENT_CA") && printed.contains("clients.pem"),
        "{printed}"
    );
}

#[test]
fn tls_is_switched_on_and_off_by_a_restart_only() {
    let folder = tempdir().unwrap();
    let authority = Authority::new("ours");
    authority.serve(folder.path());
    let mut orchestrator = start(folder.path(), &[]);
    let settings = "TLS_CERT=server.pem\nTLS_KEY=server-key.pem\n";
    fs::write(folder.path().join(".env"), settings).unwrap();
    orchestrator.signal(Signal::HUP);
    orchestrator.wait_for_line(
        "SIGHUP: TLS_CERT is to be server.pem (.env); it needs a restart, and stays none until then",
    );
    assert_eq!(orchestrator.get("/livez").0, 200);
    drop(orchestrator);
    let mut orchestrator = start(folder.path(), &[]);
    orchestrator.call_by(agent(Some(authority.pem()), None));
    assert_eq!(orchestrator.get("/livez").0, 200);
    fs::remove_file(folder.path().join(".env")).unwrap();
    orchestrator.signal(Signal::HUP);
    orchestrator.wait_for_line("SIGHUP: TLS_CERT is to be none (default); it needs a restart");
    assert_eq!(orchestrator.get("/livez").0, 200);
}

#[test]
fn an_expiring_certificate_is_an_alert_until_another_one_is_in_force() {
    expect_errors(&["alert certificate_expiring"]);
    let folder = tempdir().unwrap();
    let authority = Authority::new("ours");
    authority.serve(folder.path());
    let leaf = |to| Leaf {
        common: "orchestrator",
        dns: &["localhost", "127.0.0.1"],
        to,
        ..Leaf::default()
    };
    authority.issue(folder.path(), "server", leaf(20));
    let mut orchestrator = start(folder.path(), &TLS);
    orchestrator.call_by(agent(Some(authority.pem()), None));
    let alert = "alert certificate_expiring: ";
    let line = match orchestrator.has_seen(alert) {
        true => orchestrator.line_seen(alert),
        false => orchestrator.wait_for_line(alert),
    };
    assert!(
        line.contains("`CN=orchestrator` of TLS_CERT expires in 19 days"),
        "{line}"
    );
    let open = |orchestrator: &Orchestrator| {
        let path = "/resilience/alerts?open=true&kind=certificate_expiring";
        orchestrator.get(path).1["alerts"].take()
    };
    let alerts = open(&orchestrator);
    assert_eq!(alerts.as_array().unwrap().len(), 1);
    let alert = &alerts[0];
    assert_eq!(alert["severity"], "warning");
    assert_eq!(alert["subject"], "TLS_CERT");
    authority.issue(folder.path(), "server", leaf(2));
    orchestrator.signal(Signal::HUP);
    let line = orchestrator.wait_for_line("alert certificate_expiring: ");
    assert!(
        line.contains("ERROR") && line.contains("expires in a day"),
        "{line}"
    );
    assert_eq!(open(&orchestrator)[0]["severity"], "critical");
    authority.issue(folder.path(), "server", leaf(300));
    orchestrator.wait_for_line("alert certificate_expiring of TLS_CERT is over");
    assert_eq!(open(&orchestrator), Value::Array(vec![]));
}

/// Runs a program in a folder; returns what it printed.
fn run(folder: &Path, program: &str, arguments: &[&str]) -> (bool, String) {
    let mut ran = Command::new(program);
    let output = ran.current_dir(folder).args(arguments).output().unwrap();
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8_lossy(&printed).into_owned();
    (output.status.success(), printed)
}

#[test]
fn curl_and_python_are_served_by_both_versions() {
    let folder = tempdir().unwrap();
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    ours.serve(folder.path());
    ours.write(&folder.path().join("clients.pem"));
    ours.issue(folder.path(), "worker-1", worker("worker-1"));
    theirs.issue(folder.path(), "foreign", worker("worker-1"));
    let orchestrator = launch(folder.path(), &MUTUAL);
    let url = format!("https://localhost:{}/livez", port(&orchestrator));
    let script = r#"
import ssl, sys, urllib.request
url, version, certificate = sys.argv[1:4]
context = ssl.create_default_context(cafile="ca.pem")
context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, version)
if certificate != "none":
    context.load_cert_chain(f"{certificate}.pem", f"{certificate}-key.pem")
print(urllib.request.urlopen(url, context=context).read().decode())
"#;
    for (curl, python) in [("1.2", "TLSv1_2"), ("1.3", "TLSv1_3")] {
        for (certificate, is_served) in [("none", true), ("worker-1", true), ("foreign", false)] {
            let at_least = format!("--tlsv{curl}");
            let mut arguments = vec!["-sS", &at_least, "--tls-max", curl, "--cacert", "ca.pem"];
            let (own, key) = (
                format!("{certificate}.pem"),
                format!("{certificate}-key.pem"),
            );
            if certificate != "none" {
                arguments.extend(["--cert", &own, "--key", &key]);
            }
            arguments.push(&url);
            let by_curl = run(folder.path(), "curl", &arguments);
            let arguments = ["-c", script, &url, python, certificate];
            let by_python = run(folder.path(), "python3", &arguments);
            for (served, printed) in [by_curl, by_python] {
                assert_eq!(served, is_served, "{curl} {certificate}: {printed}");
                assert_eq!(printed.contains("alive"), is_served, "{printed}");
            }
        }
    }
}

#[test]
fn the_five_minutes_of_the_document_work_word_for_word() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = fs::read_to_string(root.join("docs/SECURITY.md")).unwrap();
    let after = document
        .split("### Five minutes with openssl\n")
        .nth(1)
        .unwrap();
    let section = after.split("\n### ").next().unwrap();
    let blocks = section.split("```sh\n").skip(1);
    let blocks: Vec<&str> = blocks
        .map(|block| block.split("```").next().unwrap())
        .collect();
    let [make, set, call, renew] = blocks[..] else {
        panic!("{} blocks", blocks.len());
    };
    let folder = tempdir().unwrap();
    let programs = tempdir().unwrap();
    let program = programs.path().join("orchestrator");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_orchestrator"), program).unwrap();
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", programs.path().display());
    let follow = |commands: &str| {
        let mut shell = Command::new("bash");
        shell
            .args(["-euo", "pipefail", "-c", commands])
            .current_dir(folder.path());
        let output = shell.env_clear().env("PATH", &path).output().unwrap();
        let printed =
            String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{commands}\n{printed}");
        printed
    };
    let made = follow(make);
    assert!(
        made.contains("server.pem: OK") && made.contains("worker-1.pem: OK"),
        "{made}"
    );
    assert!(follow(set).contains("The configuration is valid"));
    let mut orchestrator = start(folder.path(), &[]);
    let port = port(&orchestrator).to_string();
    let called = follow(&call.replace("8001", &port));
    for part in ["\"alive\"", "\"healthy\"", "leader"] {
        assert!(called.contains(part), "{called}");
    }
    follow(renew);
    orchestrator.wait_for_line("TLS_CERT is in force: certificate `CN=orchestrator`");
    follow("orchestrator cluster");
}

#[test]
fn a_certificate_is_the_key_of_the_workers_that_it_names() {
    let folder = tempdir().unwrap();
    let authority = Authority::new("ours");
    authority.serve(folder.path());
    authority.write(&folder.path().join("clients.pem"));
    let mut settings = MUTUAL.to_vec();
    settings.push(("AUTH", "on"));
    let mut orchestrator = start(folder.path(), &settings);
    let known_by = |leaf: Leaf<'_>| {
        let (chain, key) = authority.sign(leaf);
        agent(Some(authority.pem()), Some((&chain, &key)))
    };
    let register = |orchestrator: &Orchestrator, name: &str| {
        let body = json!({"server_id": name, "ip": "127.0.0.1", "port": 9000});
        orchestrator.post("/register", &body)
    };
    orchestrator.call_by(agent(Some(authority.pem()), None));
    assert_eq!(register(&orchestrator, "edge-1").0, 401);
    orchestrator.call_by(known_by(worker("edge-1")));
    assert_eq!(register(&orchestrator, "edge-1").0, 200);
    let (status, answer) = register(&orchestrator, "edge-2");
    assert_eq!(status, 403);
    let detail = answer["detail"].as_str().unwrap();
    assert!(
        detail.contains("The certificate of `edge-1` may not act for instance `edge-2`"),
        "{detail}"
    );
    let (_, answer) = orchestrator.get("/whoami");
    assert_eq!(answer["role"], "worker");
    assert_eq!(answer["server_ids"], json!(["edge-1"]));
    // A worker gives no orders.
    assert_eq!(
        orchestrator
            .post("/streams", &json!({"streams": [{"id": 1}]}))
            .0,
        403
    );
    let pattern = Leaf {
        common: "",
        uri: &["spiffe://fleet.example/worker/edge-*"],
        ..Leaf::default()
    };
    orchestrator.call_by(known_by(pattern));
    assert_eq!(register(&orchestrator, "edge-2").0, 200);
    assert_eq!(register(&orchestrator, "core-1").0, 403);
    // A certificate that names no worker is none.
    let nameless = Leaf {
        common: "",
        ..Leaf::default()
    };
    orchestrator.call_by(known_by(nameless));
    assert_eq!(register(&orchestrator, "edge-1").0, 401);
}
