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
//! moment it was opened do not, and `repeats` counts what joined it. One whose cause has an alert of its own (`cause.rs`) is not opened, and
//! is closed if it is open when that of the cause opens: its watcher raises it again if it
//! outlasts its cause. Alerts about lost instances follow `lost.rs`: one that is widened has another subject
//! and the same id. An acknowledgement lasts until its alert becomes more urgent.
//!
//! Raising and clearing may be repeated at will: each watcher reports what it sees, and
//! the book notices what is new. It keeps all open alerts and the newest closed ones.

use std::collections::{BTreeMap, BTreeSet};

use crate::alert::kind::{Acknowledgement, Alert, AlertFilter, AlertKind, Severity};
use crate::alert::lost::{Loss, OpenLoss};
use crate::alert::rule::AlertKey;
use crate::ids::{AlertId, InstanceId};
use crate::patterns::LostFacts;
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
            .filter(|(kind, _)| kind.rule().ends_with_the_process)
            .cloned()
            .collect();
        let closed = over
            .iter()
            .filter_map(|(kind, subject)| book.clear(*kind, subject, now))
            .collect();
        book.forget();
        (book, closed)
    }

    /// Raises an alert. `None` if the same alert is open already, or the alert of its
    /// cause.
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
            if alert.severity == severity && alert.detail == detail {
                return None;
            }
            alert.repeats = alert.repeats.saturating_add(1);
            return Some(updated(alert, severity, detail));
        }
        if let Some(cause) = kind.rule().follows_from
            && let Some(id) = self.open.get(&(cause, key.1.clone()))
        {
            let cause = self.known.get_mut(id)?;
            cause.repeats = cause.repeats.saturating_add(1);
            return Some(Raised::Reworded(cause.clone()));
        }
        let is_of_instance = kind.rule().key == AlertKey::Instance;
        let instances = is_of_instance.then(|| InstanceId::from(subject));
        let instances = instances.into_iter().collect();
        let alert = self.open_new(key, severity, detail.to_owned(), instances, now);
        Some(Raised::Opened(alert))
    }

    fn open_new(
        &mut self,
        key: (AlertKind, String),
        severity: Severity,
        detail: String,
        instances: Vec<InstanceId>,
        now: WallTime,
    ) -> Alert {
        self.newest = self.newest.next().max(AlertId::new(now.as_micros()));
        let alert = Alert {
            id: self.newest,
            kind: key.0,
            severity,
            subject: key.1.clone(),
            instances,
            detail,
            opened_at: now,
            closed_at: None,
            repeats: 0,
            acknowledged: None,
        };
        self.open.insert(key, alert.id);
        self.known.insert(alert.id, alert.clone());
        alert
    }

    /// Brings the alerts about lost instances up to date.
    pub fn lose(&mut self, facts: &LostFacts, now: WallTime) -> (Vec<Raised>, Vec<Alert>) {
        let kind = AlertKind::InstanceFailed;
        let before: Vec<OpenLoss> = self.open_of(kind).map(open_loss).collect();
        let losses = facts.losses(&before);
        let subjects: BTreeSet<&str> = losses.iter().map(|loss| loss.subject.as_str()).collect();
        // What is about a part of a loss is widened: the oldest one, so that its age stays.
        let mut parts: BTreeMap<InstanceId, (AlertId, String)> = BTreeMap::new();
        for alert in self
            .open_of(kind)
            .filter(|alert| !subjects.contains(alert.subject.as_str()))
        {
            for id in &alert.instances {
                parts.insert(id.clone(), (alert.id, alert.subject.clone()));
            }
        }
        let mut raised = Vec::new();
        for loss in &losses {
            let severity = facts.severity(loss);
            let key = (kind, loss.subject.clone());
            if !self.open.contains_key(&key) {
                let part = loss.failed.iter().filter_map(|id| parts.get(id)).min();
                if let Some((id, subject)) = part
                    && self.open.remove(&(kind, subject.clone())).is_some()
                {
                    self.open.insert(key.clone(), *id);
                }
            }
            match self.open.get(&key) {
                Some(id) => raised.extend(self.update_loss(*id, loss, severity)),
                None => {
                    let (text, instances) = (loss.sentence(), loss.instances());
                    let alert = self.open_new(key, severity, text, instances, now);
                    raised.push(Raised::Opened(alert));
                }
            }
        }
        let over = self.open_of(kind).map(|alert| alert.subject.clone());
        let over: Vec<String> = over
            .filter(|open| !subjects.contains(open.as_str()))
            .collect();
        let closed = over
            .into_iter()
            .filter_map(|subject| self.clear(kind, &subject, now))
            .collect();
        (raised, closed)
    }

    fn update_loss(&mut self, id: AlertId, loss: &Loss, severity: Severity) -> Option<Raised> {
        let alert = self.known.get_mut(&id)?;
        let (detail, instances) = (loss.sentence(), loss.instances());
        let severity = alert.severity.max(severity);
        if alert.detail == detail && alert.severity == severity && alert.instances == instances {
            return None;
        }
        let joined = loss
            .failed
            .iter()
            .filter(|id| !alert.instances.contains(id))
            .count();
        let joined = u32::try_from(joined).unwrap_or(u32::MAX);
        alert.repeats = alert.repeats.saturating_add(joined);
        loss.subject.clone_into(&mut alert.subject);
        alert.instances = instances;
        Some(updated(alert, severity, &detail))
    }

    /// An operator has seen an alert. `None` if it is not open.
    pub fn acknowledge(&mut self, id: AlertId, seen: Acknowledgement) -> Option<Alert> {
        let alert = self.known.get_mut(&id).filter(|alert| alert.is_open())?;
        alert.acknowledged = Some(seen);
        Some(alert.clone())
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

    /// Closes the open alerts about a subject that follow from an alert of this kind: they join that
    /// alert.
    pub fn join(&mut self, cause: AlertKind, subject: &str, now: WallTime) -> Vec<Alert> {
        let kinds = AlertKind::ALL.iter().copied();
        kinds
            .filter(|kind| kind.rule().follows_from == Some(cause))
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
        let is_of_instance = |kind: &&AlertKind| kind.rule().key == AlertKey::Instance;
        let kinds = AlertKind::ALL.iter().filter(is_of_instance);
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

/// An open alert has another sentence, or is more urgent.
fn updated(alert: &mut Alert, severity: Severity, detail: &str) -> Raised {
    let is_worse = alert.severity < severity;
    alert.severity = severity;
    detail.clone_into(&mut alert.detail);
    match is_worse {
        true => {
            alert.acknowledged = None;
            Raised::Escalated(alert.clone())
        }
        false => Raised::Reworded(alert.clone()),
    }
}

fn open_loss(alert: &Alert) -> OpenLoss {
    let is_alone = matches!(&alert.instances[..], [one] if one.as_str() == alert.subject);
    OpenLoss {
        subject: alert.subject.clone(),
        is_shared: !is_alone,
        instances: alert.instances.clone(),
    }
}

#[cfg(test)]
mod tests;
