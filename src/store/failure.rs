//! The meaning of a database's error for the work that it ended.

use diesel::result::{DatabaseErrorKind, Error};

use super::error::StoreError;

/// Whether an operation may change anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// It reads one moment of the database.
    Read,
    /// It changes the database, all or nothing.
    Write,
}

impl Access {
    /// Returns the error of an operation that was abandoned when it could no longer be stopped.
    pub(super) fn lost(self, what: impl Into<String>) -> StoreError {
        match self {
            Self::Read => StoreError::Unavailable(what.into()),
            Self::Write => StoreError::InDoubt(what.into()),
        }
    }
}

/// For errors *before* the end of a transaction: the adapters roll it back, so nothing of it is
/// written, whatever the error. Errors of COMMIT itself go through `at_commit`.
impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        match error {
            Error::DatabaseError(kind, info) if is_about_content(&kind) => {
                let constraint = info
                    .constraint_name()
                    .map(|name| format!(" ({name})"))
                    .unwrap_or_default();
                Self::Refused(format!("{}{constraint}", info.message()))
            }
            Error::DatabaseError(_, info) => Self::Unavailable(info.message().to_owned()),
            Error::DeserializationError(error) => {
                Self::Unusable(format!("a row cannot be read: {error}"))
            }
            Error::NotFound => Self::Unusable(
                "the database has lost its row in `fleet_state`; it cannot be used".to_owned(),
            ),
            other => Self::Unavailable(other.to_string()),
        }
    }
}

/// Interprets an error of COMMIT. A constraint that is checked at the end, or a conflict with
/// another transaction, has rolled it back; any other error leaves the outcome unknown.
pub(super) fn at_commit(error: Error) -> StoreError {
    match &error {
        Error::DatabaseError(kind, _) if is_about_content(kind) => error.into(),
        Error::DatabaseError(DatabaseErrorKind::SerializationFailure, _) => error.into(),
        other => StoreError::InDoubt(format!("COMMIT was not answered: {other}")),
    }
}

/// Returns whether an error says that another process holds SQLite's file, which passes. Once
/// diesel has read it, only this text shows that.
pub(super) fn says_locked(message: &str) -> bool {
    message.contains("database is locked") || message.contains("database table is locked")
}

/// Returns whether an error of a migration concerns the way to the database, and not its content.
pub(super) fn is_about_the_way(error: &(dyn std::error::Error + 'static)) -> bool {
    // The error of a migration's own statement hides the database's error behind a text.
    if says_locked(&error.to_string()) {
        return true;
    }
    match error.downcast_ref() {
        Some(Error::DatabaseError(kind, _)) => matches!(
            kind,
            DatabaseErrorKind::ClosedConnection
                | DatabaseErrorKind::UnableToSendCommand
                | DatabaseErrorKind::ReadOnlyTransaction
                | DatabaseErrorKind::SerializationFailure
        ),
        Some(Error::BrokenTransactionManager) => true,
        Some(_) | None => false,
    }
}

/// Returns whether the same content would be refused again, and other content would not.
fn is_about_content(kind: &DatabaseErrorKind) -> bool {
    matches!(
        kind,
        DatabaseErrorKind::UniqueViolation
            | DatabaseErrorKind::ForeignKeyViolation
            | DatabaseErrorKind::NotNullViolation
            | DatabaseErrorKind::CheckViolation
            | DatabaseErrorKind::RestrictViolation
            | DatabaseErrorKind::ExclusionViolation
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(kind: DatabaseErrorKind) -> Error {
        Error::DatabaseError(kind, Box::new("message".to_owned()))
    }

    #[test]
    fn only_content_is_refused() {
        assert!(matches!(
            StoreError::from(database(DatabaseErrorKind::CheckViolation)),
            StoreError::Refused(_)
        ));
        assert!(matches!(
            StoreError::from(database(DatabaseErrorKind::ClosedConnection)),
            StoreError::Unavailable(_)
        ));
    }

    #[test]
    fn a_lost_connection_and_a_held_file_are_no_fault_of_a_migration() {
        let is_passing = |kind, text: &str| {
            is_about_the_way(&Error::DatabaseError(kind, Box::new(text.to_owned())))
        };
        assert!(is_passing(DatabaseErrorKind::UnableToSendCommand, "closed"));
        assert!(is_passing(
            DatabaseErrorKind::ReadOnlyTransaction,
            "standby"
        ));
        assert!(is_passing(DatabaseErrorKind::Unknown, "database is locked"));
        assert!(!is_passing(DatabaseErrorKind::Unknown, "permission denied"));
        assert!(!is_about_the_way(&std::io::Error::other("damaged")));
    }

    #[test]
    fn a_lost_commit_is_in_doubt_and_a_conflict_is_not() {
        assert!(matches!(
            at_commit(database(DatabaseErrorKind::ClosedConnection)),
            StoreError::InDoubt(_)
        ));
        assert!(matches!(
            at_commit(database(DatabaseErrorKind::SerializationFailure)),
            StoreError::Unavailable(_)
        ));
        assert!(matches!(
            at_commit(database(DatabaseErrorKind::ForeignKeyViolation)),
            StoreError::Refused(_)
        ));
    }
}
