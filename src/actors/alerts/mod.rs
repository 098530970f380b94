//! Keeps the book of alerts (`domain/alert/book.rs`) and saves it.
//!
//! There is one way to the book, [`Alerts`]: actors that watch something hold it, and so does the EventFeed,
//! for what saved events mean (`domain/alert/news.rs`). Saying it again changes nothing but the
//! sentence, which is in memory at once and saved, with a line at INFO, at most once an
//! [`REWORDING_INTERVAL`]. A new alert is one line at WARN or ERROR, a closed one a line at INFO. Alerts
//! are saved outside the fleet's transactions and never delay one. While the store is out they are kept and tried
//! again; pages are then made from memory, which holds all open and the newest closed alerts.
//!
//! The book also has the silences (`domain/alert/silence`). It lives apart from heartbeats, because matching
//! takes time. A silence is saved before it is in force; an acknowledgement is in force at once, so that an
//! alert about the database can be acknowledged, and is saved like any change of an alert. Both are in the
//! audit trail, as events.
//!
//! What is lost when the process dies before a save: alerts that are still true are raised again
//! by the actor that watches; those that are not would have been closed.

mod acknowledging;
mod actor;
mod handle;
mod questions;
mod saves;
mod saving;
mod silencing;

pub use acknowledging::{Acknowledge, Acknowledged, NotAcknowledged};
pub use actor::{
    AlertBookActor, AlertsSaved, AskLabels, BookChanged, BookLinks, InstanceLabels, KeptAlerts,
    OrderGiven, REWORDING_INTERVAL, UpdateAlerts,
};
pub use handle::Alerts;
pub use questions::{AlertPage, AskAlerts, AskOpen, OpenAlerts};
pub use saves::FollowSaves;
pub use silencing::{AddSilence, AskSilenced, AskSilences, EndSilence, NotSilenced};
