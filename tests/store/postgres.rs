//! What only a real PostgreSQL server can show: transactions in doubt, outages, encryption.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use resilient_orchestrator::domain::alert::{Alert, AlertKind, Severity};
use resilient_orchestrator::domain::heartbeat::{LastBeat, MetricsRecord, SystemMetrics};
use resilient_orchestrator::domain::ids::AlertId;
use resilient_orchestrator::store::{self, Guard, Settlement, Store, StoreError};
use tokio_postgres::Client;

use crate::support::fleets::{Draft, at, heard, instance, stream, unclaimed};
use crate::support::postgres::{Database, Server};
use crate::support::stores::PLENTY;

/// Short, for tests in which time has to run out.
const SHORT: Duration = Duration::from_millis(500);

/// With a single connection, so that whatever one call leaves on it, the next one meets.
async fn open(database: &Database, limit: Duration) -> Arc<dyn Store> {
    store::open(&database.url(), limit, 1).await.unwrap()
}

async fn names(store: &Arc<dyn Store>) -> Vec<String> {
    let loaded = store.load().await.unwrap();
    let ids = loaded.instances.iter();
    ids.map(|instance| instance.id.to_string()).collect()
}

/// Makes every COMMIT of a fleet transaction wait until advisory lock 7 is free.
async fn hold_up_commits(side: &Client) {
    side.batch_execute(
        "CREATE FUNCTION hold_up() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             PERFORM set_config('lock_timeout', '0', true);
             PERFORM pg_advisory_xact_lock(7);
             RETURN NULL;
         END $$;
         CREATE CONSTRAINT TRIGGER hold_up AFTER INSERT ON instances
             DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION hold_up();
         SELECT pg_advisory_lock(7)",
    )
    .await
    .unwrap();
}

/// Saves instance `a`, and its COMMIT is not answered in time.
async fn lose_a_commit(store: &Arc<dyn Store>) -> Guard {
    let guard = store.begin_term().await.unwrap();
    let draft = Draft::default().instance(instance("a"));
    let error = store.save(guard, draft.decided(1, 1)).await.unwrap_err();
    assert!(matches!(error, StoreError::InDoubt(_)), "{error:?}");
    guard
}

#[tokio::test]
async fn a_commit_in_doubt_that_happens_is_found() {
    let database = Database::new().await;
    let store = open(&database, SHORT).await;
    let side = database.connect().await;
    hold_up_commits(&side).await;
    let guard = lose_a_commit(&store).await;

    // The connection it is on is nobody else's.
    store.ping().await.unwrap();
    // It still holds the row that settling needs: nobody can say yet.
    let error = store.settle(guard).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");

    side.batch_execute("SELECT pg_advisory_unlock(7)")
        .await
        .unwrap();
    assert_eq!(store.settle(guard).await.unwrap(), Settlement::Committed);
    assert_eq!(names(&store).await, ["a"]);
}

#[tokio::test]
async fn a_commit_in_doubt_that_dies_is_defeated() {
    let database = Database::new().await;
    let store = open(&database, SHORT).await;
    let side = database.connect().await;
    hold_up_commits(&side).await;
    let guard = lose_a_commit(&store).await;

    let ended = side
        .query(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()
                 AND wait_event_type = 'Lock'",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(ended.len(), 1, "the doubtful transaction was waiting");
    assert_eq!(store.settle(guard).await.unwrap(), Settlement::Defeated);
    assert_eq!(names(&store).await, [""; 0]);
    let next = Draft::default();
    store
        .save(guard.after_defeat(), next.decided(2, 2))
        .await
        .unwrap();
}

#[tokio::test]
async fn what_ran_out_of_time_before_its_commit_is_certain() {
    let database = Database::new().await;
    let store = open(&database, SHORT).await;
    let side = database.connect().await;
    let guard = store.begin_term().await.unwrap();
    side.batch_execute("BEGIN; SELECT * FROM fleet_state FOR UPDATE")
        .await
        .unwrap();
    let draft = Draft::default().instance(instance("a")).decided(1, 1);
    let error = store.save(guard, draft.clone()).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    // Reading does not wait for it.
    assert_eq!(names(&store).await, [""; 0]);

    side.batch_execute("ROLLBACK").await.unwrap();
    store.save(guard, draft).await.unwrap();
    assert_eq!(names(&store).await, ["a"]);
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_no_half_transaction() {
    let database = Database::new().await;
    let store = open(&database, PLENTY).await;
    let side = database.connect().await;
    let guard = store.begin_term().await.unwrap();
    side.batch_execute("BEGIN; SELECT * FROM fleet_state FOR UPDATE")
        .await
        .unwrap();
    let draft = Draft::default().instance(instance("a")).decided(1, 1);
    // Polled once, the transaction is under way on the store's own runtime; then nobody asks.
    assert!(store.save(guard, draft).now_or_never().is_none());
    side.batch_execute("ROLLBACK").await.unwrap();
    // Settling waits for it if it holds the row already, and defeats it if not.
    match store.settle(guard).await.unwrap() {
        Settlement::Committed => assert_eq!(names(&store).await, ["a"]),
        Settlement::Defeated => assert_eq!(names(&store).await, [""; 0]),
    }
}

#[tokio::test]
async fn text_postgres_cannot_hold_is_the_fault_of_its_sender() {
    let database = Database::new().await;
    let store = open(&database, PLENTY).await;
    let guard = store.begin_term().await.unwrap();
    let mut odd = instance("a");
    odd.ip = "10.\0".to_owned();
    let draft = Draft::default().instance(odd).decided(1, 1);
    let error = store.save(guard, draft).await.unwrap_err();
    assert!(matches!(error, StoreError::Refused(_)), "{error:?}");
}

fn beat(id: &str) -> LastBeat {
    LastBeat {
        instance: id.into(),
        at: at(1),
        reported_status: "active".to_owned(),
        reported_streams: 0,
    }
}

fn measured(id: &str, cpu_percent: f64) -> MetricsRecord {
    MetricsRecord {
        instance: id.into(),
        recorded_at: at(1),
        metrics: SystemMetrics {
            cpu_percent: Some(cpu_percent),
            ..SystemMetrics::default()
        },
    }
}

fn assert_refused<T: std::fmt::Debug>(result: Result<T, StoreError>, what: &str) {
    let error = result.unwrap_err();
    assert!(matches!(error, StoreError::Refused(_)), "{what}: {error:?}");
}

#[tokio::test]
async fn errors_of_content_are_told_from_outages_by_their_code() {
    let database = Database::new().await;
    let store = open(&database, PLENTY).await;
    let side = database.connect().await;
    let guard = store.begin_term().await.unwrap();
    // 54000: longer than an entry of an index may be.
    let long: String = (0..20_000_u32)
        .map(|n| char::from_u32(0x4E00 + n * 7_919 % 20_000).unwrap())
        .collect();
    assert_refused(
        store.save_beats(&[beat(&long)], heard(0, 0)).await,
        "too long",
    );
    // 22021, on reading.
    assert_refused(store.metrics(&"a\0b".into(), at(0), 9).await, "NUL");
    side.batch_execute(
        "ALTER TABLE metrics ALTER COLUMN cpu_percent TYPE numeric(4, 1);
         ALTER TABLE streams ALTER COLUMN name TYPE varchar(12);
         CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             RAISE EXCEPTION 'not here';
         END $$;
         CREATE TRIGGER refuse BEFORE INSERT ON last_beats
             FOR EACH ROW WHEN (new.instance_id = 'odd') EXECUTE FUNCTION refuse();
         CREATE CONSTRAINT TRIGGER late AFTER INSERT ON alerts
             DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()",
    )
    .await
    .unwrap();
    // 22003, 22001, P0001, and P0001 at the end of the transaction.
    assert_refused(store.save_metrics(&[measured("a", 1e9)]).await, "too great");
    let mut named = stream(1);
    named.name = "a name of more than twelve letters".into();
    let draft = Draft::default().stream(named, unclaimed());
    assert_refused(store.save(guard, draft.decided(1, 1)).await, "too long");
    assert_refused(
        store.save_beats(&[beat("odd")], heard(0, 0)).await,
        "a trigger",
    );
    let alert = Alert {
        id: AlertId::new(1),
        kind: AlertKind::Flapping,
        severity: Severity::Warning,
        subject: "a".to_owned(),
        detail: String::new(),
        opened_at: at(1),
        closed_at: None,
        instances: Vec::new(),
        repeats: 0,
        acknowledged: None,
    };
    assert_refused(store.save_alerts(&[alert]).await, "a trigger at COMMIT");
    // The connection is as good as before, and so is everything else.
    store.save_metrics(&[measured("a", 50.0)]).await.unwrap();
    store.save_beats(&[beat("a")], heard(0, 0)).await.unwrap();
    let draft = Draft::default().instance(instance("a"));
    store.save(guard, draft.decided(1, 1)).await.unwrap();

    // 42501, 42P01: how the database is, not what is written.
    side.batch_execute("ALTER TABLE metrics RENAME TO elsewhere")
        .await
        .unwrap();
    let error = store.save_metrics(&[measured("a", 1.0)]).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
}

#[tokio::test]
async fn errors_of_content_are_told_over_a_socket_of_this_machine_too() {
    let directory = tempfile::tempdir().unwrap();
    let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(directory.path(), everybody).unwrap();
    let path = directory.path().display().to_string();
    let server = Server::start(&[], &format!("-c unix_socket_directories={path}"));
    let host = path.replace('/', "%2F");
    let url = format!("postgres://postgres@{host}:{}/postgres", server.port());
    let store = store::open(&url, PLENTY, 1).await.unwrap();
    assert_refused(store.metrics(&"a\0b".into(), at(0), 9).await, "NUL");
    store.ping().await.unwrap();
}

#[tokio::test]
async fn a_database_of_another_encoding_is_refused_with_the_command_that_makes_a_right_one() {
    let database = Database::new().await;
    let side = database.connect().await;
    for encoding in ["LATIN1", "SQL_ASCII"] {
        let name = format!("odd_{}", encoding.to_lowercase());
        let create = format!(
            "CREATE DATABASE {name} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' \
             TEMPLATE template0"
        );
        side.batch_execute(&create).await.unwrap();
        let url = database.url();
        let url = format!("{}/{name}", &url[..url.rfind('/').unwrap()]);
        let opened = store::open(&url, PLENTY, 1).await.map(|_| ());
        let migrated = store::migrate(&url, PLENTY).await.map(|_| ());
        for error in [opened.unwrap_err(), migrated.unwrap_err()] {
            let StoreError::Unusable(text) = error else {
                panic!("waiting would not help: {error:?}");
            };
            for part in [encoding, name.as_str(), "createdb", "-E UTF8 -T template0"] {
                assert!(text.contains(part), "{text}");
            }
        }
        side.batch_execute(&format!("DROP DATABASE {name}"))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_dead_server_is_unavailable_and_a_revived_one_serves() {
    let server = Server::start(&[], "");
    let database = server.database().await;
    let store = open(&database, Duration::from_secs(10)).await;
    let guard = store.begin_term().await.unwrap();
    let draft = Draft::default().instance(instance("a")).decided(1, 1);
    store.save(guard, draft).await.unwrap();
    let guard = guard.after_save();

    server.stop_immediate();
    let more = Draft::default().instance(instance("b")).decided(2, 2);
    for _ in 0..2 {
        let error = store.ping().await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
        let error = store.save(guard, more.clone()).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    }

    server.start_again();
    store.ping().await.unwrap();
    assert_eq!(names(&store).await, ["a"]);
    store.save(guard, more).await.unwrap();
    assert_eq!(names(&store).await, ["a", "b"]);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_without_the_password() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let url = format!("postgres://me:geheim@127.0.0.1:{port}/fleet");
    let StoreError::Unavailable(text) = store::open(&url, PLENTY, 2).await.unwrap_err() else {
        panic!("another kind of error");
    };
    assert!(text.contains(&format!("127.0.0.1:{port}")), "{text}");
    assert!(!text.contains("geheim"), "{text}");
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    // Connections are accepted by the operating system, and nobody reads them.
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let url = format!("postgres://me@127.0.0.1:{port}/fleet");
    let StoreError::Unavailable(text) = store::open(&url, SHORT, 2).await.unwrap_err() else {
        panic!("another kind of error");
    };
    assert!(text.contains("500ms"), "{text}");
}

#[tokio::test]
async fn a_busy_pool_is_given_up_in_time() {
    let database = Database::new().await;
    let store = open(&database, SHORT).await;
    let side = database.connect().await;
    let guard = store.begin_term().await.unwrap();
    side.batch_execute("BEGIN; LOCK TABLE metrics IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    let id = "a".into();
    let read = || store.metrics(&id, at(0), 1);
    // The first is told by the server that the lock is not to be had; by then the second has
    // spent most of its time waiting for the only connection.
    let (first, second) = tokio::join!(read(), read());
    assert!(matches!(&first, Err(StoreError::Unavailable(text)) if text.contains("lock timeout")));
    assert!(matches!(&second, Err(StoreError::Unavailable(text)) if text.contains("500ms")));
    // Neither outcome leaves anything behind on the connections.
    assert_eq!(store.settle(guard).await.unwrap(), Settlement::Defeated);
}

/// A certificate authority, and a server's certificate and key from it.
struct Certificates {
    authority: String,
    server: String,
    key: String,
}

fn certificates(host: &str) -> Certificates {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&authority_key).unwrap();
    let issuer = Issuer::new(params, authority_key);
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec![host.to_owned()])
        .unwrap()
        .signed_by(&key, &issuer)
        .unwrap();
    Certificates {
        authority: authority.pem(),
        server: server.pem(),
        key: key.serialize_pem(),
    }
}

fn encrypting_server(certificates: &Certificates) -> Server {
    let files = [
        ("server.crt", certificates.server.clone()),
        ("server.key", certificates.key.clone()),
        // Whoever does not encrypt is turned away.
        (
            "pg_hba.conf",
            "hostssl all all 127.0.0.1/32 trust\n".to_owned(),
        ),
    ];
    Server::start(&files, "-c ssl=on")
}

/// The URL of a database of an encrypting server, which the helper's own plain connections
/// cannot reach: the `postgres` database serves as well.
fn url(server: &Server, host: &str, query: &str) -> String {
    format!(
        "postgres://postgres@{host}:{}/postgres{query}",
        server.port()
    )
}

#[tokio::test]
async fn encryption_is_as_strict_as_the_url_says() {
    let ours = certificates("localhost");
    let server = encrypting_server(&ours);
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    let right = file("right.pem", &ours.authority);
    let wrong = file("wrong.pem", &certificates("localhost").authority);
    let nothing = file("nothing.pem", "");

    let attempt =
        async |host: &str, query: String| store::open(&url(&server, host, &query), PLENTY, 1).await;
    let good = [
        ("localhost", "?sslmode=require".to_owned()),
        ("127.0.0.1", "?sslmode=require".to_owned()),
        (
            "127.0.0.1",
            format!("?sslmode=verify-ca&sslrootcert={right}"),
        ),
        (
            "localhost",
            format!("?sslmode=verify-full&sslrootcert={right}"),
        ),
    ];
    for (host, query) in good {
        let store = attempt(host, query.clone()).await;
        let store = store.unwrap_or_else(|error| panic!("{host}{query}: {error}"));
        store.begin_term().await.unwrap();
    }
    let bad = [
        ("localhost", String::new()),
        ("localhost", "?sslmode=prefer".to_owned()),
        ("localhost", format!("?sslmode=require&sslrootcert={wrong}")),
        (
            "localhost",
            format!("?sslmode=verify-ca&sslrootcert={wrong}"),
        ),
        (
            "localhost",
            format!("?sslmode=verify-full&sslrootcert={wrong}"),
        ),
        (
            "127.0.0.1",
            format!("?sslmode=verify-full&sslrootcert={right}"),
        ),
    ];
    for (host, query) in bad {
        let error = attempt(host, query.clone()).await.expect_err(&query);
        // A server that refuses for good is told apart from one that is away.
        let is_refused = matches!(error, StoreError::Unavailable(_) | StoreError::Unusable(_));
        assert!(is_refused, "{error:?}");
    }
    for file in [nothing.as_str(), "/no/such/file"] {
        let query = format!("?sslmode=verify-ca&sslrootcert={file}");
        let error = attempt("localhost", query).await.unwrap_err();
        assert!(
            matches!(&error, StoreError::Unusable(text) if text.contains(file)),
            "{error:?}"
        );
    }
}
