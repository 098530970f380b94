//! Loading a fleet that is larger than one part of the load.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests may fail the test"
)]

use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use resilient_orchestrator::domain::fleet::Fleet;
use resilient_orchestrator::domain::stream::Stream;
use resilient_orchestrator::store::{
    self, Guard, LoadProgress, LoadedFleet, OnProgress, Store, StoreError,
};

use crate::support::fleets::{Draft, assigned, at, heard, instance, stream, unclaimed};
use crate::support::postgres::Database;
use crate::support::stores::{self, PLENTY};

type AnyStore = Arc<dyn Store>;

/// More streams than one part of a load has.
const MANY: i64 = 12_345;

fn unheard() -> OnProgress {
    Box::new(|_| ControlFlow::Continue(()))
}

async fn load(store: &AnyStore) -> Result<LoadedFleet, StoreError> {
    store.load_fleet(PLENTY, unheard()).await
}

/// Streams on two instances, some of them waiting, and one without a place.
async fn fill(store: &AnyStore) -> Guard {
    let guard = store.begin_term().await.unwrap();
    let mut draft = Draft::default()
        .instance(instance("b"))
        .instance(instance("a"));
    for id in 1..=MANY {
        let place = match id % 7 {
            0 => unclaimed(),
            1 => assigned("b", id),
            _ => assigned("a", id),
        };
        draft = draft.stream(stream(id), place);
    }
    let draft = draft.with(|rows| {
        let placeless = Stream {
            enabled: false,
            ..stream(-3)
        };
        rows.streams.insert(placeless.id, Some(Arc::new(placeless)));
    });
    store.save(guard, draft.decided(1, MANY)).await.unwrap();
    guard.after_save()
}

async fn is_loaded_as_it_was_saved(store: AnyStore) {
    fill(&store).await;
    let beat = resilient_orchestrator::domain::heartbeat::LastBeat {
        instance: "b".into(),
        at: at(5),
        reported_status: "active".to_owned(),
        reported_streams: 0,
    };
    store.save_beats(&[beat], heard(1, 6)).await.unwrap();
    let made: Arc<Mutex<Vec<LoadProgress>>> = Arc::default();
    let hears = made.clone();
    let on_progress = Box::new(move |progress| {
        hears.lock().unwrap().push(progress);
        ControlFlow::Continue(())
    });
    let loaded = store.load_fleet(PLENTY, on_progress).await.unwrap();
    let (guard, snapshot) = store.load_guarded().await.unwrap();
    assert_eq!(loaded.guard, guard);
    assert_eq!(snapshot.streams.len(), 1 + usize::try_from(MANY).unwrap());
    assert!(loaded.fleet == Fleet::from_snapshot(&snapshot).unwrap());
    assert_eq!(loaded.last_beats, [("b".into(), at(5))]);
    assert_eq!(loaded.watermark, Some(heard(1, 6)));
    let made = made.lock().unwrap();
    assert!(made.is_sorted_by_key(|progress| progress.rows), "{made:?}");
    let last = made.last().expect("it says how far it is");
    let total = 1 + 2 + 1 + u64::try_from(MANY).unwrap();
    assert_eq!((last.rows, last.total), (total, total));
}

async fn two_streams_of_one_name_are_no_fleet(store: AnyStore) {
    let guard = store.begin_term().await.unwrap();
    let twin = Stream {
        name: stream(1).name,
        ..stream(2)
    };
    let draft = Draft::default()
        .stream(stream(1), unclaimed())
        .stream(twin, unclaimed());
    store.save(guard, draft.decided(1, 1)).await.unwrap();
    let error = load(&store).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Unusable(text) if text.contains("stream 1")),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_fleet_in_memory_is_loaded_as_it_was_saved() {
    is_loaded_as_it_was_saved(stores::memory().await.store).await;
}

#[tokio::test]
async fn a_fleet_in_sqlite_is_loaded_as_it_was_saved() {
    let test = stores::sqlite().await;
    is_loaded_as_it_was_saved(test.store.clone()).await;
}

#[tokio::test]
async fn a_fleet_in_postgres_is_loaded_as_it_was_saved() {
    let test = stores::postgres().await;
    is_loaded_as_it_was_saved(test.store.clone()).await;
}

#[tokio::test]
async fn a_damaged_fleet_is_refused_by_every_store() {
    two_streams_of_one_name_are_no_fleet(stores::memory().await.store).await;
    let sqlite = stores::sqlite().await;
    two_streams_of_one_name_are_no_fleet(sqlite.store.clone()).await;
    let postgres = stores::postgres().await;
    two_streams_of_one_name_are_no_fleet(postgres.store.clone()).await;
}

/// Stops a load before its first part, until it is told to go on.
fn held() -> (OnProgress, Receiver<()>, Sender<()>) {
    let (reached, is_reached) = channel();
    let (go_on, wait) = channel::<()>();
    let on_progress = Box::new(move |progress: LoadProgress| {
        if progress.rows == 0 {
            // A test that has ended waits for nothing.
            let _ = reached.send(());
            let _ = wait.recv();
        }
        ControlFlow::Continue(())
    });
    (on_progress, is_reached, go_on)
}

/// Deletes everything while a load is under way, which does not see it.
async fn is_of_one_moment(store: AnyStore, other: AnyStore) {
    let guard = fill(&store).await;
    let (on_progress, is_reached, go_on) = held();
    let loading = {
        let store = store.clone();
        tokio::spawn(async move { store.load_fleet(PLENTY, on_progress).await })
    };
    tokio::task::spawn_blocking(move || is_reached.recv().unwrap())
        .await
        .unwrap();
    let mut draft = Draft::default();
    for id in [1, 2, MANY] {
        draft = draft.without_stream(id);
    }
    let gone = draft.decided(2, MANY + 1);
    other.save(guard, gone).await.unwrap();
    go_on.send(()).unwrap();
    let loaded = loading.await.unwrap().unwrap();
    assert_eq!(loaded.guard, guard);
    let streams = loaded.fleet.streams().count();
    assert_eq!(streams, 1 + usize::try_from(MANY).unwrap());
    let later = load(&store).await.unwrap();
    assert_eq!(later.fleet.streams().count(), streams - 3);
}

#[tokio::test]
async fn a_load_from_sqlite_is_of_one_moment() {
    let test = stores::sqlite().await;
    is_of_one_moment(test.store.clone(), test.store.clone()).await;
}

#[tokio::test]
async fn a_load_from_postgres_is_of_one_moment() {
    let database = Database::new().await;
    let url = database.url();
    let open = || store::open(&url, PLENTY, 2);
    is_of_one_moment(open().await.unwrap(), open().await.unwrap()).await;
}

#[tokio::test]
async fn a_load_from_sqlite_is_bounded() {
    let test = stores::sqlite().await;
    let (on_progress, is_reached, go_on) = held();
    let limit = Duration::from_millis(50);
    let error = test.store.load_fleet(limit, on_progress).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    // Its thread may not even have begun.
    drop((is_reached, go_on));
}

#[tokio::test]
async fn a_part_of_a_load_from_postgres_is_bounded_as_any_call() {
    let database = Database::new().await;
    let step = Duration::from_millis(500);
    let store = store::open(&database.url(), step, 2).await.unwrap();
    let guard = store.begin_term().await.unwrap();
    let draft = Draft::default().stream(stream(1), unclaimed());
    store.save(guard, draft.decided(1, 1)).await.unwrap();
    let side = database.connect().await;
    side.batch_execute("BEGIN; LOCK TABLE placements")
        .await
        .unwrap();
    let error = load(&store).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    side.batch_execute("ROLLBACK").await.unwrap();
    load(&store).await.unwrap();
}
