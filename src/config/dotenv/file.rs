//! Finds and reads the file, and returns what its lines set.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::grammar::{Entry, Piece, entries};
use crate::config::problem::{Problem, Warning};
use crate::config::table::{CLIENT_CERT, CLIENT_KEY, SERVER_CA, SERVER_KEY, SERVER_URL, find};

/// Far above any file of settings, far below what a device without an end would deliver.
const LARGEST: u64 = 1024 * 1024;

/// The content of a `.env`.
#[derive(Debug, Default)]
pub(in crate::config) struct DotEnv {
    /// The file, when there is one.
    pub(in crate::config) path: Option<PathBuf>,
    /// Its variables.
    pub(in crate::config) values: BTreeMap<String, String>,
    /// Lines that could not be read.
    pub(in crate::config) problems: Vec<Problem>,
    /// Lines that were read and may be mistakes.
    pub(in crate::config) warnings: Vec<Warning>,
}

/// Reads the `.env` of the working directory, or else the nearest one above it; `environment`
/// returns the variables that values refer to.
pub(in crate::config) fn read(environment: impl Fn(&str) -> Option<String>) -> DotEnv {
    match std::env::current_dir() {
        Ok(directory) => read_from(&directory, environment),
        Err(_) => DotEnv::default(),
    }
}

pub(super) fn read_from(directory: &Path, environment: impl Fn(&str) -> Option<String>) -> DotEnv {
    let mut passed_over = Vec::new();
    for above in directory.ancestors() {
        let path = above.join(".env");
        let is_ours = above == directory;
        // A link to a missing file counts as a file.
        let reason = match path.symlink_metadata().and_then(|_| path.metadata()) {
            Ok(found) if found.is_dir() => "is a directory, not a file of settings".to_owned(),
            // Other kinds than files are allowed: a pipe can hand over secrets.
            Ok(_) => {
                let mut read = read_file(path, environment);
                read.warnings.splice(0..0, passed_over);
                return read;
            }
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) && path.symlink_metadata().is_err() =>
            {
                continue;
            }
            // Whether one is there cannot be known; directories of services are often closed.
            Err(_) if !is_ours => continue,
            Err(error) => format!("cannot be read: {error}"),
        };
        let place = path.display().to_string();
        if is_ours {
            return DotEnv {
                path: Some(path),
                problems: vec![Problem::DotEnv { place, reason }],
                ..DotEnv::default()
            };
        }
        passed_over.push(Warning::DotEnv { place, reason });
    }
    DotEnv {
        warnings: passed_over,
        ..DotEnv::default()
    }
}

fn read_file(path: PathBuf, environment: impl Fn(&str) -> Option<String>) -> DotEnv {
    match text_of(&path) {
        Ok(text) => {
            let mut read = parse(&text, &path, environment);
            read.path = Some(path);
            read
        }
        Err(reason) => {
            let place = path.display().to_string();
            DotEnv {
                path: Some(path),
                problems: vec![Problem::DotEnv { place, reason }],
                ..DotEnv::default()
            }
        }
    }
}

fn text_of(path: &Path) -> Result<String, String> {
    let unreadable = |error: io::Error| format!("cannot be read: {error}");
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .map_err(unreadable)?
        .take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > LARGEST {
        return Err(format!("is larger than {LARGEST} bytes"));
    }
    String::from_utf8(bytes).map_err(|_| "is not UTF-8 text".to_owned())
}

/// Reads a text; `environment` has precedence over earlier lines where a value refers to a
/// variable.
pub(super) fn parse(
    text: &str,
    path: &Path,
    environment: impl Fn(&str) -> Option<String>,
) -> DotEnv {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let at = |line: usize| format!("{}, line {line}", path.display());
    let mut read = DotEnv::default();
    let mut lines: BTreeMap<String, usize> = BTreeMap::new();
    for line in entries(text) {
        let Entry {
            line,
            name,
            pieces,
            raw,
        } = match line {
            Ok(entry) => entry,
            Err(fault) => {
                read.problems.push(Problem::DotEnv {
                    place: at(fault.line),
                    reason: fault.reason.to_owned(),
                });
                continue;
            }
        };
        let of_commands = [SERVER_URL, SERVER_CA, SERVER_KEY, CLIENT_CERT, CLIENT_KEY];
        let is_setting = find(&name).is_some() || of_commands.contains(&name.as_str());
        let known = |name: &str| environment(name).or_else(|| read.values.get(name).cloned());
        let value = match resolved(&pieces, known) {
            Ok(value) => value,
            Err(reason) if is_setting => {
                read.problems.push(Problem::DotEnv {
                    place: at(line),
                    reason: format!("{name} {reason}"),
                });
                continue;
            }
            Err(_) => raw.to_owned(),
        };
        if let Some(first) = lines.insert(name.clone(), line)
            && is_setting
        {
            read.warnings.push(Warning::Repeated {
                name: name.clone(),
                file: path.display().to_string(),
                first,
                last: line,
            });
        }
        read.values.insert(name, value);
    }
    read
}

/// Returns the value that pieces make. The error is the end of a sentence that begins with the
/// setting, and repeats nothing of the value, which may be a password.
fn resolved(
    pieces: &[Piece],
    known: impl Fn(&str) -> Option<String>,
) -> Result<String, &'static str> {
    let mut value = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => value.push_str(text),
            Piece::Reference { name, default } => {
                let found = known(name).filter(|found| default.is_none() || !found.is_empty());
                match (found, default) {
                    (Some(found), _) => value.push_str(&found),
                    (None, Some(default)) => value.push_str(default),
                    (None, None) => {
                        return Err("refers with a $ to a variable that is not set; put single \
                                    quotes around a value that holds a $");
                    }
                }
            }
            Piece::Unsupported => {
                return Err(
                    "has a $ that is not understood: write $NAME, ${NAME} or ${NAME:-default}, or \
                     put single quotes around a value that holds a $",
                );
            }
        }
    }
    Ok(value)
}
