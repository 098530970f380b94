//! Checks that the open files are still the ones under their names.
//!
//! SQLite goes on writing into a file that was deleted, renamed or replaced, and its journal too:
//! all of it is lost at the next start. So the files are compared by device and inode before each
//! operation and after each commit, at the price of a `stat` or two.
//!
//! | what is found under the name | then |
//! | --- | --- |
//! | the file that was opened | the operation goes on |
//! | nothing, or another file | `FileReplaced`; after a commit `InDoubt`, because the change is in the file that is gone |
//! | no answer (permissions, I/O) | the operation goes on: a failed look is no verdict |
//!
//! A file that is moved away and back is the same file again.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::store::error::StoreError;

/// One file, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    /// Returns the file under a name; `None` if there is none.
    pub(super) fn under(path: &Path) -> io::Result<Option<Self>> {
        match fs::metadata(path) {
            Ok(metadata) => Ok(Some(Self::of(&metadata))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns the identity of an open file.
    pub(super) fn of_open(file: &File) -> io::Result<Self> {
        Ok(Self::of(&file.metadata()?))
    }

    fn of(metadata: &fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }
}

/// Returns the name of a file with a suffix.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// The name of a database, and the files that were found under it.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    journal: PathBuf,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// `None` until it was opened for the first time.
    database: Option<Identity>,
    /// `None` while no connection has written to it.
    journal: Option<Identity>,
    connections: usize,
}

impl Place {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            journal: beside(path, "-wal"),
            known: Mutex::default(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks that the open files are still under their names.
    ///
    /// # Errors
    /// `FileReplaced` with a sentence if one is not.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let (database, journal) = {
            let known = self.known();
            (known.database, known.journal)
        };
        compare(&self.path, database, "database file")?;
        compare(&self.journal, journal, "journal of the database")
    }

    /// Notes that a connection was opened: the file under the name is the database now, if none was
    /// known before.
    pub(super) fn opened(self: &Arc<Self>) -> Result<Presence, StoreError> {
        self.check()?;
        let found = Identity::under(&self.path).ok().flatten();
        let mut known = self.known();
        known.database = known.database.or(found);
        known.connections += 1;
        Ok(Presence(self.clone()))
    }

    /// Notes that a writing transaction has begun, so the journal exists now.
    pub(super) fn note_journal(&self) {
        let mut known = self.known();
        if known.journal.is_none() {
            known.journal = Identity::under(&self.journal).ok().flatten();
        }
    }

    /// Returns the name of the journal.
    pub(super) fn journal(&self) -> &Path {
        &self.journal
    }
}

/// One open connection. When the last one ends, SQLite deletes the journal.
#[derive(Debug)]
pub(super) struct Presence(Arc<Place>);

impl Drop for Presence {
    fn drop(&mut self) {
        let mut known = self.0.known();
        known.connections = known.connections.saturating_sub(1);
        if known.connections == 0 {
            known.journal = None;
        }
    }
}

fn compare(path: &Path, expected: Option<Identity>, what: &str) -> Result<(), StoreError> {
    let (Some(expected), Ok(found)) = (expected, Identity::under(path)) else {
        return Ok(());
    };
    let happened = match found {
        Some(found) if found == expected => return Ok(()),
        Some(_) => "was replaced by another file",
        None => "was deleted or moved away",
    };
    Err(StoreError::FileReplaced(format!(
        "the {what} `{}` {happened} while it was open; nothing is saved any more: put the file \
         back under its name, or restart the orchestrator to go on with what is there",
        path.display()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> (tempfile::TempDir, Arc<Place>, Presence) {
        let directory = tempfile::tempdir().unwrap();
        let place = Arc::new(Place::new(&directory.path().join("fleet.db")));
        fs::write(place.path(), "database").unwrap();
        let presence = place.opened().unwrap();
        (directory, place, presence)
    }

    fn is_replaced(place: &Place) -> bool {
        matches!(place.check(), Err(StoreError::FileReplaced(_)))
    }

    #[test]
    fn a_file_that_is_moved_away_and_back_is_the_same_file() {
        let (directory, place, _presence) = place();
        place.check().unwrap();
        let elsewhere = directory.path().join("elsewhere");
        fs::rename(place.path(), &elsewhere).unwrap();
        assert!(is_replaced(&place));
        fs::rename(&elsewhere, place.path()).unwrap();
        place.check().unwrap();
    }

    #[test]
    fn a_copy_under_the_name_is_another_file() {
        let (directory, place, _presence) = place();
        let copy = directory.path().join("copy");
        fs::copy(place.path(), &copy).unwrap();
        fs::rename(&copy, place.path()).unwrap();
        assert!(is_replaced(&place));
        assert!(place.opened().is_err(), "nobody connects to it either");
    }

    #[test]
    fn a_journal_that_is_deleted_is_missed_until_the_last_connection_has_gone() {
        let (_directory, place, presence) = place();
        fs::write(place.journal(), "journal").unwrap();
        place.note_journal();
        place.check().unwrap();
        fs::remove_file(place.journal()).unwrap();
        assert!(is_replaced(&place));
        drop(presence);
        place.check().unwrap();
    }
}
