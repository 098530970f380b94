//! What only a file can show: files that are none of ours, and two connections at work.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests may fail the test"
)]

mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use resilient_orchestrator::domain::heartbeat::{LastBeat, MetricsRecord, SystemMetrics};
use resilient_orchestrator::store::{self, Settlement, Store, StoreError};
use tempfile::TempDir;

use support::fleets::{Draft, at, instance};
use support::stores::PLENTY;

async fn open(path: &Path, limit: Duration) -> Result<Arc<dyn Store>, StoreError> {
    store::open(&format!("sqlite://{}", path.display()), limit, 1).await
}

/// A connection beside those of the store, as another program would have.
fn side(path: &Path) -> SqliteConnection {
    SqliteConnection::establish(path.to_str().unwrap()).unwrap()
}

async fn refusal(path: &Path) -> String {
    match open(path, PLENTY).await.expect_err("it must be refused") {
        StoreError::Unusable(text) => text,
        other => panic!("another kind of error: {other:?}"),
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("notes.txt");
    let content = "not a database at all, but long enough to have a header. ".repeat(50);
    std::fs::write(&path, &content).unwrap();
    let text = refusal(&path).await;
    assert!(text.contains("notes.txt"), "{text}");
    assert!(text.contains("not a database"), "{text}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
}

#[tokio::test]
async fn a_directory_that_is_not_there_is_named() {
    let directory = TempDir::new().unwrap();
    let text = refusal(&directory.path().join("missing/fleet.db")).await;
    assert!(text.contains("no directory"), "{text}");
    assert!(text.contains("missing"), "{text}");
}

#[tokio::test]
async fn a_directory_in_place_of_the_file_is_refused() {
    let directory = TempDir::new().unwrap();
    let text = refusal(directory.path()).await;
    assert!(text.contains("cannot be used"), "{text}");
}

#[tokio::test]
async fn reading_goes_on_while_somebody_else_writes() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("fleet.db");
    let store = open(&path, PLENTY).await.unwrap();
    let guard = store.begin_term().await.unwrap();
    let mut other = side(&path);
    other.batch_execute("BEGIN IMMEDIATE").unwrap();
    other
        .batch_execute("UPDATE fleet_state SET term = 99")
        .unwrap();
    assert_eq!(store.census().await.unwrap().guard, guard);
    store.ping().await.unwrap();
}

#[tokio::test]
async fn a_file_locked_by_another_program_is_certainly_not_written() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("fleet.db");
    let store = open(&path, Duration::from_millis(500)).await.unwrap();
    let guard = store.begin_term().await.unwrap();
    let mut other = side(&path);
    other.batch_execute("BEGIN IMMEDIATE").unwrap();
    let draft = Draft::default().instance(instance("a")).decided(1, 1);
    let error = store.save(guard, draft.clone()).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    other.batch_execute("ROLLBACK").unwrap();
    store.save(guard, draft).await.unwrap();
    assert_eq!(store.load().await.unwrap().instances, [instance("a")]);
}

#[tokio::test]
async fn a_call_that_ran_out_of_time_is_in_doubt_until_it_is_settled() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("fleet.db");
    let store = open(&path, PLENTY).await.unwrap();
    let guard = store.begin_term().await.unwrap();
    let mut other = side(&path);
    other.batch_execute("BEGIN IMMEDIATE").unwrap();

    // The transaction waits for the other program on a thread of its own; time runs out for the
    // caller alone.
    tokio::time::pause();
    let draft = Draft::default().instance(instance("a")).decided(1, 1);
    let (saved, ()) = tokio::join!(
        store.save(guard, draft),
        tokio::time::advance(PLENTY.saturating_mul(2))
    );
    assert!(matches!(saved, Err(StoreError::InDoubt(_))), "{saved:?}");

    // Settling queues behind it.
    other.batch_execute("ROLLBACK").unwrap();
    assert_eq!(store.settle(guard).await.unwrap(), Settlement::Committed);
    assert_eq!(store.load().await.unwrap().instances, [instance("a")]);
}

#[tokio::test]
async fn errors_of_content_are_told_from_outages() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("fleet.db");
    let store = open(&path, PLENTY).await.unwrap();
    side(&path)
        .batch_execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON last_beats WHEN new.instance_id = 'odd'
                 BEGIN SELECT RAISE(ABORT, 'not here'); END;
             CREATE TRIGGER mismatch BEFORE INSERT ON metrics WHEN new.instance_id = 'odd'
                 BEGIN INSERT INTO fleet_state (id, term, version, epoch) VALUES ('x', 1, 1, 1); END",
        )
        .unwrap();
    let beat = |id: &str| LastBeat {
        instance: id.into(),
        at: at(1),
        reported_status: "active".to_owned(),
        reported_streams: 0,
    };
    let metrics = |id: &str| MetricsRecord {
        instance: id.into(),
        recorded_at: at(1),
        metrics: SystemMetrics::default(),
    };
    let error = store.save_beats(&[beat("odd")]).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Refused(text) if text == "not here"),
        "{error:?}"
    );
    let error = store.save_metrics(&[metrics("odd")]).await.unwrap_err();
    assert!(matches!(error, StoreError::Refused(_)), "{error:?}");
    store.save_beats(&[beat("a")]).await.unwrap();
    store.save_metrics(&[metrics("a")]).await.unwrap();
    side(&path).batch_execute("DROP TABLE metrics").unwrap();
    let error = store.save_metrics(&[metrics("a")]).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
}

#[tokio::test]
async fn a_row_edited_by_hand_is_named() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("fleet.db");
    let store = open(&path, PLENTY).await.unwrap();
    let guard = store.begin_term().await.unwrap();
    let draft = Draft::default().instance(instance("a")).decided(1, 1);
    store.save(guard, draft).await.unwrap();
    side(&path)
        .batch_execute("UPDATE instances SET labels = 'not json'")
        .unwrap();
    let error = store.load().await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Unusable(text)
            if text.contains("instances") && text.contains("`a`") && text.contains("not json")),
        "{error:?}"
    );
}
