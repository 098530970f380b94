//! The lines of a `.env`: names, quotes, escapes, comments, and references to other variables.
//!
//! ```text
//! NAME=value              export NAME=value          # a comment
//! NAME='as it stands'     NAME="with $OTHER and \"escapes\""
//! ```
//!
//! A value without quotes ends at a space; behind it only a comment may stand. Quotes may span lines.
//! A backslash takes the meaning from `\ ' " $` and a space, and `\n` is a line feed, except within
//! single quotes, where everything stands for itself. A `$` that no name, brace or parenthesis
//! follows stands for itself too.

/// A variable and its value, as written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry<'t> {
    /// The line of its name, from 1.
    pub(super) line: usize,
    pub(super) name: String,
    pub(super) pieces: Vec<Piece>,
    /// The text of the value with its quotes.
    pub(super) raw: &'t str,
}

/// A part of a value.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    /// `$NAME`, `${NAME}`, `${NAME:-default}`.
    Reference {
        name: String,
        default: Option<String>,
    },
    /// A `$` with something behind it that a shell would interpret.
    Unsupported,
}

/// The fault of a line, without its text, which may hold a password.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) line: usize,
    pub(super) reason: &'static str,
}

const NOT_A_LINE: &str =
    "is not NAME=value (a value with spaces, # or $ needs single quotes around it)";

/// Returns every entry of a text, and a fault for every line that is none.
pub(super) fn entries(text: &str) -> Vec<Result<Entry<'_>, Fault>> {
    let mut reader = Reader {
        text,
        at: 0,
        line: 1,
    };
    let mut entries = Vec::new();
    while reader.peek().is_some() {
        reader.skip_while(char::is_whitespace);
        match reader.peek() {
            None => {}
            Some('#') => reader.skip_while(|letter| letter != '\n'),
            Some(_) => {
                let line = reader.line;
                let entry = reader.entry().ok_or(Fault {
                    line,
                    reason: NOT_A_LINE,
                });
                if entry.is_err() {
                    reader.skip_while(|letter| letter != '\n');
                }
                entries.push(entry);
            }
        }
    }
    entries
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    line: usize,
}

impl<'t> Reader<'t> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let letter = self.peek()?;
        self.at += letter.len_utf8();
        self.line += usize::from(letter == '\n');
        Some(letter)
    }

    fn take(&mut self, wanted: char) -> Option<()> {
        (self.peek() == Some(wanted))
            .then(|| self.next())
            .map(|_| ())
    }

    fn skip_while(&mut self, skipped: impl Fn(char) -> bool) {
        while self.peek().is_some_and(&skipped) {
            self.next();
        }
    }

    fn taken_while(&mut self, taken: impl Fn(char) -> bool) -> &'t str {
        let from = self.at;
        self.skip_while(taken);
        &self.text[from..self.at]
    }

    /// Reads an entry up to the end of its line; returns `None` if it is none.
    fn entry(&mut self) -> Option<Entry<'t>> {
        let line = self.line;
        let mut name = self.name()?;
        self.skip_while(is_blank);
        if name == "export" && self.peek() != Some('=') {
            name = self.name()?;
            self.skip_while(is_blank);
        }
        self.take('=')?;
        self.skip_while(is_blank);
        let is_comment = self.peek() == Some('#') && self.text[..self.at].ends_with(is_blank);
        let from = self.at;
        let pieces = if is_comment {
            Vec::new()
        } else {
            self.value()?
        };
        let raw = &self.text[from..self.at];
        self.skip_while(is_blank);
        if self.peek() == Some('#') {
            self.skip_while(|letter| letter != '\n');
        }
        match self.peek() {
            None | Some('\n') => Some(Entry {
                line,
                name: name.to_owned(),
                pieces,
                raw,
            }),
            Some(_) => None,
        }
    }

    fn name(&mut self) -> Option<&'t str> {
        let begins = |letter: char| letter.is_ascii_alphabetic() || letter == '_';
        self.peek().filter(|first| begins(*first))?;
        Some(self.taken_while(|letter| begins(letter) || letter.is_ascii_digit() || letter == '.'))
    }

    /// Reads a value up to the first space outside quotes; returns `None` if a quote is left open.
    fn value(&mut self) -> Option<Vec<Piece>> {
        let mut pieces = Vec::new();
        loop {
            match self.peek() {
                None | Some('\n') => return Some(pieces),
                Some(letter) if is_blank(letter) => return Some(pieces),
                Some('\'') => {
                    self.next();
                    let text = self.taken_while(|letter| letter != '\'');
                    self.take('\'')?;
                    push(&mut pieces, text);
                }
                Some('"') => {
                    self.next();
                    while self.peek()? != '"' {
                        self.unit(&mut pieces)?;
                    }
                    self.next();
                }
                Some(_) => self.unit(&mut pieces)?,
            }
        }
    }

    /// Reads one character, escape or reference where they have a meaning.
    fn unit(&mut self, pieces: &mut Vec<Piece>) -> Option<()> {
        match self.next()? {
            '\\' => match self.next()? {
                'n' => push(pieces, "\n"),
                escaped @ ('\\' | '\'' | '"' | '$' | ' ') => {
                    push(pieces, escaped.encode_utf8(&mut [0; 4]))
                }
                _ => return None,
            },
            '$' => {
                let piece = self.reference()?;
                match piece {
                    Piece::Text(text) => push(pieces, &text),
                    other => pieces.push(other),
                }
            }
            letter => push(pieces, letter.encode_utf8(&mut [0; 4])),
        }
        Some(())
    }

    /// Reads the text behind a `$`; returns `None` if a brace is left open.
    fn reference(&mut self) -> Option<Piece> {
        match self.peek() {
            Some('{') => {
                self.next();
                let inside = self.taken_while(|letter| letter != '}' && letter != '\n');
                self.take('}')?;
                Some(braced(inside))
            }
            Some('(') => Some(Piece::Unsupported),
            Some(first) if first.is_ascii_alphabetic() || first == '_' => {
                let name =
                    self.taken_while(|letter| letter.is_ascii_alphanumeric() || letter == '_');
                Some(Piece::Reference {
                    name: name.to_owned(),
                    default: None,
                })
            }
            _ => Some(Piece::Text("$".to_owned())),
        }
    }
}

/// Interprets the text between `${` and `}`.
fn braced(inside: &str) -> Piece {
    let end = inside
        .find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
        .unwrap_or(inside.len());
    let (name, rest) = inside.split_at(end);
    let is_name = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    let default = rest.strip_prefix(":-");
    let is_plain = default.is_none_or(|text| !text.contains(['$', '\'', '"', '\\', '`']));
    if !is_name || !is_plain || (default.is_none() && !rest.is_empty()) {
        return Piece::Unsupported;
    }
    Piece::Reference {
        name: name.to_owned(),
        default: default.map(str::to_owned),
    }
}

fn push(pieces: &mut Vec<Piece>, text: &str) {
    if let Some(Piece::Text(last)) = pieces.last_mut() {
        last.push_str(text);
    } else {
        pieces.push(Piece::Text(text.to_owned()));
    }
}

const fn is_blank(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\r')
}
