//! The real program as a child process, on a free port and a database of its own.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process};
use serde_json::Value;

/// Nothing here takes longer unless something is broken.
const PATIENCE: Duration = Duration::from_secs(60);

static EXPECTED: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// The test causes errors with one of these texts in a log: they are part of what it shows. One critical
/// alert leads to others: they are expected with it. Errors that are no alerts are not.
pub fn expect_errors(parts: &[&str]) {
    let mut expected = EXPECTED
        .lock()
        .expect("no test fails while it holds the list");
    expected.extend(parts.iter().map(|part| (*part).to_owned()));
}

/// A running orchestrator. Killed when dropped; its test has failed then if its log has an error that the
/// test does not expect.
#[derive(Debug)]
pub struct Orchestrator {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
    address: String,
    agent: ureq::Agent,
}

/// How an orchestrator ended, and all it wrote.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    pub log: String,
}

/// The program with nothing but these settings.
pub fn command(folder: &Path, settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orchestrator"));
    command
        .env_clear()
        .current_dir(folder)
        .env("BIND_ADDRESS", "127.0.0.1:0")
        .envs(settings.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// Starts the program and waits until it says that it is ready.
pub fn start(folder: &Path, settings: &[(&str, &str)]) -> Orchestrator {
    let mut orchestrator = launch(folder, settings);
    orchestrator.wait_for_line("ready on ");
    orchestrator
}

/// Starts the program and waits until it says where it listens.
pub fn launch(folder: &Path, settings: &[(&str, &str)]) -> Orchestrator {
    let mut child = command(folder, settings)
        .spawn()
        .expect("the program starts");
    let stderr = child.stderr.take().expect("stderr is piped");
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    let agent = agent(None, None);
    let mut orchestrator = Orchestrator {
        child,
        lines,
        seen: Vec::new(),
        address: String::new(),
        agent,
    };
    let line = orchestrator.wait_for_line("listening on ");
    let address = line
        .split("listening on ")
        .nth(1)
        .and_then(|rest| rest.split([' ', ';', '"']).next());
    orchestrator.address = address.expect("an address").to_owned();
    orchestrator
}

/// A client: with certificates that it trusts, and a certificate and a key of its own, if it has any (PEM).
pub fn agent(trusted: Option<&str>, own: Option<(&str, &str)>) -> ureq::Agent {
    use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

    let config = ureq::Agent::config_builder()
        .timeout_global(Some(PATIENCE))
        .http_status_as_error(false);
    let Some(trusted) = trusted else {
        return config.build().into();
    };
    let certificate = |pem: &str| Certificate::from_pem(pem.as_bytes()).expect("a certificate");
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let own = own.map(|(chain, key)| {
        let key = PrivateKey::from_pem(key.as_bytes()).expect("a key");
        ClientCert::new_with_certs(&[certificate(chain)], key)
    });
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&[certificate(trusted)]))
        .client_cert(own)
        .unversioned_rustls_crypto_provider(provider)
        .build();
    config.tls_config(tls).build().into()
}

impl Orchestrator {
    /// Calls it by this client from now on.
    pub fn call_by(&mut self, agent: ureq::Agent) {
        self.agent = agent;
    }

    /// Where it is reached, as `http://…`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Waits until the log has a line with this text; returns it. Lines are looked at once.
    pub fn wait_for_line(&mut self, text: &str) -> String {
        self.wait_for_line_of(&[text])
    }

    /// Waits until the log has a line with one of these texts; returns it.
    fn wait_for_line_of(&mut self, texts: &[&str]) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE).unwrap_or_else(|error| {
                panic!(
                    "no line with one of {texts:?} ({error}) in:\n{}",
                    self.seen.join("\n")
                )
            });
            self.seen.push(line.clone());
            if texts.iter().any(|text| line.contains(text)) {
                return line;
            }
        }
    }

    /// Waits until the log has a line with each of these texts, in whatever order they come; returns them.
    pub fn wait_for_lines<const N: usize>(&mut self, texts: [&str; N]) -> [String; N] {
        let mut found = [const { String::new() }; N];
        while found.iter().any(String::is_empty) {
            let line = self.wait_for_line_of(&texts);
            for (text, place) in texts.iter().zip(&mut found) {
                if place.is_empty() && line.contains(text) {
                    place.clone_from(&line);
                }
            }
        }
        found
    }

    /// The first line so far with this text.
    pub fn line_seen(&self, text: &str) -> String {
        self.seen
            .iter()
            .find(|line| line.contains(text))
            .cloned()
            .unwrap_or_else(|| panic!("no line with `{text}` in:\n{}", self.seen.join("\n")))
    }

    /// Its process id.
    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it runs, as the process that was started.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits until it goes on as a standby, in the process that was started.
    pub fn wait_until_it_stands_by(&mut self) -> String {
        let line = self.wait_for_line("this process goes on as a standby");
        assert!(self.runs(), "{}", self.seen.join("\n"));
        line
    }

    /// Reads its standard error no longer: the pipe is closed at the next line.
    pub fn stop_reading(&mut self) {
        let (_, nothing) = mpsc::channel();
        self.lines = nothing;
    }

    /// Whether the log has a line with this text so far, as far as it was looked at.
    pub fn has_seen(&self, text: &str) -> bool {
        self.seen.iter().any(|line| line.contains(text))
    }

    /// From now on so many files may be open; none: as many as at its start.
    pub fn allow_files(&self, most: Option<u64>) {
        let pid = Pid::from_child(&self.child);
        let limit = rustix::process::getrlimit(Resource::Nofile);
        let current = most.or(limit.current);
        let limit = Rlimit { current, ..limit };
        rustix::process::prlimit(Some(pid), Resource::Nofile, limit).expect("the limit is set");
    }

    /// Sends a signal by process id.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("the process is there");
    }

    /// Waits for its end, and reads all it wrote.
    pub fn wait_for_its_end(&mut self) -> ExitStatus {
        let status = self.child.wait().expect("it can be waited for");
        self.read_to_the_end();
        status
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Ended {
        let status = self.wait_for_its_end();
        Ended {
            status,
            log: self.seen.join("\n"),
        }
    }

    fn read_to_the_end(&mut self) {
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            self.seen.push(line);
        }
    }

    /// Ends it without warning.
    pub fn kill(self) -> Ended {
        self.signal(Signal::KILL);
        self.wait()
    }

    /// Status and body of a GET.
    pub fn get(&self, path: &str) -> (u16, Value) {
        self.try_get(path).expect("an answer")
    }

    /// Status and body of a POST.
    pub fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.try_post(path, body).expect("an answer")
    }

    /// A GET of a process that may be dying.
    pub fn try_get(&self, path: &str) -> Option<(u16, Value)> {
        let mut answer = self
            .agent
            .get(format!("{}{path}", self.address))
            .call()
            .ok()?;
        Some((
            answer.status().as_u16(),
            answer.body_mut().read_json().ok()?,
        ))
    }

    /// A POST to a process that may be dying.
    pub fn try_post(&self, path: &str, body: &Value) -> Option<(u16, Value)> {
        post(&self.agent, &self.address, path, body)
    }

    /// What a client on another thread needs.
    pub fn client(&self) -> (ureq::Agent, String) {
        (self.agent.clone(), self.address.clone())
    }
}

/// Status and body of a POST, if there was an answer.
pub fn post(agent: &ureq::Agent, address: &str, path: &str, body: &Value) -> Option<(u16, Value)> {
    let mut answer = agent
        .post(format!("{address}{path}"))
        .send_json(body)
        .ok()?;
    Some((
        answer.status().as_u16(),
        answer.body_mut().read_json().ok()?,
    ))
}

impl Drop for Orchestrator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            return;
        }
        self.read_to_the_end();
        let expected = EXPECTED.lock().map(|expected| expected.clone());
        let expected = expected.unwrap_or_default();
        let may_alert = !expected.is_empty();
        let is_expected = |line: &str| {
            expected.iter().any(|part| line.contains(part)) || may_alert && line.contains("alert ")
        };
        let errors = self.seen.iter().filter(|line| is_error(line));
        let unexpected: Vec<&String> = errors.filter(|line| !is_expected(line)).collect();
        assert!(
            unexpected.is_empty(),
            "errors in the log that the test does not expect (expect_errors): {unexpected:#?}"
        );
    }
}

/// Whether a line of the log is an error, in either format.
fn is_error(line: &str) -> bool {
    line.split(' ').nth(1) == Some("ERROR") || line.contains("\"level\":\"ERROR\"")
}
