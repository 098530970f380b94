//! A message on its way to one target.

use super::message::Message;
use crate::string_enum::string_enum;
use crate::time::WallTime;

string_enum! {
    /// How far a delivery is.
    DeliveryState {
        /// It is tried, or tried again.
        Pending = "pending",
        /// The receiver has accepted it.
        Delivered = "delivered",
        /// It was given up; an operator may have it tried again.
        Failed = "failed",
    }
}

/// A delivery. Its key is the target and the id of the message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Delivery {
    pub target: String,
    pub message: Message,
    /// Its place in the order of the target's deliveries; only grows.
    pub number: i64,
    pub state: DeliveryState,
    /// How often it was tried since it began to wait.
    pub attempts: u32,
    pub created_at: WallTime,
    /// When it began to wait: at first, or when an operator had it delivered again.
    pub waits_since: WallTime,
    pub next_try_at: Option<WallTime>,
    pub ended_at: Option<WallTime>,
    /// The last answer, in words.
    pub last_answer: Option<String>,
    pub last_status: Option<u16>,
}

impl Delivery {
    /// Creates a delivery that was not tried yet.
    pub fn new(target: &str, number: i64, message: Message, now: WallTime) -> Self {
        Self {
            target: target.to_owned(),
            message,
            number,
            state: DeliveryState::Pending,
            attempts: 0,
            created_at: now,
            waits_since: now,
            next_try_at: Some(now),
            ended_at: None,
            last_answer: None,
            last_status: None,
        }
    }

    /// Has it tried again as if it were new.
    pub fn begin_again(&mut self, now: WallTime) {
        self.state = DeliveryState::Pending;
        self.attempts = 0;
        self.waits_since = now;
        self.next_try_at = Some(now);
        self.ended_at = None;
    }

    /// Gives it up.
    pub fn give_up(&mut self, reason: impl Into<String>, now: WallTime) {
        self.state = DeliveryState::Failed;
        self.next_try_at = None;
        self.ended_at = Some(now);
        self.last_answer = Some(reason.into());
    }
}

/// Selects deliveries of one target, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// The name of the target.
    pub target: String,
    /// Only those in this state.
    pub state: Option<DeliveryState>,
    /// Only those older than this one.
    pub before: Option<i64>,
    /// Only those that were created at this moment or later.
    pub since: Option<WallTime>,
    /// Only those of these messages; an empty list selects all.
    pub ids: Vec<String>,
}

impl DeliveryFilter {
    /// Selects all deliveries of a target.
    pub fn of(target: &str) -> Self {
        Self {
            target: target.to_owned(),
            ..Self::default()
        }
    }

    /// Returns whether a delivery meets the conditions.
    pub fn wants(&self, delivery: &Delivery) -> bool {
        delivery.target == self.target
            && self.state.is_none_or(|state| delivery.state == state)
            && self.before.is_none_or(|before| delivery.number < before)
            && self.since.is_none_or(|since| delivery.created_at >= since)
            && (self.ids.is_empty() || self.ids.contains(&delivery.message.id))
    }
}
