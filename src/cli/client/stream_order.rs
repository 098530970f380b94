//! The orders about the catalogue.

use std::ffi::OsString;

use crate::catalogue::Format;

/// An order about the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) enum StreamsOrder {
    /// That a file is brought into the catalogue.
    Import(ImportOrder),
    /// That the catalogue is written as a file.
    Export(Format),
    /// That streams run.
    Enable(Vec<i64>),
    /// That streams run no longer.
    Disable(Vec<i64>),
    /// That streams are removed from the catalogue.
    Delete(Vec<i64>),
}

/// How a file is brought into the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct ImportOrder {
    /// The file; `-` is standard input.
    pub(in crate::cli) file: OsString,
    /// Its format; `None`: the one its extension stands for.
    pub(in crate::cli) format: Option<Format>,
    /// Whether nothing is changed.
    pub(in crate::cli) dry_run: bool,
    /// Whether the other rows are saved if some cannot be.
    pub(in crate::cli) keep_going: bool,
    /// Whether streams that are not in the file are disabled.
    pub(in crate::cli) prune: bool,
    /// Whether the question before that is answered already.
    pub(in crate::cli) yes: bool,
}
