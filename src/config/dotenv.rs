//! The `.env` file: found and parsed here, never loaded into the process's environment.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::problem::Problem;

/// What a `.env` says.
#[derive(Debug, Default)]
pub(super) struct DotEnv {
    /// The file, when there is one.
    pub(super) path: Option<PathBuf>,
    /// Its variables; the first of two equal names counts, as dotenvy has it.
    pub(super) values: BTreeMap<String, String>,
    /// What could not be read.
    pub(super) problems: Vec<Problem>,
}

/// Reads the `.env` of the working directory, or else the nearest one above it.
pub(super) fn read() -> DotEnv {
    let Ok(directory) = std::env::current_dir() else {
        return DotEnv::default();
    };
    let mut candidates = directory
        .ancestors()
        .map(|directory| directory.join(".env"));
    match candidates.find(|path| path.is_file()) {
        Some(path) => read_file(path),
        None => DotEnv::default(),
    }
}

fn read_file(path: PathBuf) -> DotEnv {
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let (values, problems) = parse(&text, &path);
            DotEnv {
                path: Some(path),
                values,
                problems,
            }
        }
        Err(error) => {
            let reason = if error.kind() == io::ErrorKind::InvalidData {
                "the file is not UTF-8 text".to_owned()
            } else {
                format!("the file cannot be read: {error}")
            };
            let problem = Problem::DotEnv {
                place: path.display().to_string(),
                reason,
            };
            DotEnv {
                path: Some(path),
                problems: vec![problem],
                ..DotEnv::default()
            }
        }
    }
}

fn parse(text: &str, path: &Path) -> (BTreeMap<String, String>, Vec<Problem>) {
    let lines_read = Rc::new(Cell::new(0));
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let reader = LineByLine {
        rest: text.as_bytes(),
        lines_read: Rc::clone(&lines_read),
    };
    let mut values: BTreeMap<String, String> = BTreeMap::new();
    let mut problems = Vec::new();
    for entry in dotenvy::Iter::new(reader) {
        match entry {
            Ok((name, value)) => {
                values.entry(name).or_insert(value);
            }
            // The error holds the text of the entry. Only its height is used: an entry can span
            // lines when a quote is left open, and the line to look at is its first.
            Err(dotenvy::Error::LineParse(entry, _)) => {
                let further_lines = entry.trim_end_matches(['\n', '\r']).matches('\n').count();
                let line = lines_read
                    .get()
                    .max(1_usize)
                    .saturating_sub(further_lines)
                    .max(1);
                problems.push(Problem::DotEnv {
                    place: format!("{}, line {line}", path.display()),
                    reason: "is not NAME=value (a value with spaces, # or $ needs single quotes \
                             around it)"
                        .to_owned(),
                });
            }
            Err(error) => {
                let reason = format!("the file cannot be read: {error}");
                problems.push(Problem::DotEnv {
                    place: path.display().to_string(),
                    reason,
                });
                break;
            }
        }
    }
    (values, problems)
}

/// Hands out one line per read, so that the number of lines read so far is the line the parser is
/// at: its errors do not say.
struct LineByLine<'a> {
    rest: &'a [u8],
    lines_read: Rc<Cell<usize>>,
}

impl Read for LineByLine<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let line_end = self
            .rest
            .iter()
            .position(|byte| *byte == b'\n')
            .map(|at| at + 1);
        let length = line_end.unwrap_or(self.rest.len()).min(buffer.len());
        let (line, rest) = self.rest.split_at(length);
        buffer[..length].copy_from_slice(line);
        self.rest = rest;
        let ends_a_line = line.ends_with(b"\n") || (length > 0 && rest.is_empty());
        self.lines_read
            .set(self.lines_read.get() + usize::from(ends_a_line));
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(text: &str) -> Vec<String> {
        let (_, problems) = parse(text, Path::new(".env"));
        let place = |problem| match problem {
            Problem::DotEnv { place, reason } => {
                assert!(!reason.contains("secret"), "{reason}");
                place
            }
            other => panic!("{other}"),
        };
        problems.into_iter().map(place).collect()
    }

    #[test]
    fn reads_values_quotes_and_comments() {
        let text = "\u{feff}# a comment\r\nA=1\r\n\nexport B='two # words'\nA=2\nC=x # rest";
        let (values, problems) = parse(text, Path::new(".env"));
        assert_eq!(problems, []);
        let values: Vec<_> = values
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect();
        assert_eq!(values, [("A", "1"), ("B", "two # words"), ("C", "x")]);
    }

    #[test]
    fn every_malformed_line_is_named_by_its_number_only() {
        assert_eq!(
            places("A=1\n\n# c\nsecret\nB=2\nX=secret words\n"),
            [".env, line 4", ".env, line 6"]
        );
        assert_eq!(places("secret"), [".env, line 1"]);
        let long = format!("A={}\nsecret secret\n", "x".repeat(20_000));
        assert_eq!(places(&long), [".env, line 2"]);
    }

    #[test]
    fn an_open_quote_is_reported_where_it_opens() {
        assert_eq!(places("A=1\nB=\"secret\nC=3\nD=4\n"), [".env, line 2"]);
        assert_eq!(places("A=1\nB='secret\nC=3"), [".env, line 2"]);
    }
}
