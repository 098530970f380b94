//! The rows of a file, whatever its format.

use std::io::Read;

use super::columns::Columns;
use super::csv::{Fed, Record, separator_of};
use super::fault::Fault;
use super::format::Format;
use super::jsonl;
use super::lines::Lines;
use super::m3u::M3u;
use super::row::Row;

#[derive(Debug)]
enum Reader {
    /// Its columns and separator, once the header row is read.
    Csv(Option<(Columns, char)>),
    Jsonl,
    M3u(M3u),
}

/// Reads a file row by row.
#[derive(Debug)]
pub(crate) struct Rows<R> {
    lines: Lines<R>,
    reader: Reader,
}

impl<R: Read> Rows<R> {
    /// Starts at the beginning of a file.
    pub(crate) fn new(source: R, format: Format) -> Self {
        Self {
            lines: Lines::new(source),
            reader: match format {
                Format::Csv => Reader::Csv(None),
                Format::Jsonl => Reader::Jsonl,
                Format::M3u => Reader::M3u(M3u::default()),
            },
        }
    }

    /// Returns how many bytes of the file were read.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.lines.bytes_read()
    }

    /// Returns the next row; `None` at the end of the file.
    ///
    /// # Errors
    /// Returns the fault of a row; the next call returns the row behind it, unless the fault ends the
    /// file.
    pub(crate) fn next(&mut self) -> Result<Option<Row>, Fault> {
        loop {
            let line = self.lines.number() + 1;
            let read = match &mut self.reader {
                Reader::Csv(head) => match csv(&mut self.lines, head)? {
                    None => return Ok(None),
                    Some(read) => read,
                },
                Reader::Jsonl => match self.lines.next()? {
                    None => return Ok(None),
                    Some(text) => jsonl::read(line, text)?,
                },
                Reader::M3u(m3u) => match self.lines.next()? {
                    None => return m3u.end().map(|()| None),
                    Some(text) => m3u.feed(line, text)?,
                },
            };
            if read.is_some() {
                return Ok(read);
            }
        }
    }
}

/// Reads a record; the outer `None` is the end of the file, the inner one a record without a row.
fn csv<R: Read>(
    lines: &mut Lines<R>,
    head: &mut Option<(Columns, char)>,
) -> Result<Option<Option<Row>>, Fault> {
    let line = lines.number() + 1;
    let Some((cells, separator)) = record(lines, head.as_ref().map(|(_, found)| *found))? else {
        return Ok(None);
    };
    let row = match head {
        Some((columns, _)) => columns.row(line, cells)?,
        None => {
            *head = Some((Columns::read(line, &cells)?, separator));
            None
        }
    };
    Ok(Some(row))
}

/// Reads the cells of a record, which may have several lines, and returns them with the separator.
fn record<R: Read>(
    lines: &mut Lines<R>,
    separator: Option<char>,
) -> Result<Option<(Vec<String>, char)>, Fault> {
    let begin = lines.number() + 1;
    let Some(first) = lines.next()? else {
        return Ok(None);
    };
    let separator = separator.unwrap_or_else(|| separator_of(first));
    let mut record = Record::new(separator);
    let mut fed = record.feed(first);
    while fed == Fed::GoesOn {
        let Some(next) = lines.next()? else {
            let reason = "opens a cell with a quote that is never closed";
            return Err(Fault::of_file(begin, reason));
        };
        fed = record.feed(next);
    }
    match fed {
        Fed::Complete | Fed::GoesOn => Ok(Some((record.into_cells(), separator))),
        Fed::TooLong => Err(Fault::of_file(
            begin,
            "opens a cell with a quote that is not closed within 1 MiB",
        )),
        Fed::TextBehindQuote => Err(Fault::of_row(
            begin,
            "has text behind the quote that closes a cell; a quote within a cell is doubled",
        )),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    type Placed<T> = Vec<(u64, T)>;

    /// The rows and the faults of a file, each with its line.
    fn read(format: Format, text: &str) -> (Placed<Value>, Placed<String>) {
        let mut rows = Rows::new(text.as_bytes(), format);
        let (mut read, mut faults) = (Vec::new(), Vec::new());
        loop {
            match rows.next() {
                Ok(Some(row)) => read.push((row.line, Value::from(row.fields))),
                Ok(None) => break,
                Err(fault) => {
                    faults.push((fault.line, fault.reason));
                    if fault.ends_the_file {
                        break;
                    }
                }
            }
        }
        (read, faults)
    }

    #[test]
    fn the_same_streams_are_read_from_every_separator_and_line_end() {
        let expected = [
            (2, json!({"id": 1, "name": "news, one"})),
            (4, json!({"id": 2, "name": "jazz"})),
        ];
        for text in [
            "id,name\n1,\"news, one\"\n\n2,jazz\n",
            "\u{feff}id;name\r\n1;news, one\r\n;\r\n2;jazz",
            "id\tname\n1\tnews, one\n\n2\tjazz\n",
        ] {
            assert_eq!(
                read(Format::Csv, text),
                (expected.to_vec(), Vec::new()),
                "{text}"
            );
        }
        let lines = "{\"name\": \"news\"}\r\n\n{\"id\": 2}";
        let expected = vec![(1, json!({"name": "news"})), (3, json!({"id": 2}))];
        assert_eq!(read(Format::Jsonl, lines), (expected, Vec::new()));
    }

    #[test]
    fn a_fault_of_a_row_does_not_hide_the_next_ones() {
        let text = "id,name\n1\nx,b\n3,\"a\"b\n4,ok\n5,\"never\n6,closed\n";
        let (rows, faults) = read(Format::Csv, text);
        assert_eq!(rows, [(5, json!({"id": 4, "name": "ok"}))]);
        let lines: Vec<u64> = faults.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [2, 3, 4, 6], "{faults:?}");
        let (rows, faults) = read(Format::Jsonl, "{\"id\": 1}\n{\n[]\n{\"id\": 2}");
        assert_eq!((rows.len(), faults.len()), (2, 2), "{faults:?}");
        let (rows, faults) = read(Format::M3u, "#EXTINF:-1,a\n#EXTINF:-1,b\nhttp://h/b\n");
        assert_eq!((rows[0].0, faults[0].0), (2, 1));
    }

    #[test]
    fn a_cell_may_have_several_lines_and_its_row_has_the_first() {
        let text = "id,name\n1,\"two\nlines\"\n2,b\n";
        let (rows, faults) = read(Format::Csv, text);
        assert_eq!(faults, []);
        assert_eq!(rows[0], (2, json!({"id": 1, "name": "two\nlines"})));
        assert_eq!(rows[1].0, 4);
    }
}
