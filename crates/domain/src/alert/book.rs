//! The book of alerts: at most one of a kind and subject is open.
//!
//! ```text
//!            raise                    clear
//!   (none) ────────▶ open (warning) ────────▶ closed ──raised again──▶ another alert
//!                      │    ▲ raised again: reworded if its sentence is another one
//!         raised as critical
//!                      ▼
//!                    open (critical): never becomes milder
//! ```
//!
//! An alert that is open is as new as the last word on it: its sentence changes, its id and the
//! moment it was opened do not. One whose cause has an alert of its own (`cause.rs`) is not opened, and
//! is closed if it is open when that of the cause opens: whoever watches raises it again if it
//! outlasts its cause.
//!
//! Raising and clearing may be repeated at will: whoever watches something says what it sees, and
//! the book notices what is new. It keeps all open alerts and the newest closed ones.

use std::collections::BTreeMap;

use super::kind::{Alert, AlertFilter, AlertKind, Severity};
use crate::ids::AlertId;
use crate::time::WallTime;
use crate::timeline::Recent;

/// How many closed alerts are kept in memory.
pub const MAX_CLOSED: usize = 1_000;

/// What became of an alert that was raised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Raised {
    /// It is new.
    Opened(Alert),
    /// It was open, and is more urgent now.
    Escalated(Alert),
    /// It was open, and its sentence has changed.
    Reworded(Alert),
}

impl Raised {
    /// The alert as it is now.
    pub const fn alert(&self) -> &Alert {
        match self {
            Self::Opened(alert) | Self::Escalated(alert) | Self::Reworded(alert) => alert,
        }
    }
}

/// Open and newest closed alerts.
#[derive(Debug, Clone, Default)]
pub struct AlertBook {
    open: BTreeMap<(AlertKind, String), AlertId>,
    known: BTreeMap<AlertId, Alert>,
    newest: AlertId,
}

impl AlertBook {
    /// The book as it was kept. Alerts about what ended with the process that opened them are
    /// closed; those are returned.
    pub fn restore(kept: impl IntoIterator<Item = Alert>, now: WallTime) -> (Self, Vec<Alert>) {
        let mut book = Self::default();
        for alert in kept {
            book.newest = book.newest.max(alert.id);
            if alert.is_open() {
                let key = (alert.kind, alert.subject.clone());
                book.open.insert(key, alert.id);
            }
            book.known.insert(alert.id, alert);
        }
        let over: Vec<(AlertKind, String)> = book
            .open
            .keys()
            .filter(|(kind, _)| kind.ends_with_the_process())
            .cloned()
            .collect();
        let closed = over
            .iter()
            .filter_map(|(kind, subject)| book.clear(*kind, subject, now))
            .collect();
        book.forget();
        (book, closed)
    }

    /// Somebody should look at this. `None` if an alert that says so is open already, or one that
    /// tells of its cause.
    pub fn raise(
        &mut self,
        kind: AlertKind,
        severity: Severity,
        subject: &str,
        detail: &str,
        now: WallTime,
    ) -> Option<Raised> {
        let key = (kind, subject.to_owned());
        if let Some(alert) = self.open.get(&key).and_then(|id| self.known.get_mut(id)) {
            // The milder word is not the newer one.
            if alert.severity > severity {
                return None;
            }
            let is_worse = alert.severity < severity;
            if !is_worse && alert.detail == detail {
                return None;
            }
            alert.severity = severity;
            detail.clone_into(&mut alert.detail);
            return Some(match is_worse {
                true => Raised::Escalated(alert.clone()),
                false => Raised::Reworded(alert.clone()),
            });
        }
        let cause = kind.follows_from();
        if cause.is_some_and(|cause| self.open.contains_key(&(cause, key.1.clone()))) {
            return None;
        }
        self.newest = self.newest.next().max(AlertId::new(now.as_micros()));
        let alert = Alert {
            id: self.newest,
            kind,
            severity,
            subject: key.1.clone(),
            detail: detail.to_owned(),
            opened_at: now,
            closed_at: None,
        };
        self.open.insert(key, alert.id);
        self.known.insert(alert.id, alert.clone());
        Some(Raised::Opened(alert))
    }

    /// If such an alert is open, this is how it is now.
    pub fn reword(&mut self, kind: AlertKind, subject: &str, detail: &str) -> Option<Raised> {
        let id = self.open.get(&(kind, subject.to_owned()))?;
        let alert = self.known.get_mut(id)?;
        if alert.detail == detail {
            return None;
        }
        detail.clone_into(&mut alert.detail);
        Some(Raised::Reworded(alert.clone()))
    }

    /// What is open about a subject and follows from what an alert of this kind tells of: it joins
    /// that alert.
    pub fn join(&mut self, cause: AlertKind, subject: &str, now: WallTime) -> Vec<Alert> {
        let kinds = AlertKind::ALL.iter().copied();
        kinds
            .filter(|kind| kind.follows_from() == Some(cause))
            .filter_map(|kind| self.clear(kind, subject, now))
            .collect()
    }

    /// It is over. `None` if no such alert is open.
    pub fn clear(&mut self, kind: AlertKind, subject: &str, now: WallTime) -> Option<Alert> {
        let id = self.open.remove(&(kind, subject.to_owned()))?;
        let alert = self.known.get_mut(&id)?;
        // Clocks may go back, time that passed may not.
        alert.closed_at = Some(now.max(alert.opened_at));
        let closed = alert.clone();
        self.forget();
        Some(closed)
    }

    /// Everything about an instance is over: it is gone.
    pub fn clear_instance(&mut self, instance: &str, now: WallTime) -> Vec<Alert> {
        let kinds = AlertKind::ALL.iter().filter(|kind| kind.is_of_instance());
        kinds
            .filter_map(|kind| self.clear(*kind, instance, now))
            .collect()
    }

    /// Forgets those that were closed longer ago than alerts are kept.
    pub fn forget_closed(&mut self, kept: &Recent) {
        self.known
            .retain(|_, alert| alert.closed_at.is_none_or(|end| kept.contains(end)));
    }

    /// What is known of an alert.
    pub fn get(&self, id: AlertId) -> Option<&Alert> {
        self.known.get(&id)
    }

    /// The alerts a filter wants, newest first.
    pub fn wanted(&self, filter: &AlertFilter) -> impl Iterator<Item = &Alert> {
        self.known
            .values()
            .rev()
            .filter(move |alert| filter.wants(alert))
    }

    /// The open ones of a kind.
    pub fn open_of(&self, kind: AlertKind) -> impl Iterator<Item = &Alert> {
        let open = self.open.range((kind, String::new())..);
        open.take_while(move |((other, _), _)| *other == kind)
            .filter_map(|(_, id)| self.known.get(id))
    }

    /// How many of each kind are open; kinds without any are left out.
    pub fn open_counts(&self) -> BTreeMap<AlertKind, usize> {
        let mut counts = BTreeMap::new();
        for (kind, _) in self.open.keys() {
            *counts.entry(*kind).or_default() += 1;
        }
        counts
    }

    fn forget(&mut self) {
        let closed = self.known.len().saturating_sub(self.open.len());
        for _ in MAX_CLOSED..closed {
            let oldest = self.known.values().find(|alert| !alert.is_open());
            let Some(id) = oldest.map(|alert| alert.id) else {
                return;
            };
            self.known.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KIND: AlertKind = AlertKind::Flapping;

    fn at(micros: i64) -> WallTime {
        WallTime::from_micros(micros)
    }

    fn raise(book: &mut AlertBook, subject: &str, severity: Severity, now: i64) -> Option<Raised> {
        book.raise(KIND, severity, subject, "because", at(now))
    }

    #[test]
    fn an_open_alert_says_what_is_true_now_and_keeps_its_id_and_its_age() {
        let mut book = AlertBook::default();
        let kind = AlertKind::StreamsOrphaned;
        let mut raise =
            |severity, detail, now| book.raise(kind, severity, "fleet", detail, at(now));
        let opened = raise(Severity::Warning, "71 streams", 5).unwrap();
        assert_eq!(raise(Severity::Warning, "71 streams", 6), None);
        let Some(Raised::Reworded(now)) = raise(Severity::Warning, "311 streams", 7) else {
            panic!("not reworded");
        };
        let expected = Alert {
            detail: "311 streams".to_owned(),
            ..opened.alert().clone()
        };
        assert_eq!(now, expected);
        let worse = raise(Severity::Critical, "400 streams", 8).unwrap();
        assert!(matches!(&worse, Raised::Escalated(alert) if alert.detail == "400 streams"));
        assert_eq!(
            raise(Severity::Warning, "3 streams", 9),
            None,
            "a milder word"
        );
        assert_eq!(book.get(opened.alert().id), Some(worse.alert()));
    }

    #[test]
    fn only_an_open_alert_is_reworded() {
        let mut book = AlertBook::default();
        assert_eq!(book.reword(KIND, "a", "three"), None);
        raise(&mut book, "a", Severity::Warning, 1);
        assert_eq!(book.reword(KIND, "a", "because"), None);
        let reworded = book.reword(KIND, "a", "three").unwrap();
        assert!(matches!(&reworded, Raised::Reworded(alert) if alert.detail == "three"));
        book.clear(KIND, "a", at(2));
        assert_eq!(book.reword(KIND, "a", "four"), None);
    }

    #[test]
    fn what_follows_from_an_alert_joins_it() {
        let (cause, effect) = (AlertKind::RecoveryExhausted, AlertKind::EmergencyRecovery);
        let mut book = AlertBook::default();
        let mut raise = |kind, subject, now| {
            let opened = book.raise(kind, Severity::Critical, subject, "x", at(now));
            let joined = book.join(kind, subject, at(now));
            (opened.is_some(), joined.len())
        };
        assert_eq!(raise(effect, "a", 1), (true, 0));
        assert_eq!(
            raise(cause, "a", 2),
            (true, 1),
            "it was open before its cause"
        );
        assert_eq!(raise(effect, "a", 3), (false, 0));
        assert_eq!(raise(effect, "b", 4), (true, 0), "another instance");
        assert_eq!(
            book.open_counts(),
            BTreeMap::from([(cause, 1), (effect, 1)])
        );
        book.clear(cause, "a", at(5));
        assert!(
            book.raise(effect, Severity::Critical, "a", "x", at(6))
                .is_some()
        );
    }

    #[test]
    fn one_alert_of_a_kind_and_subject_is_open() {
        let mut book = AlertBook::default();
        let opened = raise(&mut book, "a", Severity::Warning, 5).unwrap();
        assert_eq!(opened.alert().id, AlertId::new(5));
        assert_eq!(raise(&mut book, "a", Severity::Warning, 6), None);
        assert!(raise(&mut book, "b", Severity::Warning, 6).is_some());
        assert_eq!(book.open_counts(), BTreeMap::from([(KIND, 2)]));
        assert_eq!(book.clear(AlertKind::MassFailure, "a", at(7)), None);
        let closed = book.clear(KIND, "a", at(7)).unwrap();
        assert_eq!(
            (closed.id, closed.closed_at),
            (opened.alert().id, Some(at(7)))
        );
        assert_eq!(book.clear(KIND, "a", at(8)), None, "closed once");
        assert_eq!(book.open_of(KIND).count(), 1);
        let again = raise(&mut book, "a", Severity::Warning, 9).unwrap();
        assert_ne!(again.alert().id, opened.alert().id);
    }

    #[test]
    fn an_alert_becomes_more_urgent_and_never_milder() {
        let mut book = AlertBook::default();
        let opened = raise(&mut book, "a", Severity::Warning, 5).unwrap();
        let worse = raise(&mut book, "a", Severity::Critical, 6).unwrap();
        assert!(matches!(&worse, Raised::Escalated(alert)
            if alert.id == opened.alert().id && alert.opened_at == at(5)));
        assert_eq!(raise(&mut book, "a", Severity::Warning, 7), None);
        assert_eq!(book.open_of(KIND).next(), Some(worse.alert()));
    }

    #[test]
    fn what_ended_with_the_process_is_closed_at_the_next_start() {
        let mut book = AlertBook::default();
        for (kind, now) in AlertKind::ALL.iter().zip(1..) {
            // Each about another subject: none of them is the cause of another.
            book.raise(*kind, Severity::Critical, kind.as_str(), "", at(now));
        }
        let kept: Vec<Alert> = book.wanted(&AlertFilter::default()).cloned().collect();
        let (book, closed) = AlertBook::restore(kept, at(3));
        let closed: Vec<AlertKind> = closed.iter().map(|alert| alert.kind).collect();
        assert_eq!(
            closed,
            [
                AlertKind::MassFailure,
                AlertKind::StoreUnavailable,
                AlertKind::BreakerForced,
                AlertKind::InstanceQuarantined,
                AlertKind::DuplicateIdentity,
                AlertKind::ClockStepped,
                AlertKind::StreamsDiffer,
                AlertKind::RunsWhatWasTaken,
            ]
        );
        assert_eq!(
            book.open_counts().len(),
            AlertKind::ALL.len() - closed.len()
        );
        let last = book.wanted(&AlertFilter::default()).next().unwrap();
        assert_eq!(last.id.get(), AlertKind::ALL.len() as i64);
        for alert in book.wanted(&AlertFilter::default()) {
            assert!(alert.closed_at.is_none_or(|end| end >= alert.opened_at));
        }
    }

    #[test]
    fn an_instance_that_is_gone_needs_nobody() {
        let mut book = AlertBook::default();
        for kind in [KIND, AlertKind::RecoveryExhausted, AlertKind::SystemHealth] {
            book.raise(kind, Severity::Warning, "a", "", at(1));
        }
        raise(&mut book, "b", Severity::Warning, 1);
        let closed = book.clear_instance("a", at(2));
        assert_eq!(closed.len(), 2);
        assert_eq!(book.open_counts().len(), 2, "the system and b");
    }

    #[test]
    fn a_closed_alert_is_forgotten_when_it_is_old_and_an_open_one_is_not() {
        let mut book = AlertBook::default();
        for (subject, closed) in [("old", Some(5)), ("young", Some(9)), ("open", None)] {
            raise(&mut book, subject, Severity::Warning, 1);
            if let Some(end) = closed {
                book.clear(KIND, subject, at(end));
            }
        }
        book.forget_closed(&Recent::since(at(6)));
        let all = AlertFilter::default();
        let left: Vec<&str> = book
            .wanted(&all)
            .map(|alert| alert.subject.as_str())
            .collect();
        assert_eq!(left, ["open", "young"]);
    }

    #[test]
    fn memory_is_bounded_and_what_is_open_stays() {
        let mut book = AlertBook::default();
        raise(&mut book, "open", Severity::Warning, 0);
        for now in 1..=(MAX_CLOSED as i64 + 5) {
            raise(&mut book, "a", Severity::Warning, now);
            book.clear(KIND, "a", at(now));
        }
        assert_eq!(book.wanted(&AlertFilter::default()).count(), MAX_CLOSED + 1);
        assert_eq!(book.open_of(KIND).next().unwrap().subject, "open");
    }

    proptest! {
        #[test]
        fn ids_grow_whatever_the_clock_does(
            steps in proptest::collection::vec((0_i64..50, 0_u8..3, any::<bool>()), 1..60)
        ) {
            let mut book = AlertBook::default();
            let mut newest = None;
            for (now, subject, raises) in steps {
                let subject = subject.to_string();
                if raises {
                    if let Some(raised) = raise(&mut book, &subject, Severity::Warning, now) {
                        prop_assert!(Some(raised.alert().id) > newest);
                        newest = Some(raised.alert().id);
                    }
                } else {
                    book.clear(KIND, &subject, at(now));
                }
                let open: Vec<&str> =
                    book.open_of(KIND).map(|alert| alert.subject.as_str()).collect();
                prop_assert!(open.is_sorted_by(|a, b| a < b), "one a subject: {open:?}");
                let filter = AlertFilter::default();
                let all = book.wanted(&filter);
                prop_assert!(all.is_sorted_by(|a, b| a.id > b.id));
            }
        }
    }
}
