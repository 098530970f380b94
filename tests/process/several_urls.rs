//! Commands that know several orchestrators: which one is asked, and what is never sent twice.
#![expect(clippy::unwrap_used, reason = "what cannot be prepared fails the test")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use crate::support::process::{Orchestrator, command, start};
use crate::support::proxy::Proxy;
use serde_json::json;
use tempfile::{TempDir, tempdir};

/// Nothing listens there.
const GONE: &str = "http://127.0.0.1:9";

/// Nothing here takes longer unless something is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a server does with each request, which stands in for a second orchestrator.
#[derive(Clone, Copy)]
enum Stand {
    /// Answers 503 of this kind.
    Refuses(&'static str),
    /// Reads the request, and ends the connection.
    Breaks,
}

/// Returns the address of such a server, and the first line of each request that it gets.
fn stand_in(stand: Stand) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let request = whole_request(&mut client);
            let _ = tell.send(request.lines().next().unwrap_or_default().to_owned());
            let Stand::Refuses(kind) = stand else {
                continue;
            };
            let body = json!({"type": format!("/problems/{kind}"), "title": "x", "status": 503,
                "detail": "`b` is a standby that reaches no leader."})
            .to_string();
            let head = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\n\
                        Content-Type: application/problem+json\r\n";
            let answer = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
            let _ = client.write_all(answer.as_bytes());
        }
    });
    (address, told)
}

fn whole_request(client: &mut TcpStream) -> String {
    let mut request = BufReader::new(client);
    let (mut text, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if request.read_line(&mut line).unwrap_or_default() == 0 || line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        text.push_str(&line);
    }
    let mut body = vec![0; length];
    let _ = request.read_exact(&mut body);
    text
}

/// An orchestrator with a stream, and a way to call it beside others.
struct Desk {
    folder: TempDir,
    orchestrator: Orchestrator,
}

impl Desk {
    fn new() -> Self {
        let folder = tempdir().unwrap();
        let orchestrator = start(folder.path(), &[]);
        let streams = json!({"streams": [{"id": 1, "name": "s1"}]});
        assert_eq!(orchestrator.post("/streams", &streams).0, 200);
        Self {
            folder,
            orchestrator,
        }
    }

    fn address(&self) -> &str {
        self.orchestrator.address()
    }

    /// The exit code, the output and the complaints.
    fn run(&self, urls: &str, arguments: &str) -> (Option<i32>, String, String) {
        let output = command(self.folder.path(), &[("ORCHESTRATOR_URL", urls)])
            .args(arguments.split(' '))
            .stdout(Stdio::piped())
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    }

    fn is_enabled(&self) -> bool {
        self.orchestrator.get("/streams/1").1["data"]["enabled"] == true
    }
}

#[test]
fn a_command_turns_to_the_next_orchestrator_and_names_it() {
    let desk = Desk::new();
    let urls = format!("{GONE},{}", desk.address());
    let note = format!(
        "orchestrator: no orchestrator answers at {GONE}. {} answers.\n",
        desk.address()
    );
    for arguments in [
        "status",
        "streams -o jsonl",
        "streams disable 1",
        "streams enable 1 --json",
        "events",
        "cluster",
        "consistency --json",
    ] {
        let (code, printed, complaint) = desk.run(&urls, arguments);
        assert_eq!((code, &complaint), (Some(0), &note), "{arguments}");
        assert!(!printed.is_empty(), "{arguments}");
    }
    // The first one answers: nothing is said.
    let urls = format!("{},{GONE}", desk.address());
    let (code, _, complaint) = desk.run(&urls, "status");
    assert_eq!((code, complaint.as_str()), (Some(0), ""));
    let (code, printed, complaint) = desk.run(&format!("{GONE},http://127.0.0.1:10"), "status");
    assert_eq!((code, printed.as_str()), (Some(1), ""));
    assert_eq!(
        complaint,
        format!(
            "orchestrator: no orchestrator serves: no orchestrator answers at {GONE}. no orchestrator \
             answers at http://127.0.0.1:10.\n"
        )
    );
}

#[test]
fn an_order_goes_on_only_if_it_is_certain_that_nothing_was_changed() {
    let desk = Desk::new();
    for (stand, question, order) in [
        (Stand::Refuses("standby"), 0, 0),
        (Stand::Refuses("starting"), 0, 0),
        (Stand::Refuses("outcome-unknown"), 0, 1),
        (Stand::Refuses("shutting-down"), 0, 1),
        (Stand::Refuses("database-unavailable"), 1, 1),
        (Stand::Breaks, 0, 1),
    ] {
        let (first, told) = stand_in(stand);
        let urls = format!("{first},{}", desk.address());
        let (code, _, complaint) = desk.run(&urls, "streams -o json");
        assert_eq!(code, Some(question), "{complaint}");
        assert!(told.recv().unwrap().starts_with("GET /streams"));
        let (code, _, complaint) = desk.run(&urls, "streams disable 1");
        assert_eq!(code, Some(order), "{complaint}");
        assert_eq!(told.recv().unwrap(), "POST /streams HTTP/1.1");
        assert_eq!(told.try_recv().ok(), None, "it is sent there once");
        assert_eq!(desk.is_enabled(), order == 1, "{complaint}");
        let names_the_other = complaint.ends_with(&format!("{} answers.\n", desk.address()));
        assert_eq!(names_the_other, order == 0, "{complaint}");
        if let Stand::Breaks = stand {
            let unknown = "The order may or may not have been applied, and was not repeated.\n";
            assert!(complaint.ends_with(unknown), "{complaint}");
        }
        desk.run(desk.address(), "streams enable 1");
    }
}

#[test]
fn an_import_is_checked_at_another_one_and_not_saved_twice() {
    let desk = Desk::new();
    std::fs::write(desk.folder.path().join("new.csv"), "name\nx\ny\n").unwrap();
    let (first, told) = stand_in(Stand::Breaks);
    let urls = format!("{first},{}", desk.address());
    // Its check is a question, and turns to the one that saves.
    let (code, printed, complaint) = desk.run(&urls, "streams import new.csv");
    assert_eq!(code, Some(0), "{complaint}");
    assert!(printed.starts_with("2 created"), "{printed}");
    assert_eq!(
        told.iter().next().unwrap(),
        "POST /streams?dry_run=true HTTP/1.1"
    );
    assert_eq!(told.try_recv().ok(), None);
}

/// A command that goes on, and its lines.
struct Going {
    child: Child,
    lines: Receiver<String>,
}

impl Going {
    fn begin(desk: &Desk, urls: &str, arguments: &str) -> Self {
        let mut child = command(desk.folder.path(), &[("ORCHESTRATOR_URL", urls)])
            .args(arguments.split(' '))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (tell, lines) = mpsc::channel();
        let outputs: [Box<dyn Read + Send>; 2] = [
            Box::new(child.stdout.take().unwrap()),
            Box::new(child.stderr.take().unwrap()),
        ];
        for output in outputs {
            let tell = tell.clone();
            thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    if tell.send(line).is_err() {
                        break;
                    }
                }
            });
        }
        Self { child, lines }
    }

    fn waits_for(&self, part: &str) {
        while !self.lines.recv_timeout(PATIENCE).unwrap().contains(part) {}
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn commands_that_go_on_follow_another_orchestrator_when_theirs_is_lost() {
    let desk = Desk::new();
    let register = |id: &str| {
        let body = json!({"server_id": id, "ip": "127.0.0.1", "port": 9, "max_streams": 3});
        assert_eq!(desk.orchestrator.post("/register", &body).0, 200);
    };
    let port = desk.address().rsplit(':').next().unwrap().parse().unwrap();
    let first = Proxy::in_front_of(port);
    let urls = format!("http://127.0.0.1:{},{}", first.port(), desk.address());
    let following = Going::begin(&desk, &urls, "events --follow --since 1h");
    let watching = Going::begin(&desk, &urls, "instances --watch 0.2");
    register("a");
    following.waits_for("instance a registered");
    watching.waits_for("a  ");
    first.cut();
    let note = format!("{} answers.", desk.address());
    following.waits_for(&note);
    watching.waits_for(&note);
    register("b");
    following.waits_for("instance b registered");
    watching.waits_for("b  ");
}

#[test]
fn a_bundle_is_made_at_the_orchestrator_that_answers() {
    let desk = Desk::new();
    let urls = format!("{GONE},{}", desk.address());
    let (code, printed, complaint) = desk.run(&urls, "support-bundle --file b.tar.gz");
    assert_eq!(code, Some(0), "{complaint}");
    assert!(!printed.contains("missing"), "{printed}");
    let archive = std::fs::read(desk.folder.path().join("b.tar.gz")).unwrap();
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(archive.as_slice())
        .read_to_end(&mut text)
        .unwrap();
    let text = String::from_utf8_lossy(&text);
    let from = format!("from the orchestrator at {}.", desk.address());
    assert!(text.contains(&from), "{}", &text[..2_000]);
}

#[test]
fn a_take_over_is_ordered_at_one_orchestrator_and_a_bad_url_is_named() {
    let desk = Desk::new();
    let urls = format!("{GONE},{}", desk.address());
    let (code, _, complaint) = desk.run(&urls, "cluster take-over --reason test");
    assert_eq!(code, Some(2));
    let sentence = format!(
        "needs exactly one URL, that of the standby that is to lead; 2 are named: {GONE}, {}.",
        desk.address()
    );
    assert!(complaint.contains(&sentence), "{complaint}");
    let (code, _, complaint) = desk.run("http://me:geheim@a,nowhere", "status");
    assert_eq!(code, Some(2));
    assert!(
        complaint.contains("address 2 of 2") && !complaint.contains("geheim"),
        "{complaint}"
    );
    let (code, _, complaint) = desk.run("", &format!("status --url {GONE},ftp://b"));
    assert_eq!(code, Some(2));
    assert!(complaint.contains("\"ftp://b\""), "{complaint}");
}
