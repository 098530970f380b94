//! Calls on their thread.

use diesel::{dsl::sql, sql_types};

use super::*;

#[test]
fn writes_reach_the_disk_and_keep_references_whole() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fleet.db");
    let limit = Duration::from_secs(1);
    let mut writer = connect(&path, Access::Write, limit).unwrap();
    let mut pragma = |name: &str| -> String {
        let value = sql::<sql_types::Text>(&format!("CAST({name} AS TEXT) FROM pragma_{name}"));
        diesel::select(value).get_result(&mut writer).unwrap()
    };
    assert_eq!(pragma("journal_mode"), "wal");
    assert_eq!(pragma("synchronous"), "2", "2 is FULL");
    assert_eq!(pragma("foreign_keys"), "1");
}

#[test]
fn the_reader_cannot_write() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fleet.db");
    let limit = Duration::from_secs(1);
    connect(&path, Access::Write, limit).unwrap();
    let mut reader = connect(&path, Access::Read, limit).unwrap();
    assert!(reader.batch_execute("CREATE TABLE t (x)").is_err());
}

#[test]
fn a_transaction_is_either_given_up_or_committed() {
    let given_up = Progress::default();
    assert!(given_up.give_up());
    assert!(given_up.is_given_up());
    assert!(!given_up.begin_commit());
    let committing = Progress::default();
    assert!(committing.begin_commit());
    assert!(!committing.give_up(), "it may be there");
}
