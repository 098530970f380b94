//! Keeps the book of alerts (`domain/alert/book.rs`) and saves it.
//!
//! Whoever notices something holds an [`Alerts`] and says so; saying it again changes nothing but the
//! sentence, which is in memory at once and saved, with a line at INFO, at most once an
//! [`REWORDING_INTERVAL`]. A new alert is one line at WARN or ERROR, a closed one a line at INFO. Alerts
//! are saved outside the fleet's transactions and never delay one. While the store is out they are kept and tried
//! again; pages are then made from memory, which holds all open and the newest closed alerts.
//!
//! What is lost when the process dies before a save: alerts that are still true are raised again
//! by whoever watches; those that are not would have been closed.

mod actor;
mod saving;

pub use actor::{
    AlertBookActor, AlertPage, Alerts, AskAlerts, AskOpen, BookChanged, Clear, HearEvents,
    KeptAlerts, OpenAlerts, REWORDING_INTERVAL, Raise, Reword,
};
