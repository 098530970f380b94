//! Notices to receivers outside, over HTTP: which ones, in which form, and when again.
//!
//! A *target* is a receiver with its own secret, format and selection. A *message* is one alert that was opened
//! or closed, one event, or a test; its id is the same in every try. A *delivery* is a message on its way to one
//! target.
//!
//! # Losing nothing
//!
//! Two sources are read, each with a mark of its own in the store:
//!
//! - **Alerts.** Each row of an alert has a mark that says what of it was announced ([`Announced`]): nothing, that it
//!   is open, that it is critical, that it is closed. The deliveries of an alert and its new mark are written in
//!   one transaction. If the process dies between "alert saved" and "delivery written", then the mark is still
//!   behind, so the next process finds the alert by its mark. If it dies before the alert is saved, then the part
//!   of the program that detected the condition raises it again.
//! - **Events.** Each target has a *cursor*: every event up to that number is delivered, or has a row of its own.
//!   The cursor moves only after the receiver has accepted, or in the transaction that writes the row of the
//!   failed try. So ten thousand delivered events write no row, and a crash repeats at most those that were
//!   accepted after the cursor was last saved, which happens once a second and at a stop in order. While the breaker
//!   of a target is open the cursor stays: the events wait in their own table.
//!
//! # A delivery
//!
//! ```text
//!             2xx
//!   pending ───────▶ delivered ──┐
//!    ▲   │                       │ redelivered by an operator
//!    │   ├─ 24 h are over, or ──▶ failed
//!    │   │  410 Gone             │
//!    └───┴───────────────────────┘
//!     other answer, no answer: again after 1, 2, 4 … s, at most 5 minutes
//! ```
//!
//! # A target
//!
//! One delivery at a time ([`Lane`]), so a receiver that hangs occupies one thread. Five failures in a row open its
//! breaker: then one delivery at a time is a trial, and the others wait without a row being written. The first
//! success closes it, and what waits is due at once. `Retry-After` holds the whole target back. 410 stops it
//! until an operator saves it again.

mod address;
mod alertmanager;
mod announce;
mod base64;
mod delivery;
mod draft;
mod format;
mod lane;
mod message;
mod pattern;
mod retry_after;
#[cfg(test)]
mod sample;
mod schedule;
mod secret;
mod slack;
mod target;
mod url;
mod verdict;

pub use address::{Forbidden, is_forbidden};
pub use alertmanager::{AlertmanagerAlert, alertmanager_alert, alertmanager_body};
pub use announce::{Announced, Announcement, announce, repeated};
pub use base64::{base64, from_base64};
pub use delivery::{Delivery, DeliveryFilter, DeliveryState};
pub use draft::{Fault, Fresh, ROTATION, TargetDraft};
pub use format::Format;
pub use lane::{Lane, LaneState, Settled};
pub use message::{AlertNotice, Content, EventNotice, Message, Urgency};
pub use pattern::{TypePattern, wants};
pub use retry_after::retry_after;
pub use schedule::{GIVE_UP_AFTER, delay};
pub use secret::{MIN_SECRET, Secret};
pub use slack::slack_text;
pub use target::{MAX_TARGETS, PreviousSecret, Source, Target, check_name, signed_content};
pub use url::{TargetUrl, shown};
pub use verdict::{Answer, Verdict, judge};
