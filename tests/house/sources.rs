//! The project's own source files, read as text.
#![expect(clippy::unwrap_used, reason = "what cannot be read fails the test")]

use std::fs;
use std::path::{Path, PathBuf};

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below a folder of the project, with its text.
pub(crate) fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                files.push((path, text));
            }
        }
    }
    files.sort();
    assert!(!files.is_empty(), "no sources below {folder}");
    files
}

/// The file without comments and text literals, line by line: what it does, not what it says.
pub(crate) fn code(text: &str) -> impl Iterator<Item = (usize, String)> {
    text.lines().enumerate().map(|(number, line)| {
        let line = line.split("//").next().unwrap_or_default();
        let outside: String = line.split('"').step_by(2).collect::<Vec<_>>().join("\"\"");
        (number + 1, outside)
    })
}

/// Stands for whatever a text has in a place that is filled in later.
pub(crate) const ANYTHING: char = '\u{1}';

/// Every text literal of a piece of code with the line it begins in, its gaps marked; comments
/// must be lines of their own.
pub(crate) fn literals(code: &str) -> Vec<(usize, String)> {
    let is_comment = |line: &&str| line.trim_start().starts_with("//");
    let code: Vec<&str> = code
        .lines()
        .map(|line| if is_comment(&line) { "" } else { line })
        .collect();
    let code = code.join("\n");
    let line = std::cell::Cell::new(1);
    let mut chars = code
        .chars()
        .inspect(|c| line.set(line.get() + usize::from(*c == '\n')))
        .peekable();
    let mut literals = Vec::new();
    while let Some(c) = chars.next() {
        match c {
            // A character, which may be a quotation mark.
            '\'' if chars.peek() == Some(&'"') => drop(chars.next()),
            '"' => {
                let began = line.get();
                let mut literal = String::new();
                let mut depth = 0;
                while let Some(c) = chars.next().filter(|c| *c != '"') {
                    match c {
                        '\\' => match chars.next() {
                            Some('\n') => while chars.next_if(|c| c.is_whitespace()).is_some() {},
                            escaped => literal.extend(escaped),
                        },
                        '{' => depth += 1,
                        '}' => {
                            depth -= 1;
                            literal.push(ANYTHING);
                        }
                        c if depth <= 0 => literal.push(c),
                        _ => {}
                    }
                }
                literals.push((began, literal));
            }
            _ => {}
        }
    }
    literals
}
