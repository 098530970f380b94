//! Long answers, written piece by piece while the client reads them.
//!
//! A [`Source`] is asked for more only once its last text has left for the client. So a client that
//! reads slowly holds a page of the list, which shares its rows with the fleet, and the text of one
//! piece; and writing a long list delays no heartbeat.
//!
//! [`Rows`] is a list that is known as a whole; [`Walk`] is read in parts: each row shows the state
//! at which its part was read.

use std::future::Future;

use actix_web::HttpResponse;
use actix_web::web::Bytes;
use futures_util::stream::{self, StreamExt};
use serde::Serialize;

use super::connection::MAX_PIECE;
use super::problem::Problem;

/// The source of an answer's text.
pub(super) trait Source: 'static {
    /// Appends some of the text; returns false once there is no more.
    ///
    /// # Errors
    /// Returns an error if more text is due and cannot be had.
    fn write(&mut self, text: &mut Vec<u8>) -> impl Future<Output = Result<bool, Problem>>;
}

/// Returns 200 with a JSON text: as a whole if it is short, else in pieces. If a later piece cannot
/// be had, the connection is cut, so that no client takes half a list for the whole.
///
/// # Errors
/// Returns an error if the first piece cannot be had.
pub(super) async fn answer(mut source: impl Source) -> Result<HttpResponse, Problem> {
    let mut text = Vec::new();
    let mut goes_on = true;
    while goes_on && text.len() < MAX_PIECE {
        goes_on = source.write(&mut text).await?;
    }
    let mut response = HttpResponse::Ok();
    response.content_type("application/json");
    if !goes_on {
        return Ok(response.body(text));
    }
    let rest = stream::unfold(Some(source), |source| async {
        let mut source = source?;
        // A client that reads as fast as the program writes must not keep others waiting.
        tokio::task::yield_now().await;
        let mut text = Vec::new();
        match source.write(&mut text).await {
            Ok(goes_on) => Some((Ok(Bytes::from(text)), goes_on.then_some(source))),
            Err(problem) => Some((Err(problem), None)),
        }
    });
    let first = stream::iter([Ok(Bytes::from(text))]);
    Ok(response.streaming(first.chain(rest)))
}

/// Appends a value as JSON.
///
/// # Errors
/// Returns 500 if it cannot be written, which would be a fault of this program.
pub(super) fn json(text: &mut Vec<u8>, value: &impl Serialize) -> Result<(), Problem> {
    serde_json::to_writer(text, value).map_err(|error| {
        log::error!(error:%; "an answer could not be written");
        Problem::internal()
    })
}

/// Appends the fields of an object without its braces; returns whether there are any.
///
/// # Errors
/// Returns 500 if it cannot be written, which would be a fault of this program.
fn fields(text: &mut Vec<u8>, object: &impl Serialize) -> Result<bool, Problem> {
    let mut written = Vec::new();
    json(&mut written, object)?;
    let inner = written
        .strip_prefix(b"{")
        .and_then(|rest| rest.strip_suffix(b"}"))
        .unwrap_or_default();
    text.extend_from_slice(inner);
    Ok(!inner.is_empty())
}

/// Returns the text before the rows of a list that is a field of an object: `{`, the other fields
/// of `head`, and the name.
///
/// # Errors
/// Returns 500 if it cannot be written, which would be a fault of this program.
pub(super) fn opening(head: &impl Serialize, name: &str) -> Result<Vec<u8>, Problem> {
    let mut text = b"{".to_vec();
    if fields(&mut text, head)? {
        text.push(b',');
    }
    text.extend_from_slice(format!("\"{name}\":[").as_bytes());
    Ok(text)
}

/// Returns the text after the rows of such a list: `]`, the fields of `tail`, and `}`.
///
/// # Errors
/// Returns 500 if it cannot be written, which would be a fault of this program.
pub(super) fn closing(tail: &impl Serialize) -> Result<Vec<u8>, Problem> {
    let mut text = b"],".to_vec();
    if !fields(&mut text, tail)? {
        text.pop();
    }
    text.push(b'}');
    Ok(text)
}

/// An object without fields, for a list without other fields.
#[derive(Debug, Serialize)]
pub(super) struct Nothing {}

/// A list that is known as a whole, between two texts.
#[derive(Debug)]
pub(super) struct Rows<I> {
    opening: Vec<u8>,
    rows: I,
    closing: Vec<u8>,
    is_first: bool,
}

impl<R: Serialize, I: Iterator<Item = R> + 'static> Rows<I> {
    /// Creates a list between two texts, which complete the rows to JSON.
    pub(super) fn between(
        opening: Vec<u8>,
        rows: impl IntoIterator<IntoIter = I>,
        closing: Vec<u8>,
    ) -> Self {
        Self {
            opening,
            rows: rows.into_iter(),
            closing,
            is_first: true,
        }
    }

    /// Creates an object with the fields of `head`, `rows` as the field `name`, and the fields of
    /// `tail`.
    ///
    /// # Errors
    /// Returns 500 if it cannot be written, which would be a fault of this program.
    pub(super) fn of(
        head: &impl Serialize,
        name: &str,
        rows: impl IntoIterator<IntoIter = I>,
        tail: &impl Serialize,
    ) -> Result<Self, Problem> {
        Ok(Self::between(opening(head, name)?, rows, closing(tail)?))
    }
}

impl<R: Serialize, I: Iterator<Item = R> + 'static> Source for Rows<I> {
    async fn write(&mut self, text: &mut Vec<u8>) -> Result<bool, Problem> {
        text.append(&mut self.opening);
        while text.len() < MAX_PIECE {
            let Some(row) = self.rows.next() else {
                text.append(&mut self.closing);
                return Ok(false);
            };
            if !std::mem::take(&mut self.is_first) {
                text.push(b',');
            }
            json(text, &row)?;
        }
        Ok(true)
    }
}

/// Two sources, one after the other.
#[derive(Debug)]
pub(super) struct Both<A, B> {
    first: Option<A>,
    second: B,
}

impl<A: Source, B: Source> Both<A, B> {
    pub(super) fn new(first: A, second: B) -> Self {
        Self {
            first: Some(first),
            second,
        }
    }
}

impl<A: Source, B: Source> Source for Both<A, B> {
    async fn write(&mut self, text: &mut Vec<u8>) -> Result<bool, Problem> {
        if let Some(first) = &mut self.first {
            if first.write(text).await? {
                return Ok(true);
            }
            self.first = None;
        }
        self.second.write(text).await
    }
}

/// What follows a part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Onward<K> {
    End,
    /// More rows: the part is as long as requested.
    More,
    /// Unknown: the search went as far as this key and goes on after it.
    LookedUpTo(K),
}

/// A part of a list.
#[derive(Debug)]
pub(super) struct Part<L, K> {
    pub(super) lines: Vec<L>,
    /// What follows these rows.
    pub(super) onward: Onward<K>,
}

/// A list that is read in parts.
pub(super) trait Parts: 'static {
    /// The key after which a list goes on.
    type Key: Clone + Serialize + 'static;
    /// A row before it is written: small, or shared.
    type Line: 'static;

    /// Reads at most `most` rows after `after`.
    fn ask(
        &self,
        after: Option<Self::Key>,
        most: usize,
    ) -> impl Future<Output = Result<Part<Self::Line, Self::Key>, Problem>>;

    /// Returns the key of a row.
    fn key(&self, line: &Self::Line) -> Self::Key;

    /// Appends a row as JSON.
    ///
    /// # Errors
    /// Returns 500 if it cannot be written, which would be a fault of this program.
    fn row(&self, text: &mut Vec<u8>, line: Self::Line) -> Result<(), Problem>;

    /// Returns the text after the rows; `next` is the key after which the following page begins.
    ///
    /// # Errors
    /// Returns 500 if it cannot be written, which would be a fault of this program.
    fn closing(&self, next: Option<Self::Key>) -> Result<Vec<u8>, Problem>;
}

/// How many rows are read at once.
const PART: usize = 500;

/// Reads one part after the other, up to a number of rows.
pub(super) struct Walk<P: Parts> {
    parts: P,
    opening: Vec<u8>,
    lines: std::vec::IntoIter<P::Line>,
    /// The key after which the next part begins, unless the list is over.
    onward: Option<Option<P::Key>>,
    /// The last row that was written or is in `lines`.
    last: Option<P::Key>,
    /// How many more rows may be read; `None`: all.
    left: Option<usize>,
    /// The `next` at the end of the answer.
    next: Option<P::Key>,
    is_first: bool,
}

impl<P: Parts> Walk<P> {
    /// Creates the rows after `after`, at most `limit`, with `opening` before them.
    pub(super) fn new(
        parts: P,
        opening: Vec<u8>,
        after: Option<P::Key>,
        limit: Option<usize>,
    ) -> Self {
        Self {
            parts,
            opening,
            lines: Vec::new().into_iter(),
            onward: Some(after),
            last: None,
            left: limit,
            next: None,
            is_first: true,
        }
    }

    /// Reads the next part, if there is one.
    async fn go_on(&mut self, after: Option<P::Key>) -> Result<(), Problem> {
        let most = self.left.map_or(PART, |left| left.min(PART));
        let Part { lines, onward } = self.parts.ask(after, most).await?;
        self.left = self.left.map(|left| left.saturating_sub(lines.len()));
        if let Some(line) = lines.last() {
            self.last = Some(self.parts.key(line));
        }
        self.onward = match onward {
            Onward::End => None,
            // The page is full, and another one is known to follow.
            Onward::More if self.left == Some(0) => {
                self.next = self.last.clone();
                None
            }
            Onward::More => Some(self.last.clone()),
            Onward::LookedUpTo(key) => Some(Some(key)),
        };
        self.lines = lines.into_iter();
        Ok(())
    }
}

impl<P: Parts> Source for Walk<P> {
    async fn write(&mut self, text: &mut Vec<u8>) -> Result<bool, Problem> {
        text.append(&mut self.opening);
        while text.len() < MAX_PIECE {
            if let Some(line) = self.lines.next() {
                if !std::mem::take(&mut self.is_first) {
                    text.push(b',');
                }
                self.parts.row(text, line)?;
            } else if let Some(after) = self.onward.take() {
                self.go_on(after).await?;
            } else {
                text.extend(self.parts.closing(self.next.take())?);
                return Ok(false);
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
