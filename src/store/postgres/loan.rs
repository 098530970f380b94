//! One transaction on one connection of the pool, and whose fault its failure is.

use std::sync::atomic::{AtomicBool, Ordering};

use diesel_async::pooled_connection::deadpool::{Object, Pool, PoolError};
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection, pooled_connection};
use futures_util::future::BoxFuture;

use super::connector::Connector;
use super::sqlstate::{LastCodes, is_about_content};
use crate::store::error::StoreError;
use crate::store::failure::{Access, at_commit};

/// A connection on loan from the pool. It goes back only after a transaction that came to a clean
/// end; one that was given up at any other point is closed, so that the next borrower does not meet what it left.
pub(super) struct Loan(Option<Object<AsyncPgConnection>>);

impl Loan {
    pub(super) async fn take(
        pool: &Pool<AsyncPgConnection>,
        target: &Connector,
    ) -> Result<Self, StoreError> {
        match pool.get().await {
            Ok(connection) => Ok(Self(Some(connection))),
            Err(PoolError::Backend(pooled_connection::PoolError::ConnectionError(error))) => {
                Err(target.unreachable(&error))
            }
            Err(other) => Err(target.unreachable(&other)),
        }
    }

    pub(super) async fn transaction<T, F>(
        &mut self,
        access: Access,
        body: F,
        committing: &AtomicBool,
    ) -> Result<T, StoreError>
    where
        F: for<'c> FnOnce(&'c mut AsyncPgConnection) -> BoxFuture<'c, Result<T, StoreError>>,
    {
        let Some(connection) = self.0.as_mut() else {
            return Err(StoreError::Unavailable("the connection is gone".to_owned()));
        };
        let last = LastCodes::of(connection);
        // The levels are named so that a server with other defaults behaves the same: a guard
        // that waited for another transaction must see what that one left.
        connection
            .batch_execute(match access {
                Access::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
                Access::Write => "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
            })
            .await?;
        let result = body(connection).await.map_err(|error| blame(error, &last));
        let ended = match &result {
            Ok(_) => {
                committing.store(true, Ordering::Relaxed);
                last.forget_warnings();
                let committed = connection.batch_execute("COMMIT").await;
                let committed = committed.map_err(|error| blame_at_commit(error, &last));
                committed.and_then(|()| last.check_commit())
            }
            Err(_) => connection
                .batch_execute("ROLLBACK")
                .await
                .map_err(Into::into),
        };
        match (result, ended) {
            (result, Ok(())) => {
                drop(self.0.take());
                result
            }
            (Ok(_), Err(lost)) if access == Access::Write => Err(lost),
            (Ok(value), Err(_)) => Ok(value),
            (Err(error), Err(_)) => Err(error),
        }
    }
}

/// The error of a statement: the content's fault if the server says so.
fn blame(error: StoreError, last: &LastCodes) -> StoreError {
    match (error, last.take_error()) {
        (StoreError::Unavailable(text), Some(code)) if is_about_content(&code) => {
            StoreError::Refused(text)
        }
        (error, _) => error,
    }
}

/// The error of COMMIT: what the server refuses there is rolled back.
fn blame_at_commit(error: diesel::result::Error, last: &LastCodes) -> StoreError {
    match last.take_error() {
        Some(code) if is_about_content(&code) => StoreError::Refused(error.to_string()),
        _ => at_commit(error),
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            drop(Object::take(connection));
        }
    }
}
