//! What only a file can show: files that are none of ours, and two connections at work.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests may fail the test"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use resilient_orchestrator::domain::heartbeat::{LastBeat, MetricsRecord, SystemMetrics};
use resilient_orchestrator::store::{self, Store, StoreError, Target};
use tempfile::TempDir;

use crate::support::fleets::{Draft, at, heard, instance};
use crate::support::stores::PLENTY;

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
async fn a_call_that_ran_out_of_time_before_it_began_is_certainly_not_written() {
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
        store.save(guard, draft.clone()),
        tokio::time::advance(PLENTY.saturating_mul(2))
    );
    assert!(
        matches!(saved, Err(StoreError::Unavailable(_))),
        "{saved:?}"
    );

    // It is not there when the other program has gone, and never will be.
    tokio::time::resume();
    other.batch_execute("ROLLBACK").unwrap();
    store.save(guard, draft).await.unwrap();
    assert_eq!(store.load().await.unwrap().instances, [instance("a")]);
}

#[tokio::test]
async fn calls_that_wait_for_each_other_behind_another_program_have_one_limit_each() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("fleet.db");
    let store = open(&path, Duration::from_millis(500)).await.unwrap();
    let guard = store.begin_term().await.unwrap();
    let mut other = side(&path);
    other.batch_execute("BEGIN IMMEDIATE").unwrap();
    let draft = Draft::default().instance(instance("a")).decided(1, 1);
    // The one that comes second waits for its turn and then for the other program. It runs out
    // of time all the same before it has begun, so that nothing has to be settled.
    let (beats, saved) = tokio::join!(store.save_beats(&[], heard(0, 0)), store.save(guard, draft));
    for result in [beats, saved] {
        assert!(
            matches!(result, Err(StoreError::Unavailable(_))),
            "{result:?}"
        );
    }
}

/// What somebody does to the file of a program that runs.
fn remove(path: &Path) {
    std::fs::remove_file(path).unwrap();
}

fn move_away(path: &Path) {
    std::fs::rename(path, path.with_extension("old")).unwrap();
}

fn replace_by_a_copy(path: &Path) {
    let copy = path.with_extension("copy");
    std::fs::copy(path, &copy).unwrap();
    std::fs::rename(&copy, path).unwrap();
}

fn remove_the_journal(path: &Path) {
    remove(Path::new(&format!("{}-wal", path.display())));
}

#[tokio::test]
async fn a_file_that_is_not_where_it_was_opened_takes_nothing_and_gives_nothing() {
    for act in [remove, move_away, replace_by_a_copy, remove_the_journal] {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("fleet.db");
        let store = open(&path, PLENTY).await.unwrap();
        let guard = store.begin_term().await.unwrap();
        let draft = Draft::default().instance(instance("a")).decided(1, 1);
        store.save(guard, draft).await.unwrap();
        act(&path);
        let was_there = path.exists();
        let guard = guard.after_save();
        let draft = Draft::default().instance(instance("b")).decided(2, 2);
        let results = [
            store.save(guard, draft).await,
            store.settle(guard).await.map(|_| ()),
            store.save_beats(&[], heard(0, 0)).await,
            store.census().await.map(|_| ()),
            store.ping().await,
        ];
        for result in results {
            let Err(StoreError::FileReplaced(text)) = result else {
                panic!("{result:?}");
            };
            assert!(text.contains("fleet.db"), "{text}");
        }
        assert_eq!(path.exists(), was_there, "no file is made in its place");
        let error = store.close().await.unwrap_err();
        assert!(matches!(error, StoreError::FileReplaced(_)), "{error:?}");
    }
}

#[tokio::test]
async fn a_file_that_is_put_back_goes_on() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("fleet.db");
    let store = open(&path, PLENTY).await.unwrap();
    let guard = store.begin_term().await.unwrap();
    let elsewhere = directory.path().join("elsewhere.db");
    std::fs::rename(&path, &elsewhere).unwrap();
    let draft = Draft::default().instance(instance("a")).decided(1, 1);
    store.save(guard, draft.clone()).await.unwrap_err();
    std::fs::rename(&elsewhere, &path).unwrap();
    store.save(guard, draft).await.unwrap();
    store.close().await.unwrap();
    let again = open(&path, PLENTY).await.unwrap();
    assert_eq!(again.load().await.unwrap().instances, [instance("a")]);
}

#[tokio::test]
async fn a_file_in_use_is_refused_to_everybody_else_at_once_and_told_by_whom() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("fleet.db");
    let url = format!("sqlite://{}", path.display());
    let store = Target::parse(&url)
        .unwrap()
        .open("at 192.0.2.1:8001", PLENTY, 1)
        .await
        .unwrap();
    let refusals = [
        open(&path, PLENTY).await.map(|_| ()),
        store::migrate(&url, PLENTY).await.map(|_| ()),
        store::revert_last(&url, PLENTY).await.map(|_| ()),
    ];
    for refusal in refusals {
        let Err(StoreError::InUse(text)) = refusal else {
            panic!("{refusal:?}");
        };
        let process = format!("process {} at 192.0.2.1:8001", std::process::id());
        assert!(text.contains(&process), "{text}");
    }
    store.begin_term().await.unwrap();
    drop(store);
    open(&path, PLENTY).await.unwrap();
}

#[tokio::test]
async fn a_closed_store_is_complete_in_its_one_file() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("fleet.db");
    let store = open(&path, PLENTY).await.unwrap();
    let guard = store.begin_term().await.unwrap();
    let draft = Draft::default().instance(instance("a")).decided(1, 1);
    store.save(guard, draft).await.unwrap();
    // Somebody who only has it open is no reason to leave a part of it in the journal.
    let other = side(&path);
    store.close().await.unwrap();
    let copy = directory.path().join("copy.db");
    std::fs::copy(&path, &copy).unwrap();
    let copied = open(&copy, PLENTY).await.unwrap();
    assert_eq!(copied.load().await.unwrap().instances, [instance("a")]);
    drop(other);
}

#[tokio::test]
async fn closing_says_so_if_another_program_keeps_something_in_the_journal() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("fleet.db");
    let store = open(&path, PLENTY).await.unwrap();
    let guard = store.begin_term().await.unwrap();
    let mut reader = side(&path);
    reader
        .batch_execute("BEGIN; SELECT * FROM fleet_state")
        .unwrap();
    let draft = Draft::default().instance(instance("a")).decided(1, 1);
    store.save(guard, draft).await.unwrap();
    let StoreError::Unavailable(text) = store.close().await.unwrap_err() else {
        panic!("another kind of error");
    };
    assert!(text.contains("fleet.db-wal"), "{text}");
    drop(reader);
    let again = open(&path, PLENTY).await.unwrap();
    assert_eq!(again.load().await.unwrap().instances, [instance("a")]);
}

#[tokio::test]
async fn migrating_leaves_one_file() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("fleet.db");
    let url = format!("sqlite://{}", path.display());
    store::migrate(&url, PLENTY).await.unwrap();
    store::revert_last(&url, PLENTY).await.unwrap();
    let left: Vec<_> = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["fleet.db"]);
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
    let error = store
        .save_beats(&[beat("odd")], heard(0, 0))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, StoreError::Refused(text) if text == "not here"),
        "{error:?}"
    );
    let error = store.save_metrics(&[metrics("odd")]).await.unwrap_err();
    assert!(matches!(error, StoreError::Refused(_)), "{error:?}");
    store.save_beats(&[beat("a")], heard(0, 0)).await.unwrap();
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
