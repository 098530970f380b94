//! A standby answers by proxy where TLS is spoken: whom it trusts, and whose certificate the leader sees.
#![expect(clippy::unwrap_used, reason = "what cannot be prepared fails the test")]

use std::path::Path;

use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use crate::ground::{Ground, process};
use crate::patience::until;
use crate::support::certificates::{Authority, Leaf};
use crate::support::process::{Orchestrator, agent};

/// A database, an authority for everybody, and a folder for each process.
struct Place {
    ground: Ground,
    authority: Authority,
    standbys: TempDir,
}

impl Place {
    fn new() -> Self {
        Self {
            ground: Ground::new(),
            authority: Authority::new("ours"),
            standbys: tempdir().unwrap(),
        }
    }

    fn process(&self, folder: &Path, node: &str, more: &[(&str, &str)]) -> Orchestrator {
        self.authority.write(&folder.join("ca.pem"));
        let mut settings = vec![
            ("TLS_CERT", "server.pem"),
            ("TLS_KEY", "server-key.pem"),
            ("TLS_CLIENT_CA", "ca.pem"),
        ];
        settings.extend_from_slice(more);
        let url = self.ground.database.url();
        let mut started = process(folder, &url, node, &settings);
        started.call_by(agent(Some(self.authority.pem()), None));
        started
    }
}

/// The certificate of an orchestrator under this name.
fn issue(authority: &Authority, folder: &Path, name: &str) {
    let leaf = Leaf {
        common: name,
        dns: &[name, "127.0.0.1"],
        ..Leaf::default()
    };
    authority.issue(folder, "server", leaf);
}

fn is_ready(process: &Orchestrator) -> Option<()> {
    (process.try_get("/ready")?.0 == 200).then_some(())
}

fn register(process: &Orchestrator, id: &str) -> (u16, Value) {
    let body = json!({"server_id": id, "ip": "127.0.0.1", "port": 9000, "max_streams": 10});
    process.post("/register", &body)
}

#[test]
fn a_worker_is_known_by_its_certificate_through_a_standby() {
    let place = Place::new();
    let (leading, standing) = (place.ground.folder.path(), place.standbys.path());
    // Both have one certificate, as for a name that leads to either.
    place.authority.serve(leading);
    for file in ["server.pem", "server-key.pem"] {
        std::fs::copy(leading.join(file), standing.join(file)).unwrap();
    }
    let with_keys = [("AUTH", "on")];
    let mut leader = place.process(leading, "a", &with_keys);
    leader.wait_for_line("ready on ");
    let mut standby = place.process(standing, "b", &with_keys);
    until("the standby is ready", || is_ready(&standby));

    // Without a certificate nobody is a worker, at whichever it calls.
    assert_eq!(register(&standby, "edge-7").0, 401);
    let own = place.authority.sign(Leaf {
        common: "edge-*",
        ..Leaf::default()
    });
    let trusted = place.authority.pem().to_owned();
    let by_certificate = agent(Some(&trusted), Some((&own.0, &own.1)));
    standby.call_by(by_certificate);
    let (status, registered) = register(&standby, "edge-7");
    assert_eq!(status, 200, "{registered}");
    let (status, refused) = register(&standby, "core-1");
    assert_eq!(status, 403, "{refused}");
    let (_, who) = standby.get("/whoami");
    assert_eq!(who["role"], "worker", "{who}");
    // What a client says about a certificate counts as little as what it says about its address.
    let (_, address) = standby.client();
    let forged = agent(Some(&trusted), None)
        .post(format!("{address}/register"))
        .header("orchestrator-forwarded", "b 1")
        .header("orchestrator-certificate", "[\"edge-7\"]")
        .send_json(json!({"server_id": "edge-7", "ip": "127.0.0.1", "port": 9000}))
        .unwrap();
    assert_eq!(forged.status(), 401);
}

#[test]
fn a_standby_carries_nothing_to_a_leader_whose_certificate_it_does_not_accept() {
    let place = Place::new();
    let (leading, standing) = (place.ground.folder.path(), place.standbys.path());
    issue(&place.authority, leading, "a.example");
    issue(&place.authority, standing, "b.example");
    let of_leader = [("CLUSTER_PUBLIC_URL", "https://a.example:8001")];
    let mut leader = place.process(leading, "a", &of_leader);
    leader.wait_for_line("ready on ");

    let mut standby = place.process(standing, "b", &[]);
    let line = standby.wait_for_line("the certificate of another orchestrator is not accepted");
    assert!(line.contains("TLS_CLUSTER_CA"), "{line}");
    assert_eq!(standby.get("/ready").0, 503);
    assert_eq!(register(&standby, "w1").0, 503);
    standby.kill();

    // The same authority, and the name of the leader's public URL.
    let trusting = [("TLS_CLUSTER_CA", "ca.pem")];
    let standby = place.process(standing, "b", &trusting);
    until("the standby is ready", || is_ready(&standby));
    assert_eq!(register(&standby, "w1").0, 200);
    let (_, leading_node) = standby.get("/cluster");
    assert_eq!(leading_node["leader"]["node"], "a", "{leading_node}");
}
