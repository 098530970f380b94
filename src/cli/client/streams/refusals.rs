//! The rows that cannot be imported: the first by line, and the number of the others.

use crate::catalogue::Fault;
use crate::cli::client::numbers::counted;

/// How many are printed.
const SHOWN: usize = 20;

/// How many are kept, so that the first ones by line are among them: batches are checked out of order.
const KEPT: usize = 1_000;

/// Rows that cannot be imported.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    kept: Vec<Fault>,
    /// The lines of all, to be left out when the others are saved.
    lines: Vec<u64>,
    /// Whether the rest of the file could not be read.
    end_the_file: bool,
}

impl Refusals {
    /// Notes a row.
    pub(super) fn note(&mut self, fault: Fault) {
        self.lines.push(fault.line);
        self.end_the_file |= fault.ends_the_file;
        if self.kept.len() < KEPT {
            self.kept.push(fault);
        }
    }

    /// Returns how many there are.
    pub(super) fn count(&self) -> u64 {
        self.lines.len() as u64
    }

    /// Returns whether the rest of the file could not be read.
    pub(super) fn end_the_file(&self) -> bool {
        self.end_the_file
    }

    /// Returns the lines, ascending.
    pub(super) fn lines(&self) -> Vec<u64> {
        let mut lines = self.lines.clone();
        lines.sort_unstable();
        lines
    }

    /// Returns one line for each of the first, and one with the number of the others.
    pub(super) fn report(&self) -> String {
        let mut kept: Vec<&Fault> = self.kept.iter().collect();
        kept.sort_by_key(|fault| fault.line);
        let shown = kept.iter().take(SHOWN);
        let mut text: Vec<String> = shown.map(|fault| format!("  {fault}.")).collect();
        let others = self.count().saturating_sub(text.len() as u64);
        if others > 0 {
            text.push(format!("  and {} more.", counted(others, "row")));
        }
        text.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_are_shown_by_line_and_the_others_counted() {
        let mut refusals = Refusals::default();
        for line in (2..=23).rev() {
            refusals.note(Fault::of_row(line, "has no name"));
        }
        let report = refusals.report();
        let lines: Vec<&str> = report.lines().collect();
        assert_eq!(lines[0], "  line 2 has no name.");
        assert_eq!(lines[19], "  line 21 has no name.");
        assert_eq!(lines[20..], ["  and 2 rows more."]);
        assert_eq!((refusals.count(), refusals.lines()[0]), (22, 2));
        assert!(!refusals.end_the_file());
    }

    #[test]
    fn the_end_of_a_file_is_not_forgotten_behind_many_faults() {
        let mut refusals = Refusals::default();
        for line in 1..=KEPT as u64 {
            refusals.note(Fault::of_row(line, "has no name"));
        }
        assert!(!refusals.end_the_file());
        refusals.note(Fault::of_file(5_000, "is not UTF-8"));
        assert!(refusals.end_the_file());
    }
}
