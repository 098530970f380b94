//! The example workers as child processes.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// Nothing here takes longer unless something is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// Which example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Rust,
    Python,
    /// The one in Rust that writes results.
    Fenced,
}

/// Whether there is a Python to run the example with.
pub fn has_python() -> bool {
    let version = Command::new("python3").arg("--version").output();
    version.is_ok_and(|output| output.status.success())
}

/// A running worker. Killed when dropped.
#[derive(Debug)]
pub struct WorkerProcess {
    kind: Kind,
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

/// How a worker ended.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    /// The lines it wrote that no test has read yet.
    pub rest: Vec<String>,
    pub error: String,
}

impl WorkerProcess {
    /// Starts a worker of this name.
    pub fn start(kind: Kind, url: &str, name: &str) -> Self {
        Self::start_with_results(kind, url, name, |_| {})
    }

    /// The same, and hands in each result that it writes, as it writes it.
    pub fn start_with_results(
        kind: Kind,
        url: &str,
        name: &str,
        take: impl FnMut(&str) + Send + 'static,
    ) -> Self {
        Self::launch(kind, &[url, name], &[], take)
    }

    /// Starts a worker with variables in its environment.
    pub fn start_with(kind: Kind, url: &str, name: &str, variables: &[(&str, &str)]) -> Self {
        Self::launch(kind, &[url, name], variables, |_| {})
    }

    /// Starts a worker in Rust that takes so many streams, and waits until it is registered.
    pub fn with_room(url: &str, name: &str, max_streams: u32) -> Self {
        let most = max_streams.to_string();
        let mut worker = Self::launch(Kind::Rust, &[url, name, &most], &[], |_| {});
        worker.wait_for("registered");
        worker
    }

    fn launch(
        kind: Kind,
        arguments: &[&str],
        variables: &[(&str, &str)],
        mut take: impl FnMut(&str) + Send + 'static,
    ) -> Self {
        let mut command = match kind {
            Kind::Rust => Command::new(built("worker")),
            Kind::Fenced => Command::new(built("fenced")),
            Kind::Python => {
                let mut python = Command::new("python3");
                python.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/worker.py"));
                python
            }
        };
        let mut child = command
            .args(arguments)
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the worker starts");
        let stdout = child.stdout.take().expect("stdout is piped");
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Some(result) = line.strip_prefix("result ") {
                    take(result);
                } else if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self {
            kind,
            child,
            lines,
            seen: Vec::new(),
        }
    }

    fn line(&mut self) -> String {
        let line = self.lines.recv_timeout(PATIENCE).unwrap_or_else(|error| {
            panic!("no more lines ({error}) after:\n{}", self.seen.join("\n"))
        });
        self.seen.push(line.clone());
        line
    }

    /// Starts a worker of this name and waits until it is registered.
    pub fn registered(kind: Kind, url: &str, name: &str) -> Self {
        let mut worker = Self::start(kind, url, name);
        worker.wait_for("registered");
        worker
    }

    /// Waits for a line that begins like this. Those before it are not looked at again.
    pub fn wait_for(&mut self, beginning: &str) {
        while !self.line().starts_with(beginning) {}
    }

    /// The next line about a stream, in its first two words: `start 1` or `stop 1`.
    pub fn next(&mut self) -> String {
        loop {
            if let Some(words) = about_a_stream(&self.line()) {
                return words;
            }
        }
    }

    /// Waits for these lines about streams, in any order.
    pub fn expect(&mut self, mut wanted: Vec<String>) {
        while !wanted.is_empty() {
            let line = self.next();
            let place = wanted.iter().position(|wanted| *wanted == line);
            let place = place.unwrap_or_else(|| {
                panic!(
                    "`{line}` is none of {wanted:?} in:\n{}",
                    self.seen.join("\n")
                )
            });
            wanted.swap_remove(place);
        }
    }

    /// The lines about streams that no test has read yet.
    pub fn unexpected(&mut self) -> Vec<String> {
        let lines = self.lines.try_iter();
        lines.filter_map(|line| about_a_stream(&line)).collect()
    }

    /// Sends a signal by process id.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the process is there");
    }

    /// Asks it to leave, each kind in its own way, and waits for its end.
    pub fn leave(mut self) -> Ended {
        match self.kind {
            Kind::Fenced => unreachable!("nobody tells it to"),
            Kind::Rust => {
                let mut stdin = self.child.stdin.take().expect("stdin is piped");
                stdin.write_all(b"leave\n").expect("it reads");
            }
            Kind::Python => self.signal(Signal::TERM),
        }
        self.wait()
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Ended {
        let status = self.child.wait().expect("it can be waited for");
        let mut rest = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            rest.extend(about_a_stream(&line));
        }
        let mut error = String::new();
        if let Some(stderr) = &mut self.child.stderr {
            stderr.read_to_string(&mut error).expect("it wrote text");
        }
        Ended {
            status,
            rest,
            error,
        }
    }
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn about_a_stream(line: &str) -> Option<String> {
    let mut words = line.split([' ', ':']);
    let (what, id) = (words.next()?, words.next()?);
    matches!(what, "start" | "stop").then(|| format!("{what} {id}"))
}

/// An example in Rust; built here, because not every way to run the tests builds examples.
fn built(name: &str) -> &'static Path {
    static WORKER: OnceLock<PathBuf> = OnceLock::new();
    static FENCED: OnceLock<PathBuf> = OnceLock::new();
    let built = if name == "fenced" { &FENCED } else { &WORKER };
    built.get_or_init(|| {
        let mut cargo = Command::new(env!("CARGO"));
        // What the runner of the tests says about this package is none of its dependencies'
        // business: some would be built anew because of it.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_")
                || text.starts_with("CARGO_MANIFEST_")
                || text == "OUT_DIR"
            {
                cargo.env_remove(&name);
            }
        }
        let output = cargo
            .args(["build", "--locked", "--quiet", "--example", name])
            .args(["--message-format", "json"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stderr(Stdio::inherit())
            .output()
            .expect("cargo is there");
        assert!(output.status.success(), "the example does not build");
        let messages = String::from_utf8(output.stdout).expect("cargo writes text");
        let path = messages
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
            .filter(|message| message["target"]["name"] == name)
            .find_map(|message| message["executable"].as_str().map(PathBuf::from));
        path.expect("cargo says where the example is")
    })
}
