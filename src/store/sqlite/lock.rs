//! The lock that gives one process a database file to itself.
//!
//! ```text
//!   free ──take──▶ held ──drop, or the end of the process──▶ free
//!                   └──take by another──▶ `InUse`, at once
//! ```
//!
//! The lock is a `flock` on a file of its own, `FILE.lock`: the kernel frees it when its owner
//! ends, however that happens, so nothing has to be cleaned up after a crash. It is not on the
//! database itself, because SQLite locks that by POSIX locks, and a process loses those when it
//! closes any descriptor of the file. The file names the holder of the lock, for the error of a
//! process that is refused.
//!
//! The owner deletes the file before it frees the lock. A process that had opened the file before
//! that may then hold a lock on a file without a name; it detects that by comparing, and opens the
//! file again.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;

use super::place::{Identity, beside};
use crate::store::error::StoreError;

/// How often a lock file may disappear between opening and locking it. Each time another process
/// has ended cleanly at that moment.
const MOST_TRIES: usize = 100;

/// How much of a lock file is read at most: it should be one short line, but any process may write
/// it.
const MAX_OWNER_BYTES: u64 = 200;

/// The exclusive right to a database file; ends when it is dropped.
#[derive(Debug)]
pub(super) struct FileLock {
    file: File,
    path: PathBuf,
}

impl FileLock {
    /// Takes the lock of a database. `owner` says what this process does with it, for a process
    /// that is refused meanwhile: `at 127.0.0.1:8001`.
    ///
    /// # Errors
    /// `InUse` if another process holds it, `Unusable` if there can be no lock file.
    pub(super) fn take(database: &Path, owner: &str) -> Result<Self, StoreError> {
        let path = beside(&real_name(database), ".lock");
        let unusable = |error: &dyn std::fmt::Display| {
            StoreError::Unusable(format!(
                "the database file `{}` cannot be used: its lock file `{}` cannot be taken: {error}",
                database.display(),
                path.display()
            ))
        };
        for _ in 0..MOST_TRIES {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false);
            // A link may lead to a file of another program, which must not be emptied.
            options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
            let file = options.open(&path).map_err(|error| unusable(&error))?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::INTR) => continue,
                Err(Errno::WOULDBLOCK) => return Err(in_use(database, file)),
                Err(error) => return Err(unusable(&error)),
            }
            let lock = Self {
                file,
                path: path.clone(),
            };
            if lock.is_under_its_name() {
                // A text that is missing from the file is missing from an error only.
                let _ = lock.introduce(owner);
                return Ok(lock);
            }
        }
        Err(unusable(&"other processes take and leave it all the time"))
    }

    fn is_under_its_name(&self) -> bool {
        let found = Identity::under(&self.path).ok().flatten();
        found.is_some() && found == Identity::of_open(&self.file).ok()
    }

    fn introduce(&self, owner: &str) -> std::io::Result<()> {
        let mut file = &self.file;
        file.set_len(0)?;
        writeln!(file, "process {} {owner}", std::process::id())
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // If the file is gone already, another process may have one of that name.
        if self.is_under_its_name() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Returns the database's name without links: one database has one lock, also if a link leads to
/// it.
fn real_name(database: &Path) -> PathBuf {
    if let Ok(real) = database.canonicalize() {
        return real;
    }
    let directory = match database.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    match (directory.canonicalize(), database.file_name()) {
        (Ok(directory), Some(name)) => directory.join(name),
        _ => database.to_owned(),
    }
}

fn in_use(database: &Path, file: File) -> StoreError {
    // Written when the lock was taken, and not since.
    let since = file
        .metadata()
        .and_then(|metadata| metadata.modified())
        .ok();
    let mut text = String::new();
    let _ = file.take(MAX_OWNER_BYTES).read_to_string(&mut text);
    let owner = text.lines().next().unwrap_or_default();
    let mut known: Vec<String> = Vec::new();
    if !owner.is_empty() && !owner.contains(char::is_control) {
        known.push(owner.to_owned());
    }
    if let Some(since) = since {
        known.push(format!(
            "since {}",
            humantime::format_rfc3339_seconds(since)
        ));
    }
    StoreError::InUse(format!(
        "another orchestrator ({}) has the database file `{}` open; stop it first, or set \
         DATABASE_URL to another file",
        known.join(", "),
        database.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(database: &Path) -> String {
        match FileLock::take(database, "as the second").unwrap_err() {
            StoreError::InUse(text) => text,
            other => panic!("another kind of error: {other:?}"),
        }
    }

    #[test]
    fn who_is_refused_is_told_by_whom_and_since_when() {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("fleet.db");
        let _lock = FileLock::take(&database, "at 192.0.2.1:8001").unwrap();
        let text = refusal(&database);
        let process = format!("process {} at 192.0.2.1:8001, since 2", std::process::id());
        assert!(text.contains(&process), "{text}");
        assert!(text.contains("fleet.db"), "{text}");
    }

    #[test]
    fn a_lock_that_is_dropped_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("fleet.db");
        drop(FileLock::take(&database, "first").unwrap());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        FileLock::take(&database, "second").unwrap();
    }

    #[test]
    fn a_lock_file_that_a_dead_process_left_behind_keeps_nobody_out() {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("fleet.db");
        fs::write(beside(&database, ".lock"), "process 1 at 192.0.2.1:8001\n").unwrap();
        let _lock = FileLock::take(&database, "second").unwrap();
        assert!(refusal(&database).contains("second"));
    }

    #[test]
    fn a_link_leads_to_the_same_lock() {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("fleet.db");
        fs::write(&database, "").unwrap();
        let link = directory.path().join("link.db");
        std::os::unix::fs::symlink(&database, &link).unwrap();
        let _lock = FileLock::take(&database, "first").unwrap();
        refusal(&link);
    }

    #[test]
    fn a_lock_file_that_is_a_link_is_refused_and_what_it_leads_to_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("fleet.db");
        let precious = directory.path().join("precious");
        fs::write(&precious, "precious").unwrap();
        std::os::unix::fs::symlink(&precious, beside(&database, ".lock")).unwrap();
        let error = FileLock::take(&database, "first").unwrap_err();
        assert!(matches!(error, StoreError::Unusable(_)), "{error:?}");
        assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
    }

    #[test]
    fn a_lock_file_that_was_deleted_under_its_owner_is_not_deleted_for_the_next() {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("fleet.db");
        let first = FileLock::take(&database, "first").unwrap();
        fs::remove_file(beside(&database, ".lock")).unwrap();
        let _second = FileLock::take(&database, "second").unwrap();
        drop(first);
        assert!(refusal(&database).contains("second"));
    }
}
