//! A line on a terminal that says how far an import is.

use std::io::{IsTerminal, Write, stderr};

/// Shows one line, which the next replaces; shows nothing if standard error is no terminal.
#[derive(Debug)]
pub(super) struct Progress {
    is_shown: bool,
    length: u64,
    width: usize,
}

impl Progress {
    /// Creates the line for a file of so many bytes; nothing is shown yet.
    pub(super) fn new(length: u64) -> Self {
        Self {
            is_shown: stderr().is_terminal(),
            length,
            width: 0,
        }
    }

    /// Shows how much of the file was checked or saved.
    pub(super) fn show(&mut self, verb: &str, bytes: u64) {
        let percent = bytes.min(self.length) * 100 / self.length.max(1);
        let bar = "#".repeat(usize::try_from(percent / 5).unwrap_or_default());
        self.replace(&format!("{verb} [{bar:20}] {percent} %"));
    }

    /// Removes the line, so that something else can be printed.
    pub(super) fn clear(&mut self) {
        if self.width > 0 {
            self.replace("");
        }
    }

    fn replace(&mut self, text: &str) {
        if !self.is_shown {
            return;
        }
        let width = self.width;
        // A terminal that went away cannot be written to.
        let mut terminal = stderr().lock();
        let _ = write!(terminal, "\r{text:width$}\r");
        let _ = terminal.flush();
        self.width = text.len();
    }
}
