//! The lines of a file: numbered, bounded, UTF-8.

use std::io::{BufRead, BufReader, Read};

use super::fault::Fault;

/// The longest line, in bytes. The longest row there can be, with 64 labels and as many conditions of
/// the greatest length, is shorter.
pub(super) const MAX_LINE: usize = 1024 * 1024;

/// How much is read from the file at once.
const BUFFER: usize = 64 * 1024;

/// U+FEFF as UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Reads lines, which end with LF or CRLF; the last may end with the file. A byte-order mark at the
/// beginning is skipped.
#[derive(Debug)]
pub(super) struct Lines<R> {
    source: BufReader<R>,
    buffer: Vec<u8>,
    number: u64,
    read: u64,
}

impl<R: Read> Lines<R> {
    /// Starts at the beginning of the file.
    pub(super) fn new(source: R) -> Self {
        Self {
            source: BufReader::with_capacity(BUFFER, source),
            buffer: Vec::new(),
            number: 0,
            read: 0,
        }
    }

    /// Returns how many bytes of the file were read.
    pub(super) fn bytes_read(&self) -> u64 {
        self.read
    }

    /// Returns the number of the line that was returned last.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Returns the next line without its end.
    pub(super) fn next(&mut self) -> Result<Option<&str>, Fault> {
        self.buffer.clear();
        self.number += 1;
        let line = self.number;
        // One byte more for the LF, and one to notice that the line is longer.
        let most = MAX_LINE as u64 + 2;
        let mut bounded = self.source.by_ref().take(most);
        let count = bounded
            .read_until(b'\n', &mut self.buffer)
            .map_err(|error| Fault::of_file(line, format!("could not be read: {error}")))?;
        if count == 0 {
            return Ok(None);
        }
        self.read += count as u64;
        if line == 1 {
            if self.buffer.starts_with(b"\xFF\xFE") || self.buffer.starts_with(b"\xFE\xFF") {
                return Err(utf_16(line));
            }
            if self.buffer.starts_with(BYTE_ORDER_MARK) {
                self.buffer.drain(..BYTE_ORDER_MARK.len());
            }
        }
        if self.buffer.last() == Some(&b'\n') {
            self.buffer.pop();
        }
        if self.buffer.len() > MAX_LINE {
            return Err(Fault::of_file(
                line,
                "is longer than 1 MiB, which no row is; check that the file is a list of streams, with \
                 one line for each",
            ));
        }
        if self.buffer.last() == Some(&b'\r') {
            self.buffer.pop();
        }
        if self.buffer.contains(&0) {
            return Err(utf_16(line));
        }
        match std::str::from_utf8(&self.buffer) {
            Ok(text) => Ok(Some(text)),
            Err(error) => Err(Fault::of_file(
                line,
                format!(
                    "is not UTF-8 (byte {} of the line); save the file as UTF-8, or convert it, from \
                     Latin-1 with `iconv -f ISO-8859-1 -t UTF-8`",
                    error.valid_up_to() + 1
                ),
            )),
        }
    }
}

fn utf_16(line: u64) -> Fault {
    Fault::of_file(
        line,
        "is UTF-16 or no text at all; save the file as UTF-8, or convert it with `iconv -f UTF-16 -t \
         UTF-8`",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Result<Vec<String>, Fault> {
        let mut lines = Lines::new(bytes);
        let mut read = Vec::new();
        while let Some(line) = lines.next()? {
            read.push(line.to_owned());
        }
        Ok(read)
    }

    #[test]
    fn lines_end_with_lf_or_crlf_and_a_mark_is_skipped() {
        for (bytes, expected) in [
            (&b""[..], &[][..]),
            (b"a", &["a"]),
            (b"a\nb\n", &["a", "b"]),
            (b"a\r\n\r\nb", &["a", "", "b"]),
            (b"\xEF\xBB\xBFa\n", &["a"]),
            (b"a\n\xEF\xBB\xBFb\n", &["a", "\u{feff}b"]),
            (b"a\rb\n", &["a\rb"]),
        ] {
            assert_eq!(all(bytes).unwrap(), expected, "{bytes:?}");
        }
    }

    #[test]
    fn other_encodings_are_named_with_the_line() {
        for (bytes, line, word) in [
            (&b"\xFF\xFEn\0a\0"[..], 1, "UTF-16"),
            (b"\xFE\xFF\0n", 1, "UTF-16"),
            (b"name\nr\0a\0\n", 2, "UTF-16"),
            (b"name\nM\xFCller\n", 2, "byte 2"),
        ] {
            let fault = all(bytes).unwrap_err();
            assert!(fault.ends_the_file);
            assert_eq!(fault.line, line, "{bytes:?}");
            assert!(fault.reason.contains(word), "{fault}");
            assert!(fault.reason.contains("iconv"), "{fault}");
        }
    }

    #[test]
    fn a_line_that_no_row_has_is_refused_before_it_is_read() {
        let longest = vec![b'x'; MAX_LINE];
        assert_eq!(all(&longest).unwrap()[0].len(), MAX_LINE);
        let mut lines = Lines::new(std::io::repeat(b'x'));
        let fault = lines.next().unwrap_err();
        assert_eq!(fault.line, 1);
        assert!(fault.reason.contains("1 MiB"), "{fault}");
    }
}
