//! Files of the catalogue: lists of streams as CSV, JSON lines or M3U, read row by row.
//!
//! A file is never held as a whole: reading holds one row (a line, or in M3U a few) of lines of at most
//! 1 MiB. Only `keys.rs` grows with the file: by two fingerprints for each row. Values are judged by the
//! orchestrator, which is asked before anything is saved; here is judged only what it cannot see: the
//! form of the file, the names of its columns, and whether two rows are about the same stream.

mod columns;
mod csv;
mod export;
mod fault;
mod format;
mod jsonl;
mod keys;
mod lines;
mod m3u;
mod row;
mod rows;

pub(crate) use export::{CsvHead, jsonl_line};
pub(crate) use fault::Fault;
pub(crate) use format::Format;
pub(crate) use keys::Keys;
pub(crate) use row::{Key, Row};
pub(crate) use rows::Rows;
