//! A COMMIT that waits for a synchronous standby, and whose wait is cancelled: PostgreSQL answers it with success and a
//! warning, although the transaction may be on the primary only.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

use std::pin::pin;

use resilient_orchestrator::store::{self, Settlement, StoreError};
use tokio_postgres::Client;

use crate::support::fleets::{Draft, instance};
use crate::support::postgres::{Database, Server};
use crate::support::stores::PLENTY;

/// A server with a database, and an operator beside it.
pub(crate) struct Primary {
    _server: Server,
    pub(crate) database: Database,
    operator: Client,
}

impl Primary {
    pub(crate) async fn new() -> Self {
        // The weakest default of warnings: a session asks for those that it heeds.
        let server = Server::start(&[], "-c client_min_messages=error");
        let database = server.database().await;
        let operator = database.connect().await;
        Self {
            _server: server,
            database,
            operator,
        }
    }

    /// From now on each COMMIT waits for a standby that does not exist.
    pub(crate) async fn wait_for_a_standby(&self) {
        self.set("SET synchronous_standby_names = 'nobody'").await;
        let other = self.database.connect().await;
        let probe = "CREATE TABLE IF NOT EXISTS probe (number int); INSERT INTO probe VALUES (1)";
        loop {
            // The server reads its settings a moment later.
            let mut committed = pin!(other.batch_execute(probe));
            let waits = tokio::select! {
                done = &mut committed => done.map(|()| false).unwrap(),
                () = self.see_a_wait() => true,
            };
            if waits {
                return self.cancelling(committed).await.unwrap();
            }
        }
    }

    /// From now on no COMMIT waits; those that do are answered.
    pub(crate) async fn wait_for_none(&self) {
        self.set("RESET synchronous_standby_names").await;
    }

    async fn set(&self, what: &str) {
        let alter = format!("ALTER SYSTEM {what}");
        for sql in [alter.as_str(), "SELECT pg_reload_conf()"] {
            self.operator.batch_execute(sql).await.unwrap();
        }
    }

    /// Cancels each wait for the standby until the work is done.
    pub(crate) async fn cancelling<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let done = loop {
            tokio::select! {
                done = &mut work => break done,
                () = self.cancel_a_wait() => {}
            }
        };
        // What was sent before is carried out by then.
        self.operator.batch_execute("SELECT 1").await.unwrap();
        done
    }

    /// Cancels a COMMIT as soon as one waits for the standby.
    async fn cancel_a_wait(&self) {
        let sql =
            "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
        while self.operator.query(sql, &[]).await.unwrap().is_empty() {}
    }

    /// Waits until a COMMIT waits for the standby.
    async fn see_a_wait(&self) {
        let sql = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
        while self.operator.query(sql, &[]).await.unwrap().is_empty() {}
    }
}

#[tokio::test]
async fn a_commit_that_did_not_wait_for_its_standby_is_in_doubt_until_the_standby_has_it() {
    let primary = Primary::new().await;
    let store = store::open(&primary.database.url(), PLENTY, 2).await;
    let store = store.unwrap();
    let guard = store.begin_term().await.unwrap();
    primary.wait_for_a_standby().await;

    let draft = Draft::default().instance(instance("a")).decided(1, 1);
    let saved = primary.cancelling(store.save(guard, draft)).await;
    let Err(StoreError::InDoubt(text)) = saved else {
        panic!("not in doubt: {saved:?}");
    };
    assert!(text.contains("SQLSTATE 01000"), "{text}");
    // The primary has it.
    assert_eq!(store.census().await.unwrap().guard, guard.after_save());

    // The settlement waits for the standby as well, and is in doubt if that wait is cancelled.
    let settled = primary.cancelling(store.settle(guard)).await;
    assert!(
        matches!(settled, Err(StoreError::InDoubt(_))),
        "{settled:?}"
    );
    let is_there = async {
        primary.see_a_wait().await;
        primary.wait_for_none().await;
    };
    let (settled, ()) = tokio::join!(store.settle(guard), is_there);
    assert_eq!(settled.unwrap(), Settlement::Committed);
    let more = Draft::default().instance(instance("b")).decided(2, 2);
    store.save(guard.after_save(), more).await.unwrap();
}

#[tokio::test]
async fn a_defeat_that_did_not_wait_for_its_standby_is_in_doubt_too() {
    let primary = Primary::new().await;
    let store = store::open(&primary.database.url(), PLENTY, 2).await;
    let store = store.unwrap();
    let guard = store.begin_term().await.unwrap();
    primary.wait_for_a_standby().await;
    for _ in 0..2 {
        let settled = primary.cancelling(store.settle(guard)).await;
        assert!(
            matches!(settled, Err(StoreError::InDoubt(_))),
            "{settled:?}"
        );
    }
    primary.wait_for_none().await;
    assert_eq!(store.settle(guard).await.unwrap(), Settlement::Defeated);
}
