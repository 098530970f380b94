//! A connection: how it is opened, used for one transaction after the other, and closed.
//!
//! *Time.* A call has one limit, that of its caller; nothing in here adds another. A transaction
//! that has to wait for another program checks again and again whether its caller still waits, and
//! a caller that gives up before COMMIT was begun knows that nothing was written:
//!
//! ```text
//!   Open ──the body is done──▶ Committing    from here on the outcome may be unknown
//!    └─────time is over──────▶ GivenUp       rolled back, whatever the body still does
//! ```

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::sql_types::Integer;
use diesel::{Connection, QueryableByName, RunQueryDsl, SqliteConnection};

use super::lock::FileLock;
use super::place::{Place, Presence};
use crate::store::error::StoreError;
use crate::store::failure::{Access, at_commit, says_locked};

/// How long one try to begin waits for another program before the caller's wait is checked again.
const BEGIN_SLICE: Duration = Duration::from_millis(100);

/// How long the end waits for other programs that read the file.
const CHECKPOINT_WAIT: Duration = Duration::from_secs(1);

const OPEN: u8 = 0;
const COMMITTING: u8 = 1;
const GIVEN_UP: u8 = 2;

/// How far a transaction has come, agreed between its caller and its thread.
#[derive(Debug, Default)]
pub(super) struct Progress(AtomicU8);

impl Progress {
    /// Ends the wait of the caller. Returns whether nothing was written, and nothing will be.
    pub(super) fn give_up(&self) -> bool {
        self.leave(GIVEN_UP)
    }

    /// Begins the COMMIT, unless the caller has given up.
    fn begin_commit(&self) -> bool {
        self.leave(COMMITTING)
    }

    fn leave(&self, next: u8) -> bool {
        self.0
            .compare_exchange(OPEN, next, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    fn is_given_up(&self) -> bool {
        self.0.load(Ordering::Acquire) == GIVEN_UP
    }
}

/// A connection that can be replaced. It is dropped whenever it may be in the middle of a
/// transaction, and opened again by the next operation.
pub(super) struct Lane {
    place: Arc<Place>,
    access: Access,
    limit: Duration,
    connection: Option<Connected>,
    /// `None` once it is closed.
    lock: Option<Arc<FileLock>>,
}

/// The fields are dropped in this order.
struct Connected {
    connection: SqliteConnection,
    _presence: Presence,
}

impl std::fmt::Debug for Lane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lane")
            .field("path", &self.place.path())
            .field("access", &self.access)
            .finish_non_exhaustive()
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        // The connection ends before the lock.
        self.connection = None;
    }
}

impl Lane {
    pub(super) fn new(
        place: Arc<Place>,
        access: Access,
        limit: Duration,
        lock: Arc<FileLock>,
    ) -> Self {
        Self {
            place,
            access,
            limit,
            connection: None,
            lock: Some(lock),
        }
    }

    fn connected(&mut self) -> Result<Connected, StoreError> {
        match self.connection.take() {
            Some(connected) => Ok(connected),
            None => {
                let connection = connect(self.place.path(), self.access, self.limit)?;
                // A file that was opened by mistake is closed again before anything is written.
                let presence = self.place.opened()?;
                Ok(Connected {
                    connection,
                    _presence: presence,
                })
            }
        }
    }

    /// Runs an operation as one transaction.
    pub(super) fn transaction<T>(
        &mut self,
        progress: &Progress,
        body: impl FnOnce(&mut SqliteConnection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if self.lock.is_none() {
            return Err(StoreError::Unavailable("it is closed".to_owned()));
        }
        self.place.check()?;
        let mut connected = self.connected()?;
        let connection = &mut connected.connection;
        if let Err(error) = begin(connection, self.access, self.limit, progress) {
            // A transaction that could not begin leaves nothing behind.
            if is_locked(&error) {
                self.connection = Some(connected);
            }
            return Err(error.into());
        }
        let writes = self.access == Access::Write;
        if writes {
            self.place.note_journal();
        }
        let mut result = body(connection).map_err(blame);
        if writes && result.is_ok() && !progress.begin_commit() {
            result = Err(StoreError::Unavailable(
                "its caller no longer waits for the change".to_owned(),
            ));
        }
        let ended = match &result {
            Ok(_) => connection.batch_execute("COMMIT").map_err(at_commit),
            // SQLite may have rolled back already; then this fails, and the connection is dropped.
            Err(_) => connection.batch_execute("ROLLBACK").map_err(Into::into),
        };
        match (result, ended) {
            (Ok(value), Ok(())) => {
                self.connection = Some(connected);
                if writes {
                    self.place.check().map_err(committed_elsewhere)?;
                }
                Ok(value)
            }
            (Err(error), Ok(())) => {
                self.connection = Some(connected);
                Err(error)
            }
            (Ok(_), Err(lost)) if writes => Err(lost),
            (result, Err(_)) => result,
        }
    }

    /// Ends the connection of a lane that only reads; the lane is closed.
    pub(super) fn end(&mut self) {
        self.connection = None;
        self.lock = None;
    }

    /// Moves the journal into the file, ends the last connection and frees the lock; the lane is
    /// closed. Every other connection of this process must have ended before.
    ///
    /// # Errors
    /// Returns an error if the file under the name does not have everything that was committed.
    pub(super) fn close(&mut self) -> Result<(), StoreError> {
        let Some(_lock) = self.lock.take() else {
            return Ok(());
        };
        let place = self.place.check();
        let is_needed = self.connection.is_some() || place.is_ok();
        let moved = if is_needed {
            // The file of an open connection is completed wherever it is by now.
            self.connected()
                .and_then(|mut connected| checkpoint(&mut connected.connection, &self.place))
        } else {
            Ok(())
        };
        place.and(moved)
    }
}

/// Returns the error for a file that was found to be gone right after a commit.
fn committed_elsewhere(error: StoreError) -> StoreError {
    StoreError::InDoubt(format!("it was committed, but {error}"))
}

/// Begins a transaction. Waits for another program for as long as the caller waits, and for `limit`
/// if the caller was dropped.
fn begin(
    connection: &mut SqliteConnection,
    access: Access,
    limit: Duration,
    progress: &Progress,
) -> Result<(), diesel::result::Error> {
    let statement = match access {
        Access::Read => "BEGIN",
        Access::Write => "BEGIN IMMEDIATE",
    };
    let mut tries = limit.as_millis().div_ceil(BEGIN_SLICE.as_millis());
    loop {
        tries = tries.saturating_sub(1);
        match connection.batch_execute(statement) {
            Err(error) if is_locked(&error) && tries > 0 && !progress.is_given_up() => {}
            result => return result,
        }
    }
}

/// Returns whether another connection is in the way.
fn is_locked(error: &diesel::result::Error) -> bool {
    says_locked(&error.to_string())
}

/// The texts of SQLite when the file or the machine is at fault. They have one language. Every
/// other error of this program's statements concerns the content: a constraint, a trigger, a size,
/// a type.
const NOT_ABOUT_CONTENT: [&str; 24] = [
    "access permission denied",
    "attempt to write a readonly database",
    "authorization denied",
    "bad parameter or other API misuse",
    "cannot commit",
    "cannot open",
    "cannot rollback",
    "cannot start",
    "database disk image is malformed",
    "database is locked",
    "database or disk is full",
    "database schema",
    "database table is locked",
    "disk I/O error",
    "file is not a database",
    "internal logic error",
    "interrupted",
    "locking protocol",
    "malformed database schema",
    "no such ",
    "out of memory",
    "query aborted",
    "table ",
    "unable to ",
];

/// Returns the error of a statement: the content is at fault unless another cause is known.
fn blame(error: StoreError) -> StoreError {
    match error {
        StoreError::Unavailable(text)
            if !NOT_ABOUT_CONTENT
                .iter()
                .any(|known| text.starts_with(known)) =>
        {
            StoreError::Refused(text)
        }
        error => error,
    }
}

/// Opens a connection with the settings that all of this program's connections have.
pub(super) fn connect(
    path: &Path,
    access: Access,
    limit: Duration,
) -> Result<SqliteConnection, StoreError> {
    let unusable = |error: &dyn std::fmt::Display| {
        let reason = error.to_string();
        if says_locked(&reason) {
            StoreError::Unavailable(format!(
                "the database file `{}` is held by another program: {reason}",
                path.display()
            ))
        } else {
            unusable(path, &reason)
        }
    };
    let text = path
        .to_str()
        .ok_or_else(|| unusable(&"its name is not UTF-8"))?;
    let mut connection = SqliteConnection::establish(text).map_err(|error| unusable(&error))?;
    // The error about another program must arrive before the caller's time is over.
    let patience = limit.mul_f64(0.8);
    let settings = match access {
        // `synchronous = FULL`: every acknowledged change survives a power cut.
        Access::Write => format!(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; {}",
            busy_timeout(patience.min(BEGIN_SLICE))
        ),
        Access::Read => "PRAGMA query_only = ON;".to_owned(),
    };
    connection
        .batch_execute(&format!("{} {settings}", busy_timeout(patience)))
        .map_err(|error| unusable(&error))?;
    Ok(connection)
}

/// Opens a connection on which migrations may take any time.
pub(super) fn connect_for_migrations(
    path: &Path,
    limit: Duration,
) -> Result<SqliteConnection, StoreError> {
    let mut connection = connect(path, Access::Write, limit)?;
    connection.batch_execute(&busy_timeout(limit.mul_f64(0.8)))?;
    Ok(connection)
}

fn busy_timeout(wait: Duration) -> String {
    let milliseconds = wait.as_millis().clamp(1, i32::MAX as u128);
    format!("PRAGMA busy_timeout = {milliseconds};")
}

/// Checks that the folder of a database exists, before any file is created in it.
pub(super) fn check_folder(path: &Path) -> Result<(), StoreError> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
            let reason = format!("there is no directory `{}`", folder.display());
            Err(unusable(path, &reason))
        }
        _ => Ok(()),
    }
}

/// Returns the error for a file that cannot be used.
fn unusable(path: &Path, reason: &dyn std::fmt::Display) -> StoreError {
    StoreError::Unusable(format!(
        "the database file `{}` cannot be used: {reason}",
        path.display()
    ))
}

/// The result of `PRAGMA wal_checkpoint`.
#[derive(QueryableByName)]
struct Checkpoint {
    /// Pages in the journal; 0 once it is truncated.
    #[diesel(sql_type = Integer)]
    log: i32,
    /// How many of them are in the file as well.
    #[diesel(sql_type = Integer)]
    checkpointed: i32,
}

/// Moves everything from the journal into the file.
///
/// # Errors
/// `Unavailable` if another program that reads the file keeps some of it from being moved.
pub(super) fn checkpoint(
    connection: &mut SqliteConnection,
    place: &Place,
) -> Result<(), StoreError> {
    connection.batch_execute(&busy_timeout(CHECKPOINT_WAIT))?;
    let statement = diesel::sql_query("PRAGMA wal_checkpoint(TRUNCATE)");
    let found: Checkpoint = statement.get_result(connection)?;
    if found.log == found.checkpointed {
        return Ok(());
    }
    Err(StoreError::Unavailable(format!(
        "another program reads the database file `{}`, so {} pages of what was saved are in `{}` \
         alone: keep the two files together until the next start",
        place.path().display(),
        found.log.saturating_sub(found.checkpointed),
        place.journal().display()
    )))
}

#[cfg(test)]
mod tests;
