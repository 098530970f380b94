//! Several orchestrators as processes of their own, each on a port that it keeps.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "an example and a bench use another part of it"
)]

use std::error::Error;
use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

/// What ends a program early.
pub type Failure = Box<dyn Error + Send + Sync>;

/// Nothing here takes longer unless something is broken.
const PATIENCE: Duration = Duration::from_secs(120);

/// How members are started.
#[derive(Debug, Clone)]
pub struct Program {
    /// The program.
    pub path: PathBuf,
    /// Its settings and other variables.
    pub variables: Vec<(String, String)>,
    /// Where they work, and where their logs are.
    pub folder: PathBuf,
}

/// One orchestrator. Killed when dropped.
#[derive(Debug)]
pub struct Member {
    /// Its name.
    pub node: String,
    /// Where it answers, as `http://…`.
    pub url: String,
    bind: String,
    program: Program,
    child: Option<Child>,
}

impl Member {
    /// Chooses a port for a member, and starts it.
    pub fn start(program: &Program, node: &str) -> Result<Self, Failure> {
        let bind = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let mut member = Self {
            node: node.to_owned(),
            url: format!("http://{bind}"),
            bind,
            program: program.clone(),
            child: None,
        };
        member.start_again()?;
        Ok(member)
    }

    /// Starts it on its port, once it has ended.
    pub fn start_again(&mut self) -> Result<(), Failure> {
        self.wait()?;
        let log = self.program.folder.join(format!("{}.log", self.node));
        let log = File::options().create(true).append(true).open(log)?;
        let child = Command::new(&self.program.path)
            .env_clear()
            .current_dir(&self.program.folder)
            .envs(
                self.program
                    .variables
                    .iter()
                    .map(|(name, value)| (name, value)),
            )
            .env("BIND_ADDRESS", &self.bind)
            .env("CLUSTER_NODE", &self.node)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        self.child = Some(child);
        Ok(())
    }

    /// Sends a signal to its process.
    pub fn signal(&self, signal: Signal) -> Result<(), Failure> {
        let child = self.child.as_ref().ok_or("the member has ended")?;
        Ok(kill_process(Pid::from_child(child), signal)?)
    }

    /// Returns whether its process has ended.
    pub fn has_ended(&mut self) -> Result<bool, Failure> {
        match &mut self.child {
            Some(child) => Ok(child.try_wait()?.is_some()),
            None => Ok(true),
        }
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> Result<(), Failure> {
        if let Some(mut child) = self.child.take() {
            child.wait()?;
        }
        Ok(())
    }

    /// Returns whether it leads, and has proven it lately.
    pub fn leads(&self) -> bool {
        self.get("/leader").is_ok_and(|(status, _)| status == 200)
    }

    /// Status and body of a GET.
    pub fn get(&self, path: &str) -> Result<(u16, Value), Failure> {
        let mut answer = agent().get(format!("{}{path}", self.url)).call()?;
        Ok((answer.status().as_u16(), answer.body_mut().read_json()?))
    }

    /// The body of the answer to a POST.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let mut answer = agent()
            .post(format!("{}{path}", self.url))
            .send_json(body)?;
        let status = answer.status().as_u16();
        let body = answer.body_mut().read_json::<Value>()?;
        match status {
            200 => Ok(body),
            _ => Err(format!("{path}: {status} {body}").into()),
        }
    }

    /// Saves streams with the ids from 1.
    pub fn save_streams(&self, count: usize) -> Result<(), Failure> {
        let streams: Vec<Value> = (1..=count)
            .map(|id| json!({"id": id, "name": format!("channel {id}")}))
            .collect();
        self.post("/streams", &json!({ "streams": streams }))?;
        Ok(())
    }

    /// Waits until this member, which leads, shows another one as ready to take over, and the other one reaches it.
    pub fn waits_until_ready(&self, other: &Self) -> Result<(), Failure> {
        until(&format!("{} is ready", other.node), || {
            self.shows_ready(other).then_some(())
        })
    }

    /// Returns whether this member, which leads, shows another one as ready to take over, and the other one reaches it.
    pub fn shows_ready(&self, other: &Self) -> bool {
        let is_ready = || {
            let (ready, _) = other.get("/ready").ok()?;
            // The row may still be that of the process before.
            let (_, own) = other.get("/cluster").ok()?;
            let (_, cluster) = self.get("/cluster").ok()?;
            let mut members = cluster["members"].as_array()?.iter();
            let is_shown =
                members.any(|member| member["run"] == own["run"] && member["state"] == "ready");
            Some(is_shown && ready == 200 && own["role"] == "standby")
        };
        is_ready().unwrap_or_default()
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The place of the member that leads.
pub fn leader(members: &[Member]) -> Result<usize, Failure> {
    until("a member leads", || members.iter().position(Member::leads))
}

/// Returns the settings of members on a database.
pub fn settings(database: &str, more: &[(&str, &str)]) -> Vec<(String, String)> {
    let own = [("DATABASE_URL", database), ("LOG_FORMAT", "text")];
    let all = own.iter().chain(more);
    all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// The owner and the epoch of each stream, as a member answers.
pub fn owners(member: &Member) -> Result<Vec<(i64, String, i64)>, Failure> {
    let (mut owners, mut after) = (Vec::new(), 0);
    loop {
        let path = format!("/streams/assignments?limit=10000&after={after}");
        let (status, page) = member.get(&path)?;
        let rows = page["assignments"].as_array().filter(|_| status == 200);
        for row in rows.ok_or("no list of assignments")? {
            let id = row["stream_id"].as_i64().ok_or("no id")?;
            let owner = row["server_id"].as_str().ok_or("no owner")?;
            owners.push((
                id,
                owner.to_owned(),
                row["epoch"].as_i64().ok_or("no epoch")?,
            ));
        }
        match page["next"].as_i64() {
            Some(next) => after = next,
            None => break,
        }
    }
    owners.sort();
    Ok(owners)
}

/// A client that gives no request more than a few seconds.
pub fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(15)))
        .http_status_as_error(false)
        .build()
        .into()
}

/// Looks until something is found.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> Result<T, Failure> {
    let began = now();
    loop {
        if let Some(found) = look() {
            return Ok(found);
        }
        if began.elapsed() > PATIENCE {
            return Err(format!("{what}: this takes too long").into());
        }
        pause(Duration::from_millis(10));
    }
}

/// Lets time pass.
pub fn pause(time: Duration) {
    let (_nobody, silence) = mpsc::channel::<()>();
    let _ = silence.recv_timeout(time);
}

/// The moment it is.
#[expect(
    clippy::disallowed_methods,
    reason = "an example looks at the program from outside"
)]
pub fn now() -> Instant {
    Instant::now()
}

/// The last lines of the logs, for a failure.
pub fn logs(folder: &Path, nodes: &[&str]) -> String {
    let mut text = String::new();
    for node in nodes {
        let log = std::fs::read_to_string(folder.join(format!("{node}.log"))).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(15).collect();
        let lines: Vec<&str> = lines.into_iter().rev().collect();
        text.push_str(&format!("{node}:\n{}\n", lines.join("\n")));
    }
    text
}
