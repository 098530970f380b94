//! What an operator should look at: opened once, closed when it is over.
//!
//! `book` opens and closes them.

mod book;
mod kind;
mod news;
mod release;

pub use book::{AlertBook, MAX_CLOSED, Raised};
pub use kind::{Alert, AlertFilter, AlertKind, FLEET, Severity};
pub use news::{News, news};
pub use release::{overlap_unfinished, release_refused, runs_what_was_taken};
