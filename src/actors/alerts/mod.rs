//! Keeps the book of alerts (`domain/alert/book.rs`) and saves it.
//!
//! There is one way to the book, [`Alerts`]: actors that watch something hold it, and so does the EventFeed,
//! for what saved events mean (`domain/alert/news.rs`). Saying it again changes nothing but the
//! sentence, which is in memory at once and saved, with a line at INFO, at most once an
//! [`REWORDING_INTERVAL`]. A new alert is one line at WARN or ERROR, a closed one a line at INFO. Alerts
//! are saved outside the fleet's transactions and never delay one. While the store is out they are kept and tried
//! again; pages are then made from memory, which holds all open and the newest closed alerts.
//!
//! What is lost when the process dies before a save: alerts that are still true are raised again
//! by the actor that watches; those that are not would have been closed.

mod actor;
mod handle;
mod questions;
mod saving;

pub use actor::{AlertBookActor, BookChanged, KeptAlerts, REWORDING_INTERVAL, UpdateAlerts};
pub use handle::Alerts;
pub use questions::{AlertPage, AskAlerts, AskOpen, OpenAlerts};
