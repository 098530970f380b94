//! `streams export`: the catalogue as a file that can be imported again.

use std::io::{self, BufWriter, StdoutLock, Write, stdout};

use super::pages::each_stream;
use crate::catalogue::{CsvHead, Format, jsonl_line};
use crate::cli::client::connection::Connection;
use crate::cli::exit::Exit;
use crate::cli::output::complain;

/// Writes every stream with its whole URL to standard output, and returns the exit code. What is
/// written is a file and no text for people, so nothing in it is escaped.
pub(super) fn export(connection: &Connection, format: Format) -> Exit {
    let mut output = Output {
        stdout: BufWriter::new(stdout().lock()),
        is_closed: false,
    };
    let written = match format {
        Format::Csv => csv(connection, &mut output),
        Format::Jsonl | Format::M3u => {
            each_stream(connection, true, |stream| output.write(&jsonl_line(stream)))
        }
    };
    let written = written.and_then(|()| output.flush());
    match written {
        Ok(()) => Exit::Done,
        // `orchestrator streams export | head` is no failure.
        Err(_) if output.is_closed => Exit::Done,
        Err(reason) => {
            complain(&format!("orchestrator: {reason}"));
            Exit::Failed
        }
    }
}

struct Output {
    stdout: BufWriter<StdoutLock<'static>>,
    /// Whether its reader has gone.
    is_closed: bool,
}

impl Output {
    fn write(&mut self, text: &str) -> Result<(), String> {
        let written = self.stdout.write_all(text.as_bytes());
        written.map_err(|error| self.failed(&error))
    }

    fn flush(&mut self) -> Result<(), String> {
        let flushed = self.stdout.flush();
        flushed.map_err(|error| self.failed(&error))
    }

    fn failed(&mut self, error: &io::Error) -> String {
        self.is_closed = error.kind() == io::ErrorKind::BrokenPipe;
        format!("the output could not be written: {error}.")
    }
}

/// Reads the catalogue twice: the header row has the keys of all labels.
fn csv(connection: &Connection, output: &mut Output) -> Result<(), String> {
    let mut head = CsvHead::default();
    each_stream(connection, false, |stream| {
        head.note(stream);
        Ok(())
    })?;
    output.write(&head.line())?;
    each_stream(connection, true, |stream| match head.row(stream) {
        Some(row) => output.write(&row),
        None => Err(
            "a stream got a new label during the export, for which there is no column; the \
                     output is not complete. Repeat the export."
                .to_owned(),
        ),
    })
}
