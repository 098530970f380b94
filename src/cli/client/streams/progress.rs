//! A line on a terminal that says how far a change of the catalogue is.

use std::io::{IsTerminal, Write, stderr, stdout};

use crate::cli::client::numbers::counted;

/// Shows one line, which the next replaces; shows nothing if standard error is no terminal.
#[derive(Debug)]
pub(super) struct Progress {
    is_shown: bool,
    length: u64,
    width: usize,
}

impl Progress {
    /// Creates the line for a file of so many bytes, or for so many streams; nothing is shown yet.
    pub(super) fn new(length: u64) -> Self {
        Self {
            is_shown: stderr().is_terminal(),
            length,
            width: 0,
        }
    }

    /// Creates the line beside rows on standard output: they would stand in it on the same terminal.
    pub(super) fn beside_rows() -> Self {
        let line = Self::new(0);
        Self {
            is_shown: line.is_shown && !stdout().is_terminal(),
            ..line
        }
    }

    /// Shows how much of it was checked, saved or changed.
    pub(super) fn show(&mut self, verb: &str, done: u64) {
        self.replace(&bar(verb, done, self.length));
    }

    /// Shows how many streams were read, of a number that is not known.
    pub(super) fn count(&mut self, verb: &str, streams: u64) {
        self.replace(&format!("{verb} {}", counted(streams, "stream")));
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

fn bar(verb: &str, done: u64, length: u64) -> String {
    let percent = done.min(length) * 100 / length.max(1);
    let bar = "#".repeat(usize::try_from(percent / 5).unwrap_or_default());
    format!("{verb} [{bar:20}] {percent} %")
}

#[cfg(test)]
mod tests {
    use super::bar;

    #[test]
    fn a_bar_is_full_at_the_end_and_never_longer() {
        assert_eq!(bar("deleted", 1, 4), "deleted [#####               ] 25 %");
        for done in [4, 9] {
            assert_eq!(bar("saved", done, 4), "saved [####################] 100 %");
        }
        assert_eq!(bar("saved", 0, 0), "saved [                    ] 0 %");
    }
}
