//! What an operator should look at: opened once, closed when it is over.
//!
//! `book` opens, rewords and closes them, `cause` keeps one cause from opening several, and `group` says which
//! belong together all the same. All that changes
//! the book is `News`: of actors that watch something, of saved events (`news`), and of breakers (`outage`).

mod book;
mod cause;
mod group;
mod kind;
mod lost;
mod news;
mod outage;
mod release;
mod rule;
mod silence;

pub use book::{AlertBook, MAX_CLOSED, Raised};
pub use cause::{DATABASE, untold};
pub use group::AlertCause;
pub use kind::{
    Acknowledgement, Alert, AlertFilter, AlertKind, FLEET, MAX_LISTED, Severity, subject_of,
};
pub use news::{News, differ, news};
pub use outage::{StoreOutages, held_by_hand};
pub use release::{overlap_unfinished, release_refused, runs_what_was_taken};
pub use rule::{AlertKey, AlertRule, RULES};
pub use silence::{
    MAX_MATCHERS, MAX_SILENCES, Matcher, MatcherFault, MatcherName, Silence, SilenceBook, Silenced,
};
