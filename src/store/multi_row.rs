//! Statements that write many rows: how many at once, and what an upsert takes.

/// How many values one statement may bind: SQLite's limit is 32,766, PostgreSQL's 65,535.
const MOST_BINDS: usize = 30_000;

/// Returns how many rows of `width` values fit in one statement.
pub(super) const fn rows_per_statement(width: usize) -> usize {
    MOST_BINDS / width
}

/// The assignments of an upsert: each named column takes the value of the new row.
macro_rules! incoming {
    ($table:ident: $($column:ident),+ $(,)?) => {
        ($($table::$column.eq(diesel::upsert::excluded($table::$column)),)+)
    };
}

pub(super) use incoming;
