//! A URL with several hosts, and what the sessions ask of the server.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

use std::net::TcpListener;
use std::time::{Duration, Instant};

use resilient_orchestrator::store::{self, StoreError};

use crate::support::fleets::{Draft, instance};
use crate::support::postgres::{Database, Server};
use crate::support::stores::PLENTY;

/// The URL of a database with other hosts before its own.
fn behind(others: &[u16], database: &Database, server: &Server) -> String {
    let own = format!("127.0.0.1:{}", server.port());
    let others = others.iter().map(|port| format!("127.0.0.1:{port}"));
    let hosts: Vec<String> = others.chain([own.clone()]).collect();
    database.url().replace(&own, &hosts.join(","))
}

fn closed_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a server takes real time")]
async fn a_host_that_hangs_or_refuses_does_not_hide_the_one_that_takes_writes() {
    let server = Server::shared();
    let database = server.database().await;
    // The system accepts connections for it, and no program ever answers.
    let hanging = TcpListener::bind("127.0.0.1:0").unwrap();
    let hanging = hanging.local_addr().map(|at| (hanging, at.port())).unwrap();
    let url = behind(&[hanging.1, closed_port()], &database, server);
    let limit = Duration::from_secs(20);
    let began = Instant::now();
    let store = store::open(&url, limit, 1).await.unwrap();
    let guard = store.begin_term().await.unwrap();
    let draft = Draft::default().instance(instance("a"));
    store.save(guard, draft.decided(1, 1)).await.unwrap();
    // A sixth of the limit for the one that hangs, once: then the other is tried first.
    assert!(began.elapsed() < limit / 2, "{:?}", began.elapsed());
}

#[tokio::test]
async fn if_all_hosts_fail_each_is_named_with_its_reason() {
    let (first, second) = (closed_port(), closed_port());
    let url = format!("postgres://me:geheim@127.0.0.1:{first},127.0.0.1:{second}/x");
    let error = store::open(&url, PLENTY, 1).await.unwrap_err();
    let StoreError::Unavailable(text) = error else {
        panic!("another kind of error: {error:?}");
    };
    for port in [first, second] {
        assert!(text.contains(&format!("127.0.0.1:{port}: ")), "{text}");
    }
    assert!(!text.contains("geheim"), "{text}");
}

/// A session writes down what it has set, because no other session can see it.
async fn setting_of_a_save(default: &str) -> String {
    let database = Database::new().await;
    let side = database.connect().await;
    let alter = format!(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = {default}', \
         current_database()); END $$"
    );
    side.batch_execute(&alter).await.unwrap();
    let store = store::open(&database.url(), PLENTY, 1).await.unwrap();
    side.batch_execute(
        "CREATE TABLE seen (setting text);
         CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             INSERT INTO seen VALUES (current_setting('synchronous_commit'));
             RETURN NULL;
         END $$;
         CREATE TRIGGER note AFTER INSERT ON instances FOR EACH ROW EXECUTE FUNCTION note()",
    )
    .await
    .unwrap();
    let guard = store.begin_term().await.unwrap();
    let draft = Draft::default().instance(instance("a"));
    store.save(guard, draft.decided(1, 1)).await.unwrap();
    let found = side.query_one("SELECT setting FROM seen", &[]).await;
    found.unwrap().get(0)
}

#[tokio::test]
async fn a_weaker_default_does_not_weaken_what_is_acknowledged() {
    for (default, expected) in [
        ("off", "on"),
        ("local", "on"),
        ("remote_write", "on"),
        ("on", "on"),
        ("remote_apply", "remote_apply"),
    ] {
        assert_eq!(setting_of_a_save(default).await, expected, "{default}");
    }
}
