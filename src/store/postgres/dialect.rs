//! The connection on which the statements run: an asynchronous one to PostgreSQL.

pub(super) use diesel_async::{AsyncPgConnection as Connection, RunQueryDsl};

/// Who answers, as two columns: the identifier of the system, and the timeline of its log. What the log
/// writes now has the timeline of a promotion at once; the last checkpoint may have the one before.
pub(super) const ORIGIN: &str = "\
    (SELECT system_identifier FROM pg_control_system()) AS system, \
    ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::bigint AS timeline";

pub(super) use super::bulk::{append_events, put_placements};
