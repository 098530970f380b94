//! What an operator should look at: opened once, closed when it is over.
//!
//! `book` opens, rewords and closes them, `cause` keeps one cause from opening several, and `news` says
//! what saved events mean for them.

mod book;
mod cause;
mod kind;
mod news;
mod release;

pub use book::{AlertBook, MAX_CLOSED, Raised};
pub use cause::{DATABASE, untold};
pub use kind::{Alert, AlertFilter, AlertKind, FLEET, Severity, subject_of};
pub use news::{News, differ, news};
pub use release::{overlap_unfinished, release_refused, runs_what_was_taken};
