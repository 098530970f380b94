//! `streams export`: the catalogue as a file that can be imported again.

use super::pages::each_stream;
use super::progress::Progress;
use crate::catalogue::{CsvHead, Format, jsonl_line};
use crate::cli::client::connection::Connection;
use crate::cli::exit::Exit;
use crate::cli::output::{Sink, complain};

/// After how many streams the progress is shown anew.
const SHOWN_AT_ONCE: u64 = 5_000;

/// Writes every stream with its whole URL to standard output, and returns the exit code. What is
/// written is a file and no text for people, so nothing in it is escaped.
pub(super) fn export(connection: &Connection, format: Format) -> Exit {
    let mut output = Output::default();
    let written = match format {
        Format::Csv => csv(connection, &mut output),
        Format::Jsonl | Format::M3u => {
            each_stream(connection, true, |stream| output.row(&jsonl_line(stream)))
        }
    };
    output.progress.clear();
    let written = written.and_then(|()| {
        let flushed = output.sink.flush();
        flushed.map_err(|exit| output.ended(exit))
    });
    match (written, output.exit) {
        (Ok(()), _) => Exit::Done,
        (Err(_), Some(exit)) => exit,
        (Err(reason), None) => {
            complain(&format!("orchestrator: {reason}"));
            Exit::Failed
        }
    }
}

struct Output {
    sink: Sink,
    progress: Progress,
    rows: u64,
    /// Set once the output has ended; its reason has been printed.
    exit: Option<Exit>,
}

impl Default for Output {
    fn default() -> Self {
        Self {
            sink: Sink::default(),
            progress: Progress::beside_rows(),
            rows: 0,
            exit: None,
        }
    }
}

impl Output {
    /// Writes the line of a stream.
    fn row(&mut self, text: &str) -> Result<(), String> {
        self.rows += 1;
        if self.rows.is_multiple_of(SHOWN_AT_ONCE) {
            self.progress.count("exported", self.rows);
        }
        self.write(text)
    }

    fn write(&mut self, text: &str) -> Result<(), String> {
        let written = self.sink.write_bytes(text.as_bytes());
        written.map_err(|exit| self.ended(exit))
    }

    fn ended(&mut self, exit: Exit) -> String {
        self.exit = Some(exit);
        String::new()
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
        Some(row) => output.row(&row),
        None => Err(
            "a stream got a new label during the export, for which there is no column; the \
                     output is not complete. Repeat the export."
                .to_owned(),
        ),
    })
}
