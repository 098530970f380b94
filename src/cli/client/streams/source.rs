//! The file of an import, which is read more than once.

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io::{self, Seek, SeekFrom, stdin};
use std::time::SystemTime;

use crate::catalogue::{Format, Rows};

/// A file that can be read from the beginning again. What comes from a pipe is copied to a file without
/// a name, which ends with the process.
#[derive(Debug)]
pub(super) struct Source {
    file: File,
    length: u64,
    modified: Option<SystemTime>,
}

impl Source {
    /// Opens a file; `-` is standard input.
    ///
    /// # Errors
    /// Returns why it cannot be read, as a sentence.
    pub(super) fn open(path: &OsStr) -> Result<Self, String> {
        let unreadable = |error: io::Error| format!("the file could not be read: {error}.");
        if path == "-" {
            return Self::copied(stdin().lock()).map_err(unreadable);
        }
        let file = File::open(path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        if metadata.is_dir() {
            return Err("the file is a folder; give a file with streams.".to_owned());
        }
        if !metadata.is_file() {
            return Self::copied(file).map_err(unreadable);
        }
        Ok(Self {
            length: metadata.len(),
            modified: metadata.modified().ok(),
            file,
        })
    }

    fn copied(mut from: impl io::Read) -> io::Result<Self> {
        let mut file = tempfile::tempfile()?;
        let length = io::copy(&mut from, &mut file)?;
        let modified = file.metadata()?.modified().ok();
        Ok(Self {
            file,
            length,
            modified,
        })
    }

    /// Returns its rows from the beginning.
    ///
    /// # Errors
    /// Returns why it cannot be read, as a sentence.
    pub(super) fn rows(&self, format: Format) -> Result<Rows<&File>, String> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(0))
            .map_err(|error| format!("the file could not be read again: {error}."))?;
        Ok(Rows::new(file, format))
    }

    /// Returns its length in bytes.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Returns whether it is still as it was when it was opened.
    pub(super) fn is_unchanged(&self) -> bool {
        let is_same = |metadata: Metadata| {
            metadata.len() == self.length && metadata.modified().ok() == self.modified
        };
        self.file.metadata().is_ok_and(is_same)
    }
}
