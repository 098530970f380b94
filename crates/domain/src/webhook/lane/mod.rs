//! The deliveries of one target: which one is next, and when. The module's docs have the states.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::breaker::BreakerState;
use crate::time::{Timestamp, WallTime};
use crate::timeline::Recent;
use crate::webhook::delivery::{Delivery, DeliveryState};
use crate::webhook::message::Content;
use crate::webhook::schedule::{GIVE_UP_AFTER, delay};
use crate::webhook::verdict::{Answer, Verdict, judge};

/// How many failures in a row open the breaker.
const THRESHOLD: u32 = 5;

/// How long a target fails before operators are notified.
const ALERT_AFTER: Duration = Duration::from_secs(60);

/// How many deliveries with a row wait at the most; the oldest is given up for a newer one.
const MAX_WAITING: usize = 10_000;

/// How a target is at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct LaneState {
    pub breaker: BreakerState,
    /// How many deliveries wait in memory.
    pub waiting: usize,
    /// Failures in a row.
    pub failures: u32,
    /// Since when the target fails.
    pub failing_since: Option<Timestamp>,
    /// Whether it has failed so long that operators are to be notified.
    pub is_failing: bool,
}

/// The end of a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// The delivery as it is now.
    pub delivery: Delivery,
    /// Whether its row is to be written: an event that was accepted at once has none.
    pub has_row: bool,
    /// The cursor over events, if it moved.
    pub cursor: Option<i64>,
    /// The consequence.
    pub verdict: Verdict,
}

#[derive(Debug)]
struct Waiting {
    delivery: Delivery,
    due: Timestamp,
}

#[derive(Debug)]
enum InFlight {
    Row(Delivery),
    Event(Delivery),
    /// A delivery whose target was changed meanwhile: a refusal by what it was before says nothing.
    Outdated(Delivery),
    /// An event that is read again in any case.
    Forgotten,
    /// A request that is no delivery: the list of open alerts.
    Repeat,
}

/// The deliveries of one target.
#[derive(Debug, Default)]
pub struct Lane {
    /// Those with a row, by their numbers.
    rows: BTreeMap<i64, Waiting>,
    /// Events without a row, in their order.
    events: VecDeque<Delivery>,
    in_flight: Option<InFlight>,
    failures: u32,
    failing_since: Option<Timestamp>,
    /// No try before: the breaker is open.
    open_until: Option<Timestamp>,
    /// No try before: the receiver asked for a pause.
    held_until: Option<Timestamp>,
}

impl Lane {
    /// Takes deliveries that have a row; they are due at once. Returns those that are given up because too many
    /// wait.
    pub fn put(
        &mut self,
        deliveries: impl IntoIterator<Item = Delivery>,
        now: Timestamp,
        wall: WallTime,
    ) -> Vec<Delivery> {
        for delivery in deliveries {
            let (number, due) = (delivery.number, now);
            let is_in_flight = matches!(&self.in_flight,
                Some(InFlight::Row(flying) | InFlight::Outdated(flying)) if flying.number == number);
            if !is_in_flight {
                self.rows.insert(number, Waiting { delivery, due });
            }
        }
        let mut dropped = Vec::new();
        while self.rows.len() > MAX_WAITING
            && let Some((_, Waiting { mut delivery, .. })) = self.rows.pop_first()
        {
            delivery.give_up("too many deliveries waited", wall);
            dropped.push(delivery);
        }
        dropped
    }

    /// Takes events that follow those it has.
    pub fn put_events(&mut self, events: impl IntoIterator<Item = Delivery>) {
        self.events.extend(events);
    }

    /// Returns whether more events can be taken: none waits, and none is under way.
    pub fn wants_events(&self) -> bool {
        let has_event = matches!(self.in_flight, Some(InFlight::Event(_)));
        self.events.is_empty() && !has_event
    }

    /// Forgets the events it has: they are read again from the cursor.
    pub fn forget_events(&mut self) {
        self.events.clear();
        if let Some(InFlight::Event(_)) = self.in_flight {
            self.in_flight = Some(InFlight::Forgotten);
        }
    }

    /// Notes that the target is another one now: a request under way leads to what it was before.
    pub fn outdate(&mut self) {
        if let Some(InFlight::Row(delivery)) =
            self.in_flight.take_if(|it| matches!(it, InFlight::Row(_)))
        {
            self.in_flight = Some(InFlight::Outdated(delivery));
        }
    }

    /// Returns whether an event that is refused may become a row. If too many wait, events wait where they are saved.
    fn has_room(&self) -> bool {
        self.rows.len() < MAX_WAITING
    }

    /// Takes out everything that waits.
    pub fn take_all(&mut self) -> Vec<Delivery> {
        self.events.clear();
        let rows = std::mem::take(&mut self.rows);
        rows.into_values().map(|waiting| waiting.delivery).collect()
    }

    /// Gives up what waited for too long.
    /// `recent` selects the times of day that are younger than [`GIVE_UP_AFTER`]: the clock may have jumped since.
    pub fn expire(&mut self, recent: &Recent, wall: WallTime) -> Vec<Delivery> {
        let is_over = |waiting: &Waiting| !recent.contains(waiting.delivery.waits_since);
        let over: Vec<i64> = self
            .rows
            .iter()
            .filter(|(_, waiting)| is_over(waiting))
            .map(|(number, _)| *number)
            .collect();
        let over = over
            .into_iter()
            .filter_map(|number| self.rows.remove(&number));
        let expired = over.map(|Waiting { mut delivery, .. }| {
            let last = delivery.last_answer.take().unwrap_or_default();
            delivery.give_up(
                format!("given up after 24 h; the last answer: {last}"),
                wall,
            );
            delivery
        });
        expired.collect()
    }

    /// Returns whether a request may begin.
    pub fn is_free(&self, now: Timestamp) -> bool {
        self.free_at().is_some_and(|at| at <= now)
    }

    /// Returns the moment from which a request may begin; none while one is under way.
    pub fn free_at(&self) -> Option<Timestamp> {
        let until = self.open_until.max(self.held_until);
        self.in_flight
            .is_none()
            .then_some(until.unwrap_or_default())
    }

    /// Begins the delivery that is next, if one is due.
    pub fn begin(&mut self, now: Timestamp) -> Option<Delivery> {
        if !self.is_free(now) {
            return None;
        }
        let number = if self.open_until.is_some() {
            // A trial: one that alone is refused must not keep the others back.
            let attempts = self
                .heads()
                .map(|(number, waiting)| (waiting.delivery.attempts, number));
            let freshest = attempts.min().map(|(attempts, number)| (number, attempts));
            freshest.filter(|(_, attempts)| *attempts == 0 || self.events.is_empty())
        } else {
            let mut due = self.heads().filter(|(_, waiting)| waiting.due <= now);
            due.next().map(|(number, _)| (number, 0))
        };
        let delivery = match number.and_then(|(number, _)| self.rows.remove(&number)) {
            Some(waiting) => {
                self.in_flight = Some(InFlight::Row(waiting.delivery.clone()));
                waiting.delivery
            }
            None if !self.has_room() => return None,
            None => {
                let event = self.events.pop_front()?;
                self.in_flight = Some(InFlight::Event(event.clone()));
                event
            }
        };
        Some(delivery)
    }

    /// Returns the rows that may be next, in their order. The end of an alert waits for its beginning: the other
    /// way round the receiver would take the alert for open.
    fn heads(&self) -> impl Iterator<Item = (i64, &Waiting)> {
        let mut alerts = BTreeSet::new();
        let rows = self.rows.iter().map(|(number, waiting)| (*number, waiting));
        rows.filter(
            move |(_, waiting)| match &waiting.delivery.message.content {
                Content::Alert(alert) => alerts.insert(alert.id),
                Content::Event(_) | Content::Test => true,
            },
        )
    }

    /// Begins a request that is no delivery, if one may begin.
    pub fn begin_repeat(&mut self, now: Timestamp) -> bool {
        let is_free = self.is_free(now);
        if is_free {
            self.in_flight = Some(InFlight::Repeat);
        }
        is_free
    }

    /// Takes the answer to the request under way. `jitter` in 0..=1; `number` is for an event that gets a row now.
    /// Returns `None` if the request was no delivery.
    pub fn answered(
        &mut self,
        answer: &Answer,
        now: Timestamp,
        wall: WallTime,
        jitter: f64,
        number: i64,
    ) -> Option<Settled> {
        let in_flight = self.in_flight.take()?;
        let verdict = judge(answer);
        let (mut delivery, is_event) = match in_flight {
            InFlight::Outdated(delivery) if verdict != Verdict::Delivered => {
                // What the target was before says nothing of what it is now, which is tried at once.
                let due = now;
                self.rows.insert(delivery.number, Waiting { delivery, due });
                return None;
            }
            InFlight::Repeat | InFlight::Forgotten => {
                self.count(answer, verdict, now, jitter);
                return None;
            }
            InFlight::Row(delivery) | InFlight::Outdated(delivery) => (delivery, false),
            InFlight::Event(delivery) => (delivery, true),
        };
        self.count(answer, verdict, now, jitter);
        delivery.attempts = delivery.attempts.saturating_add(1);
        delivery.last_answer = Some(answer.to_string());
        delivery.last_status = answer.status();
        let cursor = match &delivery.message.content {
            Content::Event(event) if is_event => Some(event.sequence),
            Content::Event(_) | Content::Alert(_) | Content::Test => None,
        };
        let mut has_row = true;
        match verdict {
            Verdict::Delivered => {
                delivery.state = DeliveryState::Delivered;
                delivery.next_try_at = None;
                delivery.ended_at = Some(wall);
                has_row = !is_event;
            }
            Verdict::Gone => delivery.give_up(answer.to_string(), wall),
            Verdict::Retry(pause) => {
                if is_event {
                    delivery.number = number;
                }
                let wait = delay(delivery.attempts, jitter).max(pause.unwrap_or_default());
                delivery.next_try_at = Some(wall + wait);
                let due = now + wait;
                let waiting = Waiting {
                    delivery: delivery.clone(),
                    due,
                };
                self.rows.insert(delivery.number, waiting);
            }
        }
        Some(Settled {
            delivery,
            has_row,
            cursor,
            verdict,
        })
    }

    fn count(&mut self, answer: &Answer, verdict: Verdict, now: Timestamp, jitter: f64) {
        match verdict {
            Verdict::Delivered => self.recovered(now),
            Verdict::Retry(pause) => {
                self.held_until = pause.map(|pause| now + pause);
                self.failing_since.get_or_insert(now);
                // It says itself when to come again.
                if pause.is_some() && answer.is_throttled() {
                    return;
                }
                self.failures = self.failures.saturating_add(1);
                if self.failures >= THRESHOLD {
                    self.open_until = Some(now + delay(self.failures, jitter));
                }
            }
            Verdict::Gone => {}
        }
    }

    /// Counts a success, also one outside of the lane, such as a test: the breaker closes.
    pub fn recovered(&mut self, now: Timestamp) {
        if self.open_until.take().is_some() {
            for waiting in self.rows.values_mut() {
                waiting.due = now;
            }
        }
        (self.failures, self.failing_since, self.held_until) = (0, None, None);
    }

    /// Returns whether the delivery of a message is under way.
    pub fn is_in_flight(&self, id: &str) -> bool {
        matches!(&self.in_flight,
            Some(InFlight::Row(flying) | InFlight::Outdated(flying) | InFlight::Event(flying))
                if flying.message.id == id)
    }

    /// Returns the next moment at which a delivery may be due, or given up; none while one is under way or nothing
    /// waits. `age` tells how old a time of day is.
    pub fn next_deadline(
        &self,
        now: Timestamp,
        age: impl FnOnce(WallTime) -> Duration,
    ) -> Option<Timestamp> {
        let earliest = self.free_at()?;
        let due = if self.open_until.is_some() {
            (!self.rows.is_empty()).then_some(now)
        } else {
            self.heads().map(|(_, waiting)| waiting.due).min()
        };
        let due = due
            .into_iter()
            .chain((!self.events.is_empty() && self.has_room()).then_some(now));
        let due = due.min().map(|due| due.max(earliest));
        let rows = self.rows.values();
        let oldest = rows.map(|waiting| waiting.delivery.waits_since).min();
        let over = oldest.map(|oldest| now + GIVE_UP_AFTER.saturating_sub(age(oldest)));
        over.into_iter().chain(due).min()
    }

    /// Returns how the target is.
    pub fn state(&self, now: Timestamp) -> LaneState {
        let breaker = match self.open_until {
            None => BreakerState::Closed,
            Some(_) if self.in_flight.is_some() => BreakerState::HalfOpen,
            Some(_) => BreakerState::Open,
        };
        LaneState {
            breaker,
            waiting: self.rows.len() + self.events.len() + usize::from(self.in_flight.is_some()),
            failures: self.failures,
            failing_since: self.failing_since,
            is_failing: self
                .failing_since
                .is_some_and(|since| now.since(since) >= ALERT_AFTER),
        }
    }
}

#[cfg(test)]
mod tests;
