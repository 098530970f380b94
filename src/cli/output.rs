//! The program's output: answers on standard output, errors on standard error.

use std::io::{self, BufWriter, Stdout, Write};

use super::exit::Exit;
use crate::logging::escapes::{deceives, escaped_lines};

/// Prints the parser's text: in colour, unless it repeats an argument with a deceptive character.
pub(super) fn show(message: &clap::Error) {
    let text = message.to_string();
    if text.contains(|letter| letter != '\n' && deceives(letter)) {
        complain(text.trim_end());
    } else {
        // A terminal that went away cannot be reported to.
        let _ = message.print();
    }
}

pub(super) fn complain(message: &str) {
    // If standard error is closed, no place is left to report to.
    let _ = writeln!(io::stderr().lock(), "{}", escaped_lines(message));
}

pub(super) fn print(text: &str) -> Exit {
    let mut sink = Sink::default();
    let printed = sink.write(text).and_then(|()| sink.flush());
    printed.err().unwrap_or(Exit::Done)
}

/// Standard output, written piece by piece. An error is the exit code with which the command ends:
/// the reason has been printed, and a reader that has gone (`orchestrator config sample | head`) is no
/// failure.
#[derive(Debug)]
pub(super) struct Sink {
    output: BufWriter<Stdout>,
    /// Written before the next text.
    before: &'static str,
}

impl Default for Sink {
    fn default() -> Self {
        Self {
            output: BufWriter::new(io::stdout()),
            before: "",
        }
    }
}

impl Sink {
    /// Has `before` written before the next text; the text alone decides when.
    pub(super) fn begin(&mut self, before: &'static str) {
        self.before = before;
    }

    /// Writes lines for people, or JSON whose deceptive characters are escaped already.
    ///
    /// # Errors
    /// Returns the exit code with which the command ends.
    pub(super) fn write(&mut self, text: &str) -> Result<(), Exit> {
        self.write_bytes(escaped_lines(text).as_bytes())
    }

    /// Writes a file as it is: it is no text for people, so nothing in it is escaped.
    ///
    /// # Errors
    /// Returns the exit code with which the command ends.
    pub(super) fn write_bytes(&mut self, bytes: &[u8]) -> Result<(), Exit> {
        let before = std::mem::take(&mut self.before);
        let written = self.output.write_all(before.as_bytes());
        written
            .and_then(|()| self.output.write_all(bytes))
            .map_err(|error| ended(&error))
    }

    /// Writes what is kept back.
    ///
    /// # Errors
    /// Returns the exit code with which the command ends.
    pub(super) fn flush(&mut self) -> Result<(), Exit> {
        self.output.flush().map_err(|error| ended(&error))
    }
}

fn ended(error: &io::Error) -> Exit {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Exit::Done;
    }
    complain(&format!(
        "orchestrator: the output could not be written: {error}"
    ));
    Exit::Failed
}
