//! The last lines of the log, in memory: for an operator who has no access to where it is written.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use log::LevelFilter;

use super::line::Line;

/// The most lines that are kept.
pub const KEPT_LINES: usize = 2_000;

/// The most bytes of messages and fields that are kept.
const KEPT_BYTES: usize = 1024 * 1024;

/// The last lines, oldest first.
#[derive(Debug, Default)]
pub(super) struct LastLines(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<(Arc<Line>, usize)>,
    bytes: usize,
}

impl LastLines {
    /// Keeps a line, and forgets the oldest ones for it. `size` is that of the written line.
    pub(super) fn keep(&self, line: Line, size: usize) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bytes += size;
        kept.lines.push_back((Arc::new(line), size));
        while (kept.lines.len() > KEPT_LINES || kept.bytes > KEPT_BYTES)
            && let Some((_, size)) = kept.lines.pop_front()
        {
            kept.bytes -= size;
        }
    }

    /// Returns the last lines of a level or a graver one, at most so many, oldest first.
    pub(super) fn of(&self, level: LevelFilter, limit: usize) -> Vec<Arc<Line>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let newest_first = kept.lines.iter().rev().map(|(line, _)| line);
        let matching = newest_first.filter(|line| line.level <= level).take(limit);
        let mut lines: Vec<_> = matching.cloned().collect();
        lines.reverse();
        lines
    }
}

#[cfg(test)]
mod tests {
    use log::Level;

    use super::*;

    fn line(level: Level, number: u64) -> Line {
        Line::own(level, "m".to_owned(), ("number", number))
    }

    fn numbers(lines: &[Arc<Line>]) -> Vec<u64> {
        lines
            .iter()
            .map(|line| line.fields[0].1.as_u64().unwrap())
            .collect()
    }

    #[test]
    fn the_last_lines_of_a_level_are_found() {
        let last = LastLines::default();
        for (number, level) in [Level::Error, Level::Info, Level::Warn, Level::Debug]
            .into_iter()
            .enumerate()
        {
            last.keep(line(level, number as u64), 10);
        }
        assert_eq!(numbers(&last.of(LevelFilter::Trace, 10)), [0, 1, 2, 3]);
        assert_eq!(numbers(&last.of(LevelFilter::Info, 2)), [1, 2]);
        assert_eq!(numbers(&last.of(LevelFilter::Error, 2)), [0]);
        assert!(last.of(LevelFilter::Off, 2).is_empty());
    }

    #[test]
    fn lines_and_bytes_are_bounded() {
        let last = LastLines::default();
        for number in 0..KEPT_LINES as u64 + 5 {
            last.keep(line(Level::Info, number), 10);
        }
        let kept = numbers(&last.of(LevelFilter::Info, usize::MAX));
        assert_eq!((kept.len(), kept[0]), (KEPT_LINES, 5));
        last.keep(line(Level::Info, 7), KEPT_BYTES);
        assert_eq!(numbers(&last.of(LevelFilter::Info, usize::MAX)), [7]);
        last.keep(line(Level::Info, 8), KEPT_BYTES + 1);
        assert!(last.of(LevelFilter::Info, usize::MAX).is_empty());
    }
}
