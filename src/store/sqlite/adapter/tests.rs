//! Writes that are given up, and the end of the file.

use std::sync::mpsc;

use super::*;

/// A store with a transaction of its writer that has done its work and is told to go on by
/// the sender that is returned.
async fn with_a_slow_write(
    limit: Duration,
) -> (
    tempfile::TempDir,
    Arc<SqliteStore>,
    Guard,
    tokio::task::JoinHandle<Result<(), StoreError>>,
    mpsc::Sender<()>,
) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fleet.db");
    let open = SqliteStore::open(&path, limit, "in a test");
    let store = Arc::new(open.await.unwrap());
    let guard = store.begin_term().await.unwrap();
    let (entered, inside) = tokio::sync::oneshot::channel();
    let (go_on, wait) = mpsc::channel::<()>();
    let write = {
        let store = store.clone();
        tokio::spawn(async move {
            let work = move |c: &mut SqliteConnection| {
                let moved = operations::settle(c, guard)?;
                assert_eq!(moved, Settlement::Defeated);
                let _ = entered.send(());
                let _ = wait.recv();
                Ok(())
            };
            store.write(work).await
        })
    };
    inside.await.unwrap();
    (directory, store, guard, write, go_on)
}

#[tokio::test]
async fn a_write_given_up_before_its_commit_is_certainly_not_there() {
    let limit = Duration::from_secs(60);
    let (_directory, store, guard, write, go_on) = with_a_slow_write(limit).await;
    tokio::time::pause();
    tokio::time::advance(limit * 2).await;
    let given_up = write.await.unwrap();
    assert!(
        matches!(given_up, Err(StoreError::Unavailable(_))),
        "{given_up:?}"
    );
    tokio::time::resume();
    // Its thread has done all of the work by then, and takes it back.
    go_on.send(()).unwrap();
    assert_eq!(store.census().await.unwrap().guard, guard);
    store.settle(guard).await.unwrap();
}

#[tokio::test]
async fn closing_waits_for_what_is_under_way_and_takes_nothing_afterwards() {
    let limit = Duration::from_secs(60);
    let (directory, store, guard, write, go_on) = with_a_slow_write(limit).await;
    let closing = {
        let store = store.clone();
        tokio::spawn(async move { store.close().await })
    };
    tokio::task::yield_now().await;
    go_on.send(()).unwrap();
    write.await.unwrap().unwrap();
    closing.await.unwrap().unwrap();
    for refused in [store.ping().await, store.settle(guard).await.map(|_| ())] {
        assert!(
            matches!(refused, Err(StoreError::Unavailable(_))),
            "{refused:?}"
        );
    }
    store.close().await.unwrap();
    let left: Vec<_> = std::fs::read_dir(directory.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "the file, and nothing beside it: {left:?}");
}
