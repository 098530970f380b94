//! docs/CLUSTER.md, followed word for word: its commands make, break and mend a cluster of real processes.
#![expect(clippy::unwrap_used, reason = "what cannot be prepared fails the test")]

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use crate::support::postgres::Database;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tempfile::{TempDir, tempdir};

/// The shell commands of the story, block by block.
fn blocks() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/CLUSTER.md")).unwrap();
    let story = page.split("## Try it on one machine\n").nth(1).unwrap();
    let story = story.split("\n## ").next().unwrap();
    let others = page.replace(story, "");
    assert!(
        !others.contains("```sh\n"),
        "the commands of another chapter are run by no test"
    );
    story
        .split("```sh\n")
        .skip(1)
        .map(|block| block.split("```").next().unwrap().to_owned())
        .collect()
}

/// A folder in which the commands run. The orchestrators that they start end with it.
struct Reader {
    folder: TempDir,
    programs: TempDir,
    database: String,
    ports: [String; 3],
}

impl Reader {
    fn new(database: String) -> Self {
        let programs = tempdir().unwrap();
        let program = programs.path().join("orchestrator");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_orchestrator"), program).unwrap();
        // All at once, so that they are three.
        let held = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let ports = held
            .each_ref()
            .map(|held| held.local_addr().unwrap().port().to_string());
        Self {
            folder: tempdir().unwrap(),
            programs,
            database,
            ports,
        }
    }

    /// Runs a block as it stands there, but for the database and the ports, and returns what it prints.
    fn follows(&self, block: &str) -> String {
        let mut script = block.replace(
            "postgres://user:password@db.example/orchestrator",
            &self.database,
        );
        for (written, free) in ["8001", "8002", "8003"].iter().zip(&self.ports) {
            script = script.replace(written, free);
        }
        let path = format!(
            "{}:/usr/local/bin:/usr/bin:/bin",
            self.programs.path().display()
        );
        let output = Command::new("timeout")
            .args(["90", "bash", "-euo", "pipefail", "-c", &script])
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", path)
            .output()
            .unwrap();
        let printed = [output.stdout, output.stderr].concat();
        let printed = String::from_utf8_lossy(&printed).into_owned();
        assert!(
            output.status.success(),
            "{script}\n{printed}\n{}",
            self.logs()
        );
        printed
    }

    fn logs(&self) -> String {
        ["a", "b", "c"]
            .map(|node| {
                let log = fs::read_to_string(self.folder.path().join(format!("{node}.log")));
                format!("{node}: {}", log.unwrap_or_default())
            })
            .join("\n")
    }

    /// The processes that the commands left behind.
    fn processes(&self) -> impl Iterator<Item = Pid> {
        ["a.pid", "b.pid", "c.pid"].into_iter().filter_map(|file| {
            let text = fs::read_to_string(self.folder.path().join(file)).ok()?;
            Pid::from_raw(text.trim().parse().ok()?)
        })
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        for process in self.processes() {
            let _ = kill_process(process, Signal::KILL);
        }
    }
}

fn has(printed: &str, parts: &[&str]) {
    for part in parts {
        let lines = printed.lines().map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words.join(" ")
        });
        let found = lines.into_iter().any(|line| line.contains(part));
        assert!(found, "{part:?} is missing in\n{printed}");
    }
}

#[test]
fn the_page_about_several_orchestrators_works_word_for_word() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let database = runtime.block_on(Database::new());
    let reader = Reader::new(database.url());
    let blocks = blocks();
    let [
        settings,
        two,
        worker,
        look,
        dies,
        third,
        hands_over,
        leaves,
        end,
    ] = blocks.as_slice()
    else {
        panic!("the story has other blocks: {blocks:#?}");
    };
    let url = |member: usize| format!("http://127.0.0.1:{}", reader.ports[member]);
    reader.follows(settings);
    has(&reader.follows(two), &["b standby ready yes"]);
    has(
        &reader.follows(worker),
        &["1 created, 0 updated", "\"assigned_streams\":[1]"],
    );
    has(
        &reader.follows(look),
        &["this one a, leader", "b standby ready yes", "1 news"],
    );
    let note = format!(
        "orchestrator: no orchestrator answers at {}. {} answers.",
        url(0),
        url(1)
    );
    has(
        &reader.follows(dies),
        &[
            "heartbeat_updated",
            &note,
            "this one b, leader",
            "1 news",
            "alpha",
        ],
    );
    has(
        &reader.follows(third),
        &["a standby ready yes", "c standby ready yes"],
    );
    let led = format!("`c` leads at {}.", url(2));
    has(&reader.follows(hands_over), &[&led, "b standby ready yes"]);
    let left = reader.follows(leaves);
    has(&left, &["a standby away", "`a` is forgotten."]);
    let last = left.rsplit("is forgotten.").next().unwrap();
    has(last, &["leader c", "b standby ready yes"]);
    assert!(!last.contains("a   "), "{last}");
    reader.follows(end);
    let processes: Vec<Pid> = reader.processes().collect();
    crate::patience::until("the members end", || {
        let has_ended = |process: &Pid| test_kill_process(*process).is_err();
        processes.iter().all(has_ended).then_some(())
    });
}
