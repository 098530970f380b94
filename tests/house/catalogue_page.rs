//! The examples of docs/CATALOGUE.md: each file is written, each command run, each output compared.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene up has failed"
)]

use std::fs;
use std::path::Path;
use std::process::Stdio;

use crate::support::process::{command, start};
use tempfile::tempdir;

/// A block of the page.
enum Block {
    File { name: String, text: String },
    Console(Vec<(Vec<String>, String)>),
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix("```") else {
            continue;
        };
        let text: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let text = text.join("\n") + "\n";
        blocks.push(match info.split_once(' ') {
            Some((_, name)) => Block::File {
                name: name.to_owned(),
                text,
            },
            None => Block::Console(calls(&text)),
        });
    }
    blocks
}

/// Each command with its output.
fn calls(text: &str) -> Vec<(Vec<String>, String)> {
    let calls = text.split("$ orchestrator ").skip(1);
    let call = |call: &str| {
        let (arguments, output) = call.split_once('\n').unwrap();
        let arguments = arguments.split(' ').map(str::to_owned).collect();
        (arguments, output.to_owned())
    };
    calls.map(call).collect()
}

#[test]
fn each_example_of_the_page_does_what_is_printed() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/CATALOGUE.md"));
    let folder = tempdir().unwrap();
    let orchestrator = start(folder.path(), &[]);
    let environment = [("ORCHESTRATOR_URL", orchestrator.address())];
    let mut commands = 0;
    for block in blocks(&page.unwrap()) {
        match block {
            Block::File { name, text } => fs::write(folder.path().join(name), text).unwrap(),
            Block::Console(calls) => {
                for (arguments, expected) in calls {
                    let mut command = command(folder.path(), &environment);
                    let output = command
                        .args(&arguments)
                        .stdout(Stdio::piped())
                        .output()
                        .unwrap();
                    let printed = String::from_utf8(output.stdout).unwrap()
                        + &String::from_utf8(output.stderr).unwrap();
                    assert_eq!(printed, expected, "{arguments:?}");
                    commands += 1;
                }
            }
        }
    }
    assert!(commands > 10, "the page has examples");
}
