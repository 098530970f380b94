//! Up, down, up again; the same tables on both databases; hands off what is newer.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::sql_types::{Integer, Text};
use diesel::{Connection, QueryableByName, RunQueryDsl, SqliteConnection};
use resilient_orchestrator::store::{self, Owner, StoreError, TABLES};
use tempfile::TempDir;

use crate::support::fleets::{Draft, instance};
use crate::support::postgres::Database;
use crate::support::stores::PLENTY;

/// Where diesel notes which migrations were taken; its own, not ours.
const NOTES: &str = "__diesel_schema_migrations";

/// For each table, each column with whether it may be empty.
type Tables = BTreeMap<String, BTreeMap<String, bool>>;

/// The folders of one database, ascending.
fn folders(database: &str) -> BTreeSet<String> {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    std::fs::read_dir(place.join(database))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// Takes everything, takes it back one by one, takes it again.
async fn up_down_up(url: &str, expected: &BTreeSet<String>) {
    let expected: Vec<String> = expected.iter().cloned().collect();
    assert_eq!(store::migrate(url, PLENTY).await.unwrap(), expected);
    assert_eq!(store::migrate(url, PLENTY).await.unwrap(), [""; 0]);
    let opened = store::open(url, PLENTY, 1).await.unwrap();
    let guard = opened.begin_term().await.unwrap();
    let draft = Draft::default().instance(instance("a")).decided(1, 1);
    opened.save(guard, draft).await.unwrap();
    drop(opened);
    for name in expected.iter().rev() {
        let reverted = store::revert_last(url, PLENTY).await.unwrap();
        assert_eq!(reverted.as_ref(), Some(name));
    }
    assert_eq!(store::revert_last(url, PLENTY).await.unwrap(), None);
}

async fn works_and_is_empty(url: &str) {
    let opened = store::open(url, PLENTY, 1).await.unwrap();
    assert_eq!(opened.load().await.unwrap().instances, []);
    opened.begin_term().await.unwrap();
}

#[derive(QueryableByName)]
struct Column {
    #[diesel(sql_type = Text)]
    table_name: String,
    #[diesel(sql_type = Text)]
    column_name: String,
    #[diesel(sql_type = Integer)]
    required: i32,
}

fn sqlite_tables(path: &Path) -> Tables {
    let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    let columns: Vec<Column> = diesel::sql_query(
        "SELECT m.name AS table_name, c.name AS column_name, c.\"notnull\" AS required
         FROM sqlite_master m, pragma_table_info(m.name) c
         WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'",
    )
    .load(&mut connection)
    .unwrap();
    let mut tables = Tables::new();
    for column in columns.into_iter().filter(|c| c.table_name != NOTES) {
        tables
            .entry(column.table_name)
            .or_default()
            .insert(column.column_name, column.required == 0);
    }
    tables
}

async fn postgres_tables(database: &Database) -> Tables {
    let rows = database
        .connect()
        .await
        .query(
            "SELECT table_name::text, column_name::text, is_nullable = 'YES'
             FROM information_schema.columns WHERE table_schema = 'public'",
            &[],
        )
        .await
        .unwrap();
    let mut tables = Tables::new();
    for row in rows {
        let table: String = row.get(0);
        if table != NOTES {
            tables
                .entry(table)
                .or_default()
                .insert(row.get(1), row.get(2));
        }
    }
    tables
}

#[test]
fn both_databases_have_migrations_of_the_same_names() {
    let names = folders("sqlite");
    assert!(!names.is_empty());
    assert_eq!(names, folders("postgres"));
}

#[tokio::test]
async fn sqlite_goes_up_and_down_and_up_again() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("fleet.db");
    let url = format!("sqlite://{}", path.display());
    up_down_up(&url, &folders("sqlite")).await;
    assert_eq!(
        sqlite_tables(&path),
        Tables::new(),
        "nothing is left behind"
    );
    works_and_is_empty(&url).await;
}

#[tokio::test]
async fn postgres_goes_up_and_down_and_up_again() {
    let database = Database::new().await;
    up_down_up(&database.url(), &folders("postgres")).await;
    assert_eq!(postgres_tables(&database).await, Tables::new());
    works_and_is_empty(&database.url()).await;
}

#[tokio::test]
async fn both_databases_have_the_same_tables() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("fleet.db");
    let url = format!("sqlite://{}", path.display());
    store::migrate(&url, PLENTY).await.unwrap();
    let database = Database::new().await;
    store::migrate(&database.url(), PLENTY).await.unwrap();
    let (sqlite, postgres) = (sqlite_tables(&path), postgres_tables(&database).await);
    assert!(sqlite.contains_key("placements"));
    assert_eq!(sqlite, postgres);
}

/// A table that only grows fills the disk some day.
fn each_has_an_owner(found: BTreeSet<String>) {
    let owned: BTreeSet<String> = TABLES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(
        found, owned,
        "every table needs an entry in TABLES (src/store/retention.rs): who takes rows out of it, \
         or why it cannot grow"
    );
}

#[tokio::test]
async fn every_table_of_sqlite_has_an_owner() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("fleet.db");
    let url = format!("sqlite://{}", path.display());
    store::migrate(&url, PLENTY).await.unwrap();
    let mut found: BTreeSet<String> = sqlite_tables(&path).into_keys().collect();
    found.insert(NOTES.to_owned());
    each_has_an_owner(found);
}

#[tokio::test]
async fn every_table_of_postgres_has_an_owner() {
    let database = Database::new().await;
    store::migrate(&database.url(), PLENTY).await.unwrap();
    let rows = database
        .connect()
        .await
        .query(
            "SELECT tablename::text FROM pg_tables
             WHERE schemaname NOT IN ('pg_catalog', 'information_schema')",
            &[],
        )
        .await
        .unwrap();
    each_has_an_owner(rows.iter().map(|row| row.get(0)).collect());
}

#[test]
fn the_operators_handbook_names_every_table_and_its_owner() {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/OPERATIONS.md");
    let handbook = std::fs::read_to_string(place).unwrap();
    for (table, owner) in TABLES.iter().filter(|(table, _)| *table != NOTES) {
        let (Owner::CleanUp(rule) | Owner::Fleet(rule) | Owner::Bounded(rule)) = owner;
        let line = format!("| `{table}` | {rule} |");
        assert!(handbook.contains(&line), "docs/OPERATIONS.md lacks: {line}");
    }
}

/// Notes a migration this release does not have, as a newer one would.
const NEWER: &str = "INSERT INTO __diesel_schema_migrations (version) VALUES ('99991231000000')";

async fn is_refused_as_newer(url: &str) {
    let errors = [
        store::open(url, PLENTY, 1).await.map(|_| ()).unwrap_err(),
        store::migrate(url, PLENTY).await.map(|_| ()).unwrap_err(),
        store::revert_last(url, PLENTY)
            .await
            .map(|_| ())
            .unwrap_err(),
    ];
    for error in errors {
        assert!(
            matches!(&error, StoreError::Unusable(text)
                if text.contains("newer release") && text.contains("99991231000000")),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn a_newer_sqlite_database_is_left_alone() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("fleet.db");
    let url = format!("sqlite://{}", path.display());
    store::migrate(&url, PLENTY).await.unwrap();
    SqliteConnection::establish(path.to_str().unwrap())
        .unwrap()
        .batch_execute(NEWER)
        .unwrap();
    is_refused_as_newer(&url).await;
}

#[tokio::test]
async fn a_newer_postgres_database_is_left_alone() {
    let database = Database::new().await;
    store::migrate(&database.url(), PLENTY).await.unwrap();
    let side = database.connect().await;
    side.batch_execute(NEWER).await.unwrap();
    is_refused_as_newer(&database.url()).await;
}

#[tokio::test]
async fn orchestrators_that_start_together_take_turns() {
    let database = Database::new().await;
    let url = database.url();
    let open = || store::open(&url, PLENTY, 1);
    let (a, b, c) = tokio::join!(open(), open(), open());
    for opened in [a, b, c] {
        opened.unwrap().ping().await.unwrap();
    }
}

#[tokio::test]
async fn memory_needs_no_migration() {
    assert_eq!(store::migrate("memory:", PLENTY).await.unwrap(), [""; 0]);
    assert_eq!(store::revert_last("memory:", PLENTY).await.unwrap(), None);
    works_and_is_empty("memory:").await;
}
