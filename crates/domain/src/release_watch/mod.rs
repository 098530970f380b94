//! Decides whether a worker releases the streams that were taken from it.
//!
//! A stream is taken from an instance when it is deleted, disabled or moved, or when the instance
//! fails. Three clocks run per instance, each from the first look at which the condition held:
//!
//! ```text
//!   reported, not to be run, not judged ──listed_for───▶ surplus     (alert runs_what_was_taken)
//!   releasing ──────────overdue_after──▶ overdue: a planned move is given up
//!             └─────────refused_after──▶ refused                     (alert release_refused)
//!   runs beside its new owner ──overdue_after──▶ unfinished          (alert overlap_unfinished)
//! ```
//!
//! A heartbeat with the newest version is *judged* by `domain/reconciliation.rs`, which reports a
//! difference as `streams_differ`. This machine has the heartbeats that are not judged: those with
//! an older version, or none. Without it, a stream that such a worker keeps is
//! reported nowhere. One situation has one of the two alerts: a judged heartbeat ends the clock of its
//! streams, and whichever alert opens closes the other.
//!
//! A release is refused whatever the worker sends, because only what is saved counts: the stream is
//! still `releasing`. `refused_after` is longer than `overdue_after`, so that a planned move is given
//! up before it is called refused.
//!
//! The machine asks for a *look* at the fleet ([`TakenStreams`](super::queries::TakenStreams)) at
//! most once per `look_every`, and only if something is being taken from the instance; while
//! `surplus` is reported, with each report of the worker, so that the alert closes with it.
//!
//! What can go wrong: a look is lost (the next heartbeat asks again); the worker falls silent (its
//! failure takes the streams along); the orchestrator ends (the clocks begin again).

use std::collections::BTreeMap;
use std::time::Duration;

use super::fleet::Standing;
use super::heartbeat::Heartbeat;
use super::ids::{InstanceId, StreamId};
use super::queries::{Taken, TakenAs};
use super::reconciliation::{Report, grace};
use super::settings::LivenessThresholds;
use super::time::Timestamp;

/// The limits by which the machine judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReleaseLimits {
    /// The time between two looks at the fleet.
    pub look_every: Duration,
    /// How long a worker may report a stream that it should not run.
    pub listed_for: Duration,
    /// How long a hand-over may take.
    pub overdue_after: Duration,
    /// After how long a stream that is still releasing is called refused.
    pub refused_after: Duration,
}

impl ReleaseLimits {
    /// Derives the limits: a worker has as long to stop reporting a stream as a judged worker has,
    /// and the alert is open within one timeout; a release has a whole timeout.
    pub fn from_thresholds(thresholds: &LivenessThresholds) -> Self {
        let grace = grace(thresholds);
        Self {
            look_every: grace,
            listed_for: thresholds.warning.min(thresholds.timeout / 2),
            overdue_after: thresholds.timeout,
            refused_after: thresholds.timeout + grace,
        }
    }
}

/// What a heartbeat shows about the streams its worker runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hearing {
    /// Nothing that is judged.
    Nothing,
    /// Exactly the streams that it should run.
    InStep,
    /// Other streams, with the newest version.
    Judged,
    /// Other streams, by name, with an older version or none.
    Behind,
    /// So many more than it should run, by a digest, with an older version or none.
    BehindUnnamed(u64),
}

impl Hearing {
    /// Of a heartbeat.
    pub fn of(heartbeat: &Heartbeat, standing: &Standing) -> Self {
        let Some(report) = Report::of(heartbeat) else {
            return Self::Nothing;
        };
        match heartbeat.running() {
            Some(_) => Self::of_list(&report, standing),
            None => Self::of_digest(&report, standing),
        }
    }

    /// Of a heartbeat that lists its streams.
    pub fn of_list(report: &Report, standing: &Standing) -> Self {
        if report.digest == standing.digest {
            Self::InStep
        } else if report.is_judged(standing) {
            Self::Judged
        } else {
            Self::Behind
        }
    }

    /// Judges a heartbeat with a digest. If the worker runs no more streams than it should, the
    /// digest shows nothing: the worker may not have started all of them yet.
    pub fn of_digest(report: &Report, standing: &Standing) -> Self {
        let extra = report.count.saturating_sub(standing.to_run as u64);
        match Self::of_list(report, standing) {
            Self::Behind if extra > 0 => Self::BehindUnnamed(extra),
            Self::Behind | Self::BehindUnnamed(_) => Self::Nothing,
            other @ (Self::Nothing | Self::InStep | Self::Judged) => other,
        }
    }
}

/// The streams that a worker reports and should not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Surplus {
    /// These streams, ascending.
    Named(Vec<(StreamId, TakenAs)>),
    /// Only their number is known.
    Counted(u64),
}

/// The conditions that have lasted too long.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overdue {
    /// Planned moves to give up.
    pub abandon: Vec<StreamId>,
    /// Streams that are not released.
    pub refused: Vec<StreamId>,
    /// Streams whose new owner does not report them.
    pub unfinished: Vec<(StreamId, InstanceId)>,
    /// Streams that are reported and should not run.
    pub surplus: Option<Surplus>,
}

/// Watches one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseWatch {
    limits: ReleaseLimits,
    last_look: Option<Timestamp>,
    /// When the worker last reported more than it should run.
    last_report: Option<Timestamp>,
    listed: BTreeMap<StreamId, (Timestamp, TakenAs)>,
    unnamed: Option<(Timestamp, u64)>,
    releasing: BTreeMap<StreamId, Timestamp>,
    overlapping: BTreeMap<StreamId, Timestamp>,
    /// Whether the last look found a surplus.
    reports_surplus: bool,
}

impl ReleaseWatch {
    /// Creates a machine that knows of no stream that was taken.
    pub const fn new(limits: ReleaseLimits) -> Self {
        Self {
            limits,
            last_look: None,
            last_report: None,
            listed: BTreeMap::new(),
            unnamed: None,
            releasing: BTreeMap::new(),
            overlapping: BTreeMap::new(),
            reports_surplus: false,
        }
    }

    /// Returns the limits by which it judges.
    pub const fn limits(&self) -> &ReleaseLimits {
        &self.limits
    }

    /// Returns whether a surplus is reported.
    pub const fn reports_surplus(&self) -> bool {
        self.reports_surplus
    }

    /// Starts anew: another incarnation of the instance began, or it does not serve any more.
    pub fn forget(&mut self) {
        *self = Self::new(self.limits);
    }

    /// Ends the surplus: another alert reports the streams, or the worker runs what it should.
    pub fn forget_surplus(&mut self) {
        self.listed.clear();
        self.unnamed = None;
        self.reports_surplus = false;
    }

    /// Takes over the saved state after a change.
    pub fn adopt(&mut self, standing: &Standing) {
        if standing.releasing == 0 {
            self.releasing.clear();
        }
        if standing.lingering == 0 {
            self.overlapping.clear();
        }
    }

    /// Notes a heartbeat. Returns whether the fleet must be looked at now.
    pub fn heard(&mut self, hearing: Hearing, standing: &Standing, now: Timestamp) -> bool {
        self.adopt(standing);
        let is_behind = match hearing {
            // Other requests and heartbeats without a report show nothing; but the surplus does not
            // last for ever without one.
            Hearing::Nothing => {
                let limit = self.limits.overdue_after;
                if self.last_report.is_some_and(|last| now >= last + limit) {
                    self.forget_surplus();
                }
                false
            }
            Hearing::InStep => {
                self.forget_surplus();
                false
            }
            // An open alert closes when `streams_differ` opens.
            Hearing::Judged => {
                if !self.reports_surplus {
                    self.forget_surplus();
                }
                self.reports_surplus
            }
            Hearing::Behind => {
                self.unnamed = None;
                true
            }
            Hearing::BehindUnnamed(count) => {
                let since = self.unnamed.map_or(now, |(since, _)| since);
                self.unnamed = Some((since, count));
                true
            }
        };
        if is_behind {
            self.last_report = Some(now);
        }
        let is_due = self
            .last_look
            .is_none_or(|last| now >= last + self.limits.look_every);
        let is_taken_from = standing.releasing > 0 || standing.lingering > 0 || is_behind;
        let looks = is_taken_from && (is_due || (is_behind && self.reports_surplus));
        if looks {
            self.last_look = Some(now);
        }
        looks
    }

    /// Takes the result of a look, and returns the conditions that have lasted too long.
    pub fn looked(
        &mut self,
        hearing: Hearing,
        taken: &Taken,
        standing: &Standing,
        now: Timestamp,
    ) -> Overdue {
        let releasing = taken.releasing.iter().map(|(id, _)| *id);
        self.releasing = kept(&self.releasing, releasing, now);
        let overlapping = taken.overlapping.iter().map(|(id, _)| *id);
        self.overlapping = kept(&self.overlapping, overlapping, now);
        if let Some(surplus) = &taken.surplus {
            self.list(hearing, surplus, now);
        }
        let lasted = |since: &BTreeMap<StreamId, Timestamp>, id: &StreamId, limit: Duration| {
            since.get(id).is_some_and(|since| now >= *since + limit)
        };
        let ReleaseLimits {
            overdue_after,
            refused_after,
            ..
        } = self.limits;
        // A worker without leases cannot confirm a release.
        let abandon = taken.releasing.iter().filter(|(id, why)| {
            let ends = *why == TakenAs::Releasing || !standing.leased;
            ends && lasted(&self.releasing, id, overdue_after)
        });
        let refused = taken.releasing.iter().map(|(id, _)| *id);
        let unfinished = taken.overlapping.iter().cloned();
        let surplus = self.surplus(now);
        self.reports_surplus = surplus.is_some();
        Overdue {
            abandon: abandon.map(|(id, _)| *id).collect(),
            refused: refused
                .filter(|id| lasted(&self.releasing, id, refused_after))
                .collect(),
            unfinished: unfinished
                .filter(|(id, _)| lasted(&self.overlapping, id, overdue_after))
                .collect(),
            surplus,
        }
    }

    /// Notes the reported streams. A judged heartbeat starts no clock, but shows which streams are
    /// not reported any more.
    fn list(&mut self, hearing: Hearing, surplus: &[(StreamId, TakenAs)], now: Timestamp) {
        let before = std::mem::take(&mut self.listed);
        let starts = match hearing {
            Hearing::Behind => true,
            Hearing::Judged => false,
            Hearing::Nothing | Hearing::InStep | Hearing::BehindUnnamed(_) => {
                self.listed = before;
                return;
            }
        };
        for (id, why) in surplus {
            let known = before.get(id).map(|(since, _)| *since);
            if let Some(since) = known.or(starts.then_some(now)) {
                self.listed.insert(*id, (since, why.clone()));
            }
        }
    }

    fn surplus(&self, now: Timestamp) -> Option<Surplus> {
        let limit = self.limits.listed_for;
        let lasted = self
            .listed
            .iter()
            .filter(|(_, (since, _))| now >= *since + limit);
        let named: Vec<_> = lasted.map(|(id, (_, why))| (*id, why.clone())).collect();
        if !named.is_empty() {
            return Some(Surplus::Named(named));
        }
        let (since, count) = self.unnamed?;
        (now >= since + limit).then_some(Surplus::Counted(count))
    }
}

/// Keeps the entries that are still there, each with the moment at which it was first seen.
fn kept(
    before: &BTreeMap<StreamId, Timestamp>,
    there: impl Iterator<Item = StreamId>,
    now: Timestamp,
) -> BTreeMap<StreamId, Timestamp> {
    there
        .map(|id| (id, before.get(&id).copied().unwrap_or(now)))
        .collect()
}

#[cfg(test)]
mod tests;
