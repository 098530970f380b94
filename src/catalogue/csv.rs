//! CSV as spreadsheets write it: cells with a separator in them, with quotes or with several lines are
//! between quotes, and a quote in such a cell is doubled.
//!
//! A reader of its own, because a file comes from people: a quote that is never closed would make the
//! rest of the file one cell, and this reader names the line in which it was opened.

use super::lines::MAX_LINE;

/// The separators that are found by themselves.
const SEPARATORS: [char; 3] = [',', ';', '\t'];

/// Returns the separator of a header row: the one that it has most of, outside of quotes.
pub(super) fn separator_of(header: &str) -> char {
    let count = |separator: char| {
        let mut is_quoted = false;
        header
            .chars()
            .filter(|letter| {
                is_quoted ^= *letter == '"';
                *letter == separator && !is_quoted
            })
            .count()
    };
    // Of equally many the first is taken, and `max_by_key` takes the last.
    SEPARATORS
        .into_iter()
        .rev()
        .max_by_key(|separator| count(*separator))
        .unwrap_or(',')
}

/// The place of the reader in a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Begin,
    Plain,
    Quoted,
    QuoteInQuoted,
}

/// The outcome of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fed {
    /// The record is complete.
    Complete,
    /// A cell goes on in the next line.
    GoesOn,
    /// The record has more text than a row can have.
    TooLong,
    /// Text follows a closing quote.
    TextBehindQuote,
}

/// A record that is being read, line by line.
#[derive(Debug)]
pub(super) struct Record {
    separator: char,
    cells: Vec<String>,
    cell: String,
    at: At,
    length: usize,
}

impl Record {
    /// Begins a record.
    pub(super) fn new(separator: char) -> Self {
        Self {
            separator,
            cells: Vec::new(),
            cell: String::new(),
            at: At::Begin,
            length: 0,
        }
    }

    /// Reads the next line of the record.
    pub(super) fn feed(&mut self, line: &str) -> Fed {
        self.length += line.len();
        if self.length > MAX_LINE {
            return Fed::TooLong;
        }
        for letter in line.chars() {
            match (self.at, letter) {
                (At::Begin, '"') => self.at = At::Quoted,
                (At::Quoted, '"') => self.at = At::QuoteInQuoted,
                (At::QuoteInQuoted, '"') => {
                    self.cell.push('"');
                    self.at = At::Quoted;
                }
                (At::Begin | At::Plain | At::QuoteInQuoted, letter) if letter == self.separator => {
                    self.end_cell();
                }
                (At::QuoteInQuoted, _) => return Fed::TextBehindQuote,
                (At::Quoted, letter) => self.cell.push(letter),
                (At::Begin | At::Plain, letter) => {
                    self.cell.push(letter);
                    self.at = At::Plain;
                }
            }
        }
        if self.at == At::Quoted {
            self.cell.push('\n');
            return Fed::GoesOn;
        }
        self.end_cell();
        Fed::Complete
    }

    fn end_cell(&mut self) {
        self.cells.push(std::mem::take(&mut self.cell));
        self.at = At::Begin;
    }

    /// Returns the cells of a complete record.
    pub(super) fn into_cells(self) -> Vec<String> {
        self.cells
    }
}

/// Writes a cell, between quotes if it needs them.
pub(super) fn write_cell(text: &mut String, cell: &str) {
    let is_plain = !cell.contains(['"', ',', ';', '\t', '\n', '\r']);
    if is_plain {
        text.push_str(cell);
        return;
    }
    text.push('"');
    text.push_str(&cell.replace('"', "\"\""));
    text.push('"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cells(separator: char, text: &str) -> Result<Vec<String>, Fed> {
        let mut record = Record::new(separator);
        for line in text.split('\n') {
            match record.feed(line) {
                Fed::Complete => return Ok(record.into_cells()),
                Fed::GoesOn => {}
                fault => return Err(fault),
            }
        }
        Err(Fed::GoesOn)
    }

    #[test]
    fn cells_are_read_as_spreadsheets_write_them() {
        for (text, expected) in [
            ("", &[""][..]),
            ("a,b", &["a", "b"]),
            ("a,,b,", &["a", "", "b", ""]),
            ("\"a,b\",c", &["a,b", "c"]),
            ("\"say \"\"hi\"\"\"", &["say \"hi\""]),
            ("\"a\nb\",c", &["a\nb", "c"]),
            ("\"\",x", &["", "x"]),
            ("5\" pipe,x", &["5\" pipe", "x"]),
            (" a , b ", &[" a ", " b "]),
            ("a;b\tc,d", &["a;b\tc", "d"]),
        ] {
            assert_eq!(cells(',', text).unwrap(), expected, "{text}");
        }
        assert_eq!(cells(';', "a,b;c").unwrap(), ["a,b", "c"]);
    }

    #[test]
    fn quotes_that_do_not_fit_are_found() {
        assert_eq!(cells(',', "\"a\"b,c"), Err(Fed::TextBehindQuote));
        assert_eq!(cells(',', "\"a,b\nc,d"), Err(Fed::GoesOn));
        let long = format!("\"{}\n", "x".repeat(1_000)).repeat(2_000);
        assert_eq!(cells(',', &long.replace("\n\"", "\n")), Err(Fed::TooLong));
    }

    #[test]
    fn the_separator_is_the_one_the_header_has_most_of() {
        for (header, separator) in [
            ("id,name", ','),
            ("id;name;url", ';'),
            ("id\tname", '\t'),
            ("name", ','),
            ("id;name;\"label.a,b,c\"", ';'),
            ("a;b,c", ','),
        ] {
            assert_eq!(separator_of(header), separator, "{header}");
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_again(
            record in prop::collection::vec("[a-z\",;\t\n ä]{0,8}", 1..6),
            separator in prop::sample::select(&SEPARATORS[..]),
        ) {
            let mut text = String::new();
            for (index, cell) in record.iter().enumerate() {
                if index > 0 {
                    text.push(separator);
                }
                write_cell(&mut text, cell);
            }
            prop_assert_eq!(cells(separator, &text).unwrap(), record);
        }
    }
}
